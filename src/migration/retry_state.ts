/**
 * Why something cannot go on, since when, and when it is tried again.
 *
 * @module
 */

import { Backoff, type BackoffOptions } from "../base/backoff.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";

/** A problem that only an operator can end is retried after so many of the longest waits. */
const LASTING_TIMES = 2;

/** See the header. */
export class RetryState {
  /** Why it cannot go on; empty while it can. */
  problem = "";
  /** Unix milliseconds; null while there is no problem. */
  since: number | null = null;
  /** When it is tried again, in monotonic milliseconds. */
  untilMs = 0;
  readonly #backoff: Backoff;
  readonly #lastingMs: number;
  readonly #timers: Timers;

  /** @param retry How long it waits, and longer with each failure in a row. */
  constructor(retry: BackoffOptions, timers: Timers = SYSTEM_TIMERS) {
    this.#backoff = new Backoff(retry);
    this.#lastingMs = retry.maxMs * LASTING_TIMES;
    this.#timers = timers;
  }

  /**
   * It has failed, perhaps again.
   *
   * @param lasts Whether a retry cannot help before an operator changes something.
   */
  failed(problem: string, lasts = false): void {
    this.problem = problem;
    this.since ??= Date.now();
    const waitMs = this.#backoff.nextMs();
    this.untilMs = this.#timers.nowMs() + (lasts ? this.#lastingMs : waitMs);
  }

  /** It goes on. */
  recovered(): void {
    this.problem = "";
    this.since = null;
    this.untilMs = 0;
    this.#backoff.reset();
  }
}
