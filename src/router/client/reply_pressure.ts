/**
 * Back-pressure from a client that does not read its replies to the backends that send them.
 *
 *      calm ── isHigh ─► holding: backends not read ── ease: most replies taken ─► calm
 *                            └── losePatience: others wait there ─► overflowing ──────▲
 *
 * A shared backend is not read for a moment only: when other clients wait there it is read on, and
 * the slow client's replies pile up, until they are taken or outgrow session_max_buffer. The backend
 * of the reply that the client gets next is read whenever the client takes bytes: else replies that
 * wait behind that one would hold it up for ever.
 *
 * @module
 */

import type { Carrier, SlowReader } from "../backends/carrier.ts";
import type { Request } from "../request.ts";

/** Bytes waiting for a client, sent or held, past which a backend that adds to them is not read. */
export const PRESSURE_BYTES_HIGH = 4 * 1024 * 1024;
/** Bytes waiting for a client at which its backends are read again. */
const PRESSURE_BYTES_LOW = PRESSURE_BYTES_HIGH / 2;

/** The backends that one client keeps from being read. */
export class ReplyPressure {
  readonly #reader: SlowReader;
  #held: Carrier[] = [];
  #isOverflowing = false;

  constructor(reader: SlowReader) {
    this.#reader = reader;
  }

  /** Whether there is anything to ease. */
  get isActive(): boolean {
    return this.#isOverflowing || this.#held.length > 0;
  }

  /** Too much waits for the client: the backend that sends this request's reply is not read. */
  isHigh(request: Request): void {
    const backend = request.backend;
    if (this.#isOverflowing || backend === null || this.#held.includes(backend)) return;
    if (backend.pauseReading(this.#reader)) this.#held.push(backend);
  }

  /**
   * Lets backends go on as far as the client has taken its replies.
   *
   * @param unsentBytes Bytes that the client could take now.
   * @param heldBytes Bytes that wait for earlier replies.
   * @param head The request whose reply the client gets next.
   */
  ease(unsentBytes: number, heldBytes: number, head: Request | null): void {
    if (unsentBytes > PRESSURE_BYTES_LOW) return;
    if (head === null || heldBytes <= PRESSURE_BYTES_LOW) return this.end();
    if (head.state !== "sent") return;
    const backend = head.backend;
    // A split command's parts may come from any backend.
    if (backend === null) return this.#resume();
    const at = this.#held.indexOf(backend);
    if (at < 0) return;
    this.#held.splice(at, 1);
    backend.resumeReading();
  }

  /** Others have waited long enough. */
  losePatience(): void {
    this.#resume();
    this.#isOverflowing = true;
  }

  /** The client has taken its replies, or is gone. */
  end(): void {
    this.#isOverflowing = false;
    this.#resume();
  }

  #resume(): void {
    if (this.#held.length === 0) return;
    const held = this.#held;
    this.#held = [];
    for (const backend of held) backend.resumeReading();
  }
}
