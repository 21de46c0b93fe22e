/**
 * The request that a client has sent a part of: since when, and how many bytes it holds.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { BudgetWaiter, ByteBudget } from "./byte_budget.ts";

/** Less than this is not counted, in bytes. */
const UNCHARGED_BYTES_MAX = 1024;

/** One client's partial request; the same object serves one after the other. */
export class PartialRequest {
  /** Since when a part of it is here, in clock milliseconds; 0 while there is none. */
  sinceMs = 0;
  #chargedBytes = 0;

  /**
   * Asks whether so much of it may be held.
   *
   * @returns False when the budget is spent: `waiter` is resumed when to ask again.
   */
  mayHold(bytes: number, waiter: BudgetWaiter, budget: ByteBudget): boolean {
    if (this.sinceMs === 0) this.sinceMs = clock.nowMs;
    if (bytes <= UNCHARGED_BYTES_MAX) return true;
    if (bytes > budget.fairShareBytes && !budget.mayGrow(waiter)) return false;
    budget.charge(bytes - this.#chargedBytes);
    this.#chargedBytes = bytes;
    return true;
  }

  /** It has been dispatched, or nobody wants it any more. */
  end(waiter: BudgetWaiter, budget: ByteBudget): void {
    this.sinceMs = 0;
    if (this.#chargedBytes === 0) return;
    budget.release(this.#chargedBytes);
    this.#chargedBytes = 0;
    budget.leave(waiter);
  }
}
