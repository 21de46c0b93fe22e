/**
 * How many bytes of large replies are asked of one server at once: a counting semaphore.
 *
 *      client ─► mayAcquire? ─ yes ─► acquire ─► … reply is through … ─► release ─► next in the queue
 *                    └─ no ─► wait in the queue
 *
 * Replies of a shared connection come in order, so a client that asks for something small waits for all
 * that was asked for before. That should be no more than one large reply, or {@linkcode ASKED_BYTES_MAX}.
 * Small replies are not counted.
 *
 * @module
 */

import type { BudgetWaiter } from "../client/byte_budget.ts";
import { LARGE_REPLY_BYTES } from "../client/reply_sizes.ts";

/** Bytes of large replies that are asked of a server at once; a single one may be larger. */
const ASKED_BYTES_MAX = 4 * 1024 * 1024;
/** The part of the budget that they may be at most. */
const BUDGET_PART = 1 / 16;

/** What a reply of which nothing is known counts for at first, in bytes. */
export const UNKNOWN_BYTES = 512 * 1024;
/** The least that it counts for, however small those before it were, in bytes. */
const UNKNOWN_BYTES_MIN = 64 * 1024;

/** The semaphore of one server; see the drawing above. */
export class ReplySemaphore {
  /** Bytes asked for and not here yet, by what is expected of them. */
  askedBytes = 0;
  /**
   * What a reply of which nothing is known counts for, in bytes: less with each small one that was
   * counted here, so that clients that connect for one request do not wait for each other; the most again
   * after a large one.
   */
  unknownBytes = UNKNOWN_BYTES;
  #askedBytesMax = 0;
  readonly #queue = new Set<BudgetWaiter>();

  /** @param budgetBytes What all that is held may have together. */
  constructor(budgetBytes: number) {
    this.limitTo(budgetBytes);
  }

  /** All that is held may have so many bytes together from now on. */
  limitTo(budgetBytes: number): void {
    this.#askedBytesMax = Math.min(ASKED_BYTES_MAX, budgetBytes * BUDGET_PART);
    this.#callNext();
  }

  /** Whether a client waits for it. */
  get isAwaited(): boolean {
    return this.#queue.size > 0;
  }

  /** Whether a reply of so many bytes may be asked for now. */
  mayAcquire(waiter: BudgetWaiter, bytes: number): boolean {
    if (this.#queue.size > 0 && this.#queue.values().next().value !== waiter) return false;
    return this.askedBytes === 0 || this.askedBytes + bytes <= this.#askedBytesMax;
  }

  /** Puts a client at the end of the queue; it is resumed when it is its turn to ask again. */
  wait(waiter: BudgetWaiter): void {
    this.#queue.add(waiter);
  }

  /** The client has asked, or does not want to any more. */
  leave(waiter: BudgetWaiter): void {
    if (this.#queue.delete(waiter)) this.#callNext();
  }

  /** So many bytes more were asked for, or turned out to be on their way. */
  acquire(bytes: number): void {
    this.askedBytes += bytes;
  }

  /** What was acquired is here, or will not come. */
  release(bytes: number): void {
    this.askedBytes -= bytes;
    this.#callNext();
  }

  /** A reply that it counted has so many bytes. */
  learn(bytes: number): void {
    if (bytes >= LARGE_REPLY_BYTES) this.unknownBytes = UNKNOWN_BYTES;
    else if (this.unknownBytes > UNKNOWN_BYTES_MIN) {
      this.unknownBytes = Math.max(UNKNOWN_BYTES_MIN, this.unknownBytes * 15 >> 4);
    }
  }

  #callNext(): void {
    if (this.#queue.size > 0) this.#queue.values().next().value!.resume();
  }
}
