/**
 * How many clients may connect anew since they were told to ask again: some libraries close their connection then, and
 * a client that asks without a pause would do so again and again, at the cost of all others.
 *
 *      told to ask again ─► counted ─┬─► asks over the same connection: not counted any more
 *                                    └─► is not heard of again: too many in a second, and nobody is told so any more
 *
 * @module
 */

import { clock } from "../../base/clock.ts";

/** How many may do so in a second, for each worker: about a twentieth of a processor's time. */
const RECONNECTS_PER_S = 200;
/** How many may do so at once: all workers of a framework, for one, when their server is lost. */
const RECONNECTS_MAX = 1_000;

/** Those of one worker. */
export class Reconnects {
  #left = RECONNECTS_MAX;
  #takenMs = clock.nowMs;

  /** Whether one more client may; it is counted then. */
  take(): boolean {
    const nowMs = clock.nowMs;
    const gained = (nowMs - this.#takenMs) * RECONNECTS_PER_S / 1000;
    this.#left = Math.min(RECONNECTS_MAX, this.#left + gained);
    this.#takenMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  /** A client that is counted has kept its connection. */
  giveBack(): void {
    this.#left++;
  }
}
