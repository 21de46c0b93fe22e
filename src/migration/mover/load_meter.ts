/**
 * Measures how much other clients use the two servers of a move, for the throttle.
 *
 * A server counts its commands by name. Those that move keys do not count, whoever sends them: calls of ours that
 * are under way need not be known, nor those of a move that has just ended.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { readInfo, type RedisInfo } from "../../redis/info.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import type { MoveContext } from "./mover.ts";

/** Time between two measurements, in milliseconds. */
const MEASURE_MS = 1_000;
/** Time between the two looks of the first, in milliseconds. */
const FIRST_MS = 100;
/** PINGs by which the latency of a server is measured. */
const PINGS = 3;

/** The commands by which keys move; before Redis 7, subcommands have no names of their own. */
const MOVING = /^cmdstat_(migrate|restore|restore-asking|memory|memory\|usage|scan|select|auth)$/;

/** See the header. */
export class LoadMeter {
  readonly #servers: readonly RedisConnection[];
  readonly #context: Pick<MoveContext, "throttle" | "pair">;
  /** Commands of others that each server had executed at the last measurement. */
  #counts: number[] = [];
  #measuredMs = -Infinity;

  constructor(
    source: RedisConnection,
    target: RedisConnection,
    context: Pick<MoveContext, "throttle" | "pair">,
  ) {
    this.#servers = [source, target];
    this.#context = context;
  }

  /**
   * Measures both servers, if it is time to, and informs the throttle.
   *
   * @throws {RedisUnreachableError | RedisError}
   */
  async measure(): Promise<void> {
    if (performance.now() - this.#measuredMs < MEASURE_MS) return;
    const { throttle } = this.#context;
    if (this.#counts.length === 0) {
      await this.#count();
      // What a server says itself has the commands of moves in it, too: if that is few, it is enough.
      const infos = await Promise.all(this.#servers.map((redis) => readInfo(redis, "stats")));
      await this.#inform(infos.map((info) => Number(info.instantaneous_ops_per_sec)));
      if (!throttle.isNoticed) return;
      await delay(FIRST_MS);
    }
    const beforeMs = this.#measuredMs;
    const before = this.#counts;
    await this.#count();
    const seconds = (this.#measuredMs - beforeMs) / 1000;
    await this.#inform(this.#counts.map((count, i) => (count - before[i]!) / seconds));
  }

  async #inform(ops: readonly number[]): Promise<void> {
    const sourceMs = await latencyOf(this.#servers[0]!);
    const targetMs = await latencyOf(this.#servers[1]!);
    const { pair, throttle } = this.#context;
    throttle.serversMeasured(
      Math.max(...ops),
      Math.max(sourceMs, targetMs),
      sourceMs > targetMs ? pair.source : pair.target,
    );
  }

  async #count(): Promise<void> {
    this.#measuredMs = performance.now();
    this.#counts = await Promise.all(
      this.#servers.map(async (redis) => othersIn(await readInfo(redis, "commandstats"))),
    );
  }
}

/** @returns The calls of all commands but those that move keys, since the server's start. */
function othersIn(info: RedisInfo): number {
  let sum = 0;
  for (const [name, figures] of Object.entries(info)) {
    if (!MOVING.test(name)) sum += Number(/^calls=(\d+)/.exec(figures)?.[1] ?? 0);
  }
  return sum;
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
