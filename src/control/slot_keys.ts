/**
 * Counts the keys of a slot on a Redis server.
 *
 * codis-server knows the number. On any other server every key is read by SCAN, slowly enough that the
 * server's clients do not notice.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { Placement } from "../hash/placement.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { RedisError, replyText } from "../redis/reply.ts";
import { loadPlacement } from "../store/slot_rules.ts";
import { StoreError } from "../store/store.ts";
import type { Control } from "./control.ts";

/** Keys asked for by one SCAN. */
const SCAN_COUNT = 2_000;
/** Rest after a SCAN, in multiples of the time that it took. */
const REST = 2;
/** Longest time that counting the keys of a slot may take, in milliseconds. */
const COUNT_MS = 10_000;

/** A count that is under way. */
interface Count {
  readonly slotId: number;
  readonly keys: Promise<number>;
}

/** See the header. */
export class SlotKeyCounter {
  readonly #control: Pick<Control, "redis" | "store">;
  /** By the address of the server. */
  readonly #counts = new Map<string, Count>();

  /** Connects through `control`. */
  constructor(control: Pick<Control, "redis" | "store">) {
    this.#control = control;
  }

  /**
   * The keys of a slot in database 0 of a server.
   *
   * @throws {StoreError} When another slot is being counted there, or counting takes too long.
   */
  async count(addr: string, slotId: number): Promise<number> {
    const running = this.#counts.get(addr);
    if (running !== undefined && running.slotId !== slotId) {
      throw new StoreError(
        `the keys of slot ${running.slotId} are being counted at ${addr}: try again`,
      );
    }
    // A server is not scanned twice at once: a second request for the same slot shares the count.
    if (running !== undefined) return await running.keys;
    const keys = this.#count(addr, slotId);
    this.#counts.set(addr, { slotId, keys });
    try {
      return await keys;
    } finally {
      this.#counts.delete(addr);
    }
  }

  async #count(addr: string, slotId: number): Promise<number> {
    using redis = await this.#control.redis(addr);
    try {
      const sizes = await redis.call("SLOTSINFO", slotId, 1) as number[][];
      return sizes[0]?.[1] ?? 0;
    } catch (error) {
      // Only codis-server knows the command.
      if (!(error instanceof RedisError)) throw error;
    }
    return await scanKeys(redis, addr, slotId, await loadPlacement(this.#control.store));
  }
}

async function scanKeys(
  redis: RedisConnection,
  addr: string,
  slotId: number,
  placement: Placement,
): Promise<number> {
  const deadlineMs = performance.now() + COUNT_MS;
  let count = 0;
  for (let cursor = "0";;) {
    const sentMs = performance.now();
    const [next, keys] = await redis.call("SCAN", cursor, "COUNT", SCAN_COUNT) as [
      Uint8Array,
      Uint8Array[],
    ];
    for (const key of keys) if (placement.slotIdOf(key, 0, key.length) === slotId) count++;
    cursor = replyText(next);
    if (cursor === "0") return count;
    const nowMs = performance.now();
    if (nowMs > deadlineMs) {
      throw new StoreError(
        `counting the keys of slot ${slotId} at ${addr} took longer than ${COUNT_MS / 1000} s`,
      );
    }
    await delay(REST * (nowMs - sentMs));
  }
}
