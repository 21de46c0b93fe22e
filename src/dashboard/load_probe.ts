/**
 * What other clients ask of the two servers of a move, by which the mover keeps out of their way.
 *
 * @module
 */

import { readInfo } from "../redis/info.ts";
import type { RedisConnection } from "../redis/connection.ts";
import type { Pace } from "./pace.ts";

/** Time between two looks, in milliseconds: of that long the keys of one call are a small part. */
const LOOK_MS = 1_000;

/** What a server has done by the last look. */
interface Looked {
  /** All commands it has executed. */
  commands: number;
  /** Commands that were ours, since the last look. */
  ours: number;
}

/** Looks at both servers now and then, and tells the pace. */
export class LoadProbe {
  readonly #source: RedisConnection;
  readonly #target: RedisConnection;
  readonly #pace: Pace;
  readonly #atSource: Looked = { commands: NaN, ours: 0 };
  readonly #atTarget: Looked = { commands: NaN, ours: 0 };
  #lookedMs = 0;

  constructor(source: RedisConnection, target: RedisConnection, pace: Pace) {
    this.#source = source;
    this.#target = target;
    this.#pace = pace;
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
    this.#pace.looked(
      Math.max(source.othersOps, target.othersOps),
      Math.max(source.tookMs, target.tookMs),
    );
  }
}

async function othersAt(
  redis: RedisConnection,
  looked: Looked,
  sinceMs: number,
): Promise<{ othersOps: number; tookMs: number }> {
  const startedMs = performance.now();
  const info = await readInfo(redis, "stats");
  const tookMs = performance.now() - startedMs;
  const commands = Number(info.total_commands_processed);
  // At the first look we have asked for nothing yet: all there is to see is others'.
  const others = Number.isNaN(looked.commands)
    ? Number(info.instantaneous_ops_per_sec)
    : (commands - looked.commands - looked.ours) / sinceMs * 1000;
  looked.commands = commands;
  looked.ours = 0;
  return { othersOps: others, tookMs };
}
