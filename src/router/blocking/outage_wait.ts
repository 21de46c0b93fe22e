/**
 * How a command that blocks outlasts outages of its servers: for the rest of its own time, but each no longer than an
 * outage may last.
 *
 *      kept ── lost, refused ─► an outage ── asked again ─► kept for KEPT_MS, or ended in order: the outage is over
 *                               │  ▲ ▲                └── lost, refused sooner ─┐
 *                               │  │ └──────────── the same outage ─────────────┤
 *                               ▼                                               ▼
 *                               OUTAGE_MS after it was noticed,                 more than LOSSES_MAX in a row:
 *                               the command fails                               the command fails
 *
 * @module
 */

import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import { type Outage, OUTAGE_MS } from "../backends/outage.ts";
import { isUnsent } from "../errors.ts";

/** A server that has kept a command for so long is not ended by it, in milliseconds. */
const KEPT_MS = 1000;
/** How often in a row a command is lost or refused sooner until it fails: it may be what ends the server. */
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

/** That a server does not keep a command, or does not take it. Times are those of the monotonic clock. */
export interface Loss {
  /** What the command fails with in the end, unless it was sent before: then the text of that time counts. */
  readonly text: string;
  /** When the server was sent the command, in milliseconds; `NaN` when it was not. */
  readonly askedMs: number;
  /** When a server was known before to keep it, in milliseconds; `NaN` when none was. */
  readonly keptMs: number;
}

/** What one command has gone through; see the header. */
export class OutageWait {
  /** The server that is waited for; null while none is. */
  server: object | null = null;
  readonly #waiter: OutageWaiter;
  readonly #timers: Timers;
  #outage: Outage | null = null;
  #stopTimer = (): void => {};
  /** When the outage was noticed, in milliseconds; `NaN` before the first one. */
  #sinceMs = NaN;
  /** How often the command was lost or refused since then, and why at first. */
  #losses = 0;
  #text = "";

  constructor(waiter: OutageWaiter, timers: Timers = SYSTEM_TIMERS) {
    this.#waiter = waiter;
    this.#timers = timers;
  }

  /**
   * Waits.
   *
   * @param server Whose outage it is.
   * @param leftMs How much of the command's own time is left, in milliseconds.
   */
  begin(server: object, outage: Outage, loss: Loss, leftMs: number): void {
    this.end();
    const nowMs = this.#timers.nowMs();
    const isKept = nowMs - loss.askedMs >= KEPT_MS;
    const keptMs = isKept ? nowMs : loss.keptMs;
    if (Number.isNaN(this.#sinceMs) || keptMs > this.#sinceMs) {
      this.#sinceMs = nowMs;
      this.#losses = 0;
      this.#text = "";
    }
    if (!isKept && !Number.isNaN(loss.askedMs)) this.#losses++;
    if (this.#text === "" || isUnsent(this.#text)) this.#text = loss.text;
    // A server says this of what it has kept, be it for a moment.
    const outageKeptMs = loss.text.startsWith("UNBLOCKED ") ? nowMs : keptMs;
    const limitMs = Math.min(outage.notice(outageKeptMs), this.#sinceMs + OUTAGE_MS - nowMs);
    if (limitMs <= 0 || this.#losses > LOSSES_MAX) return this.#waiter.outageTooLong(this.#text);
    this.server = server;
    this.#outage = outage;
    outage.whenOver(this.#goOn);
    this.#stopTimer = leftMs <= limitMs
      ? this.#timers.after(leftMs, () => this.#waiter.timeOver())
      : this.#timers.after(limitMs, () => this.#waiter.outageTooLong(this.#text));
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
    this.#stopTimer();
  }

  readonly #goOn = (): void => {
    this.server = this.#outage = null;
    this.#waiter.outageOver();
  };
}
