/**
 * Back-pressure from a client that does not take its replies to the backends that send them.
 *
 *      calm ── isHigh ─► holding: backends not read ── end: most replies taken ─► calm
 *                            └── losePatience: others wait there ─► overflowing ──────▲
 *
 * A shared backend is not read for a moment only: when other sessions wait there it reads on, and
 * the slow client's replies pile up, until they are taken or outgrow session_max_buffer.
 *
 * @module
 */

import type { Backend } from "./backend.ts";
import type { Request } from "./request.ts";

/** One session's hold on backends. */
export class ReplyPressure {
  #held: Backend[] = [];
  #isOverflowing = false;

  /** Whether there is anything to end. */
  get isActive(): boolean {
    return this.#isOverflowing || this.#held.length > 0;
  }

  /** Too much waits for the client: the backend that sends this request's reply is not read. */
  isHigh(request: Request): void {
    const backend = request.backend;
    if (this.#isOverflowing || backend === null || this.#held.includes(backend)) return;
    backend.pauseReading();
    this.#held.push(backend);
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
