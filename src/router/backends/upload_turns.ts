/**
 * Whose turn it is of those that send a very large request to one server: one at a time. The server reads from
 * each that sends, for milliseconds, before it looks at a small request.
 *
 *      wants to send ─► nobody sends, or has sent for a while ─► sends ─► answered, or given up ─► the next
 *               └── somebody does ─► waits ──────▲
 *
 * Who sends nothing for a moment, since its client has not more yet or the server takes nothing, loses its turn.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { BudgetWaiter } from "../client/byte_budget.ts";

/** Who has sent nothing for so long loses its turn; milliseconds. */
const STALL_MS = 50;

/** See the header. */
export class UploadTurns {
  #holder: object | null = null;
  #sentMs = 0;
  /** Those that wait, and whom to resume. */
  readonly #waiting = new Map<object, BudgetWaiter>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Whether an upload may send now; it asks before each piece.
   *
   * @param waiter Resumed when to ask again.
   */
  take(upload: object, waiter: BudgetWaiter): boolean {
    const isFree = this.#holder === null || this.#holder === upload || this.#hasStalled;
    if (!isFree) {
      this.#waiting.set(upload, waiter);
      this.#timer ??= setTimeout(() => this.#look(), STALL_MS);
      return false;
    }
    this.#holder = upload;
    this.#sentMs = clock.nowMs;
    this.#waiting.delete(upload);
    return true;
  }

  /** An upload has ended. */
  leave(upload: object): void {
    this.#waiting.delete(upload);
    if (this.#holder === upload) {
      this.#holder = null;
      this.#resumeNext();
    }
    if (this.#waiting.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  get #hasStalled(): boolean {
    return clock.nowMs - this.#sentMs >= STALL_MS;
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    clock.tick();
    this.#timer = setTimeout(() => this.#look(), STALL_MS);
    if (this.#hasStalled) this.#resumeNext();
  }

  /** The first that waits asks again; if it does not want to, the others do after a while. */
  #resumeNext(): void {
    for (const [upload, waiter] of this.#waiting) {
      this.#waiting.delete(upload);
      return waiter.resume();
    }
  }
}
