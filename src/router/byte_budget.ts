/**
 * The bytes that all sessions together may hold: requests in flight, replies not yet sent, requests
 * half received.
 *
 * Charging never waits; what waits is reading more. While the budget is spent, a session that holds
 * more than its fair share is not read, and an unfinished request grows only in one session at a
 * time, the elder, so that those who wait cannot wait for each other.
 *
 * @module
 */

/** What a session may hold, in bytes, and still be read while the budget is spent. */
export const FAIR_SHARE_BYTES = 64 * 1024;

/** Someone who waits for the budget. */
export interface BudgetWaiter {
  /** The budget has room again, or it is the waiter's turn. */
  resume(): void;
}

/** The process's byte budget. */
export class ByteBudget {
  /** Bytes charged now. */
  usedBytes = 0;
  readonly limitBytes: number;
  readonly #waiting = new Set<BudgetWaiter>();
  #elder: BudgetWaiter | null = null;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Whether more is charged than the budget allows. */
  get isSpent(): boolean {
    return this.usedBytes > this.limitBytes;
  }

  /** Charges bytes; may overdraw. */
  charge(bytes: number): void {
    this.usedBytes += bytes;
  }

  /** Gives bytes back and wakes those who wait once an eighth of the budget is free. */
  release(bytes: number): void {
    this.usedBytes -= bytes;
    if (this.#waiting.size > 0 && this.usedBytes <= this.limitBytes * 0.875) this.#wakeAll();
  }

  /** Whether an unfinished request may grow now; if not, `waiter` is told when it may. */
  mayGrow(waiter: BudgetWaiter): boolean {
    if (!this.isSpent || this.#elder === waiter) return true;
    if (this.#elder === null) {
      this.#elder = waiter;
      return true;
    }
    this.#waiting.add(waiter);
    return false;
  }

  /** Calls `waiter` once when there is room again. */
  wait(waiter: BudgetWaiter): void {
    this.#waiting.add(waiter);
  }

  /** The waiter's unfinished request is through, or the waiter is gone. */
  leave(waiter: BudgetWaiter): void {
    this.#waiting.delete(waiter);
    if (this.#elder !== waiter) return;
    this.#elder = null;
    this.#wakeAll();
  }

  #wakeAll(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of waiting) waiter.resume();
  }
}
