/**
 * What other clients ask of the two servers of a move, by which the mover keeps out of their way.
 *
 * @module
 */

import { readInfo } from "../../redis/info.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import type { MoveContext } from "./mover.ts";

/** Time between two looks, in milliseconds: of that long the keys of one call are a small part. */
const LOOK_MS = 1_000;
/** PINGs by which the time of an answer is measured. */
const PINGS = 3;

/** What a server has done by the last look. */
interface Looked {
  /** All commands it has executed. */
  commands: number;
  /** Commands that were ours, since the last look. */
  ours: number;
}

/** Looks at both servers now and then, and tells the throttle. */
export class LoadProbe {
  readonly #source: RedisConnection;
  readonly #target: RedisConnection;
  readonly #context: Pick<MoveContext, "throttle" | "pair">;
  readonly #atSource: Looked = { commands: NaN, ours: 0 };
  readonly #atTarget: Looked = { commands: NaN, ours: 0 };
  #lookedMs = 0;

  constructor(
    source: RedisConnection,
    target: RedisConnection,
    context: Pick<MoveContext, "throttle" | "pair">,
  ) {
    this.#source = source;
    this.#target = target;
    this.#context = context;
  }

  /** Counts commands that we have sent to the source. */
  sent(commands: number): void {
    this.#atSource.ours += commands;
  }

  /** Counts keys that were moved: the target was sent a command for each. */
  arrived(keys: number): void {
    this.#atTarget.ours += keys;
  }

  /**
   * Looks, when it is time to.
   *
   * @throws {RedisUnreachableError | RedisError}
   */
  async look(): Promise<void> {
    const startedMs = performance.now();
    const sinceMs = startedMs - this.#lookedMs;
    if (sinceMs < LOOK_MS) return;
    this.#lookedMs = startedMs;
    const [source, target] = await Promise.all([
      othersAt(this.#source, this.#atSource, sinceMs),
      othersAt(this.#target, this.#atTarget, sinceMs),
    ]);
    const sourceMs = await answerOf(this.#source);
    const targetMs = await answerOf(this.#target);
    const { pair } = this.#context;
    this.#context.throttle.looked(
      Math.max(source, target),
      Math.max(sourceMs, targetMs),
      sourceMs > targetMs ? pair.source : pair.target,
    );
  }
}

/** @returns Commands per second that were not ours. */
async function othersAt(
  redis: RedisConnection,
  looked: Looked,
  sinceMs: number,
): Promise<number> {
  const info = await readInfo(redis, "stats");
  const commands = Number(info.total_commands_processed);
  // At the first look we have asked for nothing yet: all there is to see is others'.
  const others = Number.isNaN(looked.commands)
    ? Number(info.instantaneous_ops_per_sec)
    : (commands - looked.commands - looked.ours) / sinceMs * 1000;
  looked.commands = commands;
  looked.ours = 0;
  return others;
}

/** How long a server takes to answer, in milliseconds: the best of a few, or it may be our own doing. */
async function answerOf(redis: RedisConnection): Promise<number> {
  let bestMs = Infinity;
  for (let i = 0; i < PINGS; i++) {
    const startedMs = performance.now();
    await redis.call("PING");
    bestMs = Math.min(bestMs, performance.now() - startedMs);
  }
  return bestMs;
}
