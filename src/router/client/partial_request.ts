/**
 * The request that a session has received a part of: since when, and what it weighs.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { BudgetWaiter, ByteBudget } from "./byte_budget.ts";

/** What is not worth counting, in bytes. */
const UNCHARGED_BYTES_MAX = 1024;

/** One session's unfinished request, the same object for one after the other. */
export class UnfinishedRequest {
  /** Since when a part of it is here, in clock milliseconds; 0 while there is none. */
  sinceMs = 0;
  #chargedBytes = 0;

  /**
   * Asks for leave to hold so much of it.
   *
   * @returns False when the budget is spent: `waiter` is told when there is room again.
   */
  mayHold(bytes: number, waiter: BudgetWaiter, budget: ByteBudget): boolean {
    if (this.sinceMs === 0) this.sinceMs = clock.nowMs;
    if (bytes <= UNCHARGED_BYTES_MAX) return true;
    if (bytes > budget.fairShareBytes && !budget.mayGrow(waiter)) return false;
    budget.charge(bytes - this.#chargedBytes);
    this.#chargedBytes = bytes;
    return true;
  }

  /** It is through, or nobody wants it any more. */
  end(waiter: BudgetWaiter, budget: ByteBudget): void {
    this.sinceMs = 0;
    if (this.#chargedBytes === 0) return;
    budget.release(this.#chargedBytes);
    this.#chargedBytes = 0;
    budget.leave(waiter);
  }
}
