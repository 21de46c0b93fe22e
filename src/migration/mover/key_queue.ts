/**
 * A queue of keys between the scan that finds them and the workers that move them. It is bounded, so the
 * scan is never far ahead.
 *
 * @module
 */

import type { SlotKey } from "./server_keys.ts";

/** Most keys that wait, besides those that one step of the scan finds. */
const KEYS_HELD_MAX = 2_000;
/** Most bytes of one call; a larger key goes alone. */
const CALL_BYTES_MAX = 256 * 1024;

/** A key and its size. */
export interface MovingKey extends SlotKey {
  readonly database: number;
  /** Memory it takes at the source, in bytes; 0: not known. */
  readonly size: number;
}

/** See the header. */
export class KeyQueue {
  #keys: MovingKey[] = [];
  #state: "open" | "ended" | "failed" = "open";
  #error: unknown;
  #changed = Promise.withResolvers<void>();

  /**
   * Adds keys, and waits while the queue is full.
   *
   * @throws The error that the queue failed with.
   */
  async put(keys: readonly MovingKey[]): Promise<void> {
    if (keys.length > 0) this.#keys.push(...keys);
    this.#change();
    while (this.#state === "open" && this.#keys.length > KEYS_HELD_MAX) await this.#changed.promise;
    this.check();
  }

  /** No more keys will come. */
  end(): void {
    if (this.#state === "open") this.#state = "ended";
    this.#change();
  }

  /** Keys cannot be moved: no caller waits any longer. */
  fail(error: unknown): void {
    if (this.#state === "failed") return;
    this.#state = "failed";
    this.#error = error;
    this.#change();
  }

  /** @throws The error that the queue failed with. */
  check(): void {
    if (this.#state === "failed") throw this.#error;
  }

  /**
   * Takes the keys of one call: of one database, not too many and not too large.
   *
   * @param countMax Most keys of the call, read when there may be enough.
   * @param slotIds Keys of other slots are dropped.
   * @returns No key when the queue has ended.
   */
  async take(countMax: () => number, slotIds: ReadonlySet<number>): Promise<MovingKey[]> {
    for (;;) {
      if (this.#state === "failed") return [];
      const { call, end, isFull } = this.#next(countMax(), slotIds);
      if (isFull || this.#state === "ended") {
        this.#keys.splice(0, end);
        this.#change();
        return call;
      }
      if (call.length < this.#keys.length) {
        this.#keys = call;
        // The scan may wait for the space of those that were dropped.
        this.#change();
      }
      await this.#changed.promise;
    }
  }

  #next(countMax: number, slotIds: ReadonlySet<number>) {
    const call: MovingKey[] = [];
    let bytes = 0;
    for (let at = 0; at < this.#keys.length; at++) {
      const key = this.#keys[at]!;
      if (!slotIds.has(key.slotId)) continue;
      const isOther = call.length > 0 && key.database !== call[0]!.database;
      const isTooLarge = call.length > 0 && bytes + key.size > CALL_BYTES_MAX;
      if (isOther || isTooLarge || call.length >= countMax) return { call, end: at, isFull: true };
      call.push(key);
      bytes += key.size;
    }
    return { call, end: this.#keys.length, isFull: call.length >= countMax };
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
