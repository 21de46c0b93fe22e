/**
 * A queue of keys between the scan that finds them and the workers that move them. It is bounded, so the
 * scan is never far ahead.
 *
 *      put ─┬─ slot is open ────────────────► keys ─► take
 *           ├─ slot is being opened ─► early ──┘ opened
 *           └─ neither: dropped
 *
 * @module
 */

import type { SlotKey } from "./server_keys.ts";

/** Most keys that wait, besides those that one step of the scan finds. */
const KEYS_HELD_MAX = 2_000;
/** The same for keys whose slots are being opened. */
const EARLY_KEYS_MAX = 50_000;
/** Most bytes of one call; a larger key goes alone. */
const CALL_BYTES_MAX = 256 * 1024;

/** A key and its size. */
export interface MovingKey extends SlotKey {
  readonly database: number;
  /** Memory it takes at the source, in bytes; 0: not known. */
  readonly size: number;
  /** Whether that is what other keys take: it was not asked for. */
  readonly isGuess: boolean;
}

/** The slots whose keys go through the queue; both change. */
export interface QueuedSlots {
  /** Whether keys of a slot may be moved. */
  isOpen(slotId: number): boolean;
  /** Whether they will be moved soon. */
  isComing(slotId: number): boolean;
}

/** See the header. */
export class KeyQueue {
  readonly #slots: QueuedSlots;
  #keys: MovingKey[] = [];
  #early: MovingKey[] = [];
  #state: "open" | "ended" | "failed" = "open";
  #error: unknown;
  #changed = Promise.withResolvers<void>();

  /** Takes the keys of these slots. */
  constructor(slots: QueuedSlots) {
    this.#slots = slots;
  }

  /**
   * Adds keys, and waits while the queue is full.
   *
   * @throws The error that the queue failed with.
   */
  async put(keys: readonly MovingKey[]): Promise<void> {
    this.#add(keys);
    while (this.#state === "open" && this.#isFull) await this.#changed.promise;
    this.check();
  }

  /** Some slots have been opened, or will not be. */
  opened(): void {
    this.#add(this.#early.splice(0));
  }

  get #isFull(): boolean {
    return this.#keys.length > KEYS_HELD_MAX || this.#early.length > EARLY_KEYS_MAX;
  }

  #add(keys: readonly MovingKey[]): void {
    for (const key of keys) {
      if (this.#slots.isOpen(key.slotId)) this.#keys.push(key);
      else if (this.#slots.isComing(key.slotId)) this.#early.push(key);
    }
    this.#change();
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
   * @returns No key when the queue has ended.
   */
  async take(countMax: () => number): Promise<MovingKey[]> {
    for (;;) {
      if (this.#state === "failed") return [];
      const { call, end, isFull } = this.#next(countMax());
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

  #next(countMax: number) {
    const call: MovingKey[] = [];
    let bytes = 0;
    for (let at = 0; at < this.#keys.length; at++) {
      const key = this.#keys[at]!;
      if (!this.#slots.isOpen(key.slotId)) continue;
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
