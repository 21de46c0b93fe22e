/**
 * Measures how much other clients use the two servers of a move, for the throttle.
 *
 * @module
 */

import { readInfo } from "../../redis/info.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import type { MoveContext } from "./mover.ts";

/** Time between two measurements, in milliseconds: long enough that one call counts for little. */
const MEASURE_MS = 1_000;
/** PINGs by which the latency of a server is measured. */
const PINGS = 3;

/** What a server had done at the last measurement. */
interface ServerCount {
  /** All commands it has executed. */
  commands: number;
  /** Commands that were ours, since the last measurement. */
  ours: number;
}

/** See the header. */
export class LoadMeter {
  readonly #source: RedisConnection;
  readonly #target: RedisConnection;
  readonly #context: Pick<MoveContext, "throttle" | "pair">;
  readonly #atSource: ServerCount = { commands: NaN, ours: 0 };
  readonly #atTarget: ServerCount = { commands: NaN, ours: 0 };
  #measuredMs = 0;

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
   * Measures both servers, if it is time to, and informs the throttle.
   *
   * @throws {RedisUnreachableError | RedisError}
   */
  async measure(): Promise<void> {
    const startedMs = performance.now();
    const sinceMs = startedMs - this.#measuredMs;
    if (sinceMs < MEASURE_MS) return;
    this.#measuredMs = startedMs;
    const [source, target] = await Promise.all([
      othersAt(this.#source, this.#atSource, sinceMs),
      othersAt(this.#target, this.#atTarget, sinceMs),
    ]);
    const sourceMs = await latencyOf(this.#source);
    const targetMs = await latencyOf(this.#target);
    const { pair } = this.#context;
    this.#context.throttle.serversMeasured(
      Math.max(source, target),
      Math.max(sourceMs, targetMs),
      sourceMs > targetMs ? pair.source : pair.target,
    );
  }
}

/** @returns Commands per second that were not ours. */
async function othersAt(
  redis: RedisConnection,
  last: ServerCount,
  sinceMs: number,
): Promise<number> {
  const info = await readInfo(redis, "stats");
  const commands = Number(info.total_commands_processed);
  // At first we have sent nothing: all commands are others'.
  const others = Number.isNaN(last.commands)
    ? Number(info.instantaneous_ops_per_sec)
    : (commands - last.commands - last.ours) / sinceMs * 1000;
  last.commands = commands;
  last.ours = 0;
  return others;
}

/** The latency of a server, in milliseconds: the best of a few, for one may have waited for our own calls. */
async function latencyOf(redis: RedisConnection): Promise<number> {
  let bestMs = Infinity;
  for (let i = 0; i < PINGS; i++) {
    const startedMs = performance.now();
    await redis.call("PING");
    bestMs = Math.min(bestMs, performance.now() - startedMs);
  }
  return bestMs;
}
