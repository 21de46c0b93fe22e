/**
 * How a command that blocks outlasts an outage of its server: for the rest of its own time, but not longer than the
 * outage may last, and not again and again.
 *
 * @module
 */

import { type Outage, OUTAGE_MS } from "../backends/outage.ts";
import { isUnsent } from "../errors.ts";

/** How often in a row a command is lost with its server until it fails: it may be what ends the server. */
const LOSSES_MAX = 3;

/** A command that waits for the end of an outage. */
export interface OutageWaiter {
  /** Its server takes requests again. */
  outageOver(): void;
  /** The outage lasts too long: the command fails with `text`. */
  outageTooLong(text: string): void;
  /** The command's own time is over. */
  timeOver(): void;
}

/** What one command has gone through; see the header. */
export class OutageWait {
  /** The server that is waited for; null while none is. */
  server: object | null = null;
  readonly #waiter: OutageWaiter;
  #outage: Outage | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Since when it has been without a server that keeps it, in milliseconds; `NaN` before. */
  #sinceMs = NaN;
  /** How often it was lost since then, and why at first. */
  #losses = 0;
  #text = "";

  constructor(waiter: OutageWaiter) {
    this.#waiter = waiter;
  }

  /**
   * Waits.
   *
   * @param server Whose outage it is.
   * @param text What the command fails with in the end, unless it was sent before: then the text of that time counts.
   * @param askedMs When the server was asked the command, in milliseconds; `NaN` where it was not.
   * @param leftMs How much of the command's own time is left, in milliseconds.
   */
  begin(server: object, outage: Outage, text: string, askedMs: number, leftMs: number): void {
    this.end();
    const nowMs = performance.now();
    if (Number.isNaN(this.#sinceMs) || nowMs - askedMs > OUTAGE_MS) {
      this.#sinceMs = nowMs;
      this.#losses = 0;
      this.#text = "";
    }
    if (!Number.isNaN(askedMs)) this.#losses++;
    if (this.#text === "" || isUnsent(this.#text)) this.#text = text;
    const limitMs = Math.min(outage.notice(), this.#sinceMs + OUTAGE_MS - nowMs);
    if (limitMs <= 0 || this.#losses > LOSSES_MAX) return this.#waiter.outageTooLong(this.#text);
    this.server = server;
    this.#outage = outage;
    outage.whenOver(this.#goOn);
    this.#timer = leftMs <= limitMs
      ? setTimeout(() => this.#waiter.timeOver(), leftMs)
      : setTimeout(() => this.#waiter.outageTooLong(this.#text), limitMs);
  }

  /** Does not wait for the server any more, but its time, and the outage's, run on. */
  leaveServer(): void {
    this.server = null;
    this.#outage?.leave(this.#goOn);
    this.#outage = null;
  }

  /** Waits no longer. */
  end(): void {
    this.leaveServer();
    clearTimeout(this.#timer);
  }

  readonly #goOn = (): void => {
    this.server = this.#outage = null;
    this.#waiter.outageOver();
  };
}
