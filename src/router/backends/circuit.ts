/**
 * Keeps requests from a server that does not answer in time: they fail at once, with the reason.
 *
 *      closed ── nothing came for backend_timeout, or what was asked ──► open ── once a second: a new
 *        ▲       was not answered within it                               │      connection, or a PING
 *        └─────────────────────── answered within a second ───────────────┘      over the slow one
 *
 * A server that cannot be connected to needs none: its requests fail at once anyway. Commands that block,
 * scripts that run for long, and key moves are waited for by rules of their own, and open none.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";

/** How often a server is tried meanwhile, and how fast it must be then, in milliseconds. */
const TRY_MS = 1_000;

/** A connection that is open while requests wait too long on it. */
export interface SlowConnection {
  /**
   * Asks the server over it, behind all that it has been asked.
   *
   * @param answered Called once, unless the connection is lost first.
   */
  tryAnswer(answered: () => void): void;
}

/** The circuit of one server; see the drawing above. */
export class Circuit {
  /** Why requests are refused; empty while it is closed. */
  cause = "";
  /** How often it has opened. */
  openings = 0;
  readonly #changed: (openMs: number) => void;
  readonly #connection: () => SlowConnection | null;
  #openedMs = 0;
  #triedMs = 0;
  /** The connection over which it is tried; null while new ones are. */
  #slow: SlowConnection | null = null;
  #isAsking = false;

  /**
   * @param changed Called when it has opened, and when it has closed, with how long it was open.
   * @param connection A connection over which the server can be asked; null while that is being opened.
   */
  constructor(changed: (openMs: number) => void, connection: () => SlowConnection | null) {
    this.#changed = changed;
    this.#connection = connection;
  }

  /** Whether requests are refused. */
  get isOpen(): boolean {
    return this.cause !== "";
  }

  /**
   * The server does not answer in time.
   *
   * @param slow The connection on which it is late; without it, no connection is left.
   */
  open(cause: string, slow: SlowConnection | null): void {
    if (this.isOpen) return;
    this.cause = cause;
    this.openings++;
    this.#openedMs = clock.nowMs;
    // The connection that is lost is opened again soon, as after each loss.
    this.#triedMs = slow === null ? -Infinity : clock.nowMs;
    this.#slow = slow;
    this.#isAsking = false;
    this.#changed(0);
  }

  /**
   * Whether a connection may be opened now: one is in a second.
   *
   * @param isPrivate Whether it is a client's own: that one goes with the request that is refused.
   */
  mayDial(isPrivate = false): boolean {
    if (!this.isOpen) return true;
    if (isPrivate || this.#slow !== null || clock.nowMs - this.#triedMs < TRY_MS) return false;
    this.#triedMs = clock.nowMs;
    return true;
  }

  /** Tries the slow connection, or another one that is there; called a few times a second. */
  tick(): void {
    if (!this.isOpen) return;
    const slow = this.#slow ??= this.#connection();
    if (slow === null || this.#isAsking || clock.nowMs - this.#triedMs < TRY_MS) return;
    this.#isAsking = true;
    const askedMs = this.#triedMs = clock.nowMs;
    slow.tryAnswer(() => {
      if (this.#slow !== slow) return;
      this.#isAsking = false;
      if (clock.nowMs - askedMs <= TRY_MS) this.#close();
    });
  }

  /** The server has answered over a new connection. */
  answered(): void {
    if (this.isOpen && this.#slow === null) this.#close();
  }

  /** A connection is lost. */
  lost(connection: SlowConnection): void {
    if (this.#slow !== connection) return;
    this.#slow = null;
    this.#isAsking = false;
  }

  #close(): void {
    this.cause = "";
    this.#slow = null;
    this.#changed(clock.nowMs - this.#openedMs);
  }
}
