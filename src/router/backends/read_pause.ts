/**
 * The time for which a backend is not read because one client does not read its replies. Other clients
 * that wait there are not made to wait longer than a moment.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { SlowReader } from "./carrier.ts";

/** How long other clients may wait for a backend whose replies one client does not read. */
const PAUSE_MS_MAX = 50;

/** The pause of one backend. */
export class ReadPause {
  readonly #isAwaited: (slow: SlowReader) => boolean;
  #reader: SlowReader | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param isAwaited Whether clients other than the slow one wait for the backend. */
  constructor(isAwaited: (slow: SlowReader) => boolean) {
    this.#isAwaited = isAwaited;
  }

  /** Whether the backend is not read. */
  get isActive(): boolean {
    return this.#reader !== null;
  }

  /**
   * Begins a pause for a client.
   *
   * @returns False when others wait and there is memory enough for the replies.
   */
  begin(slow: SlowReader): boolean {
    if (!slow.isBudgetTight && this.#isAwaited(slow)) return false;
    this.#reader = slow;
    this.#timer = setInterval(() => this.#check(slow), PAUSE_MS_MAX);
    return true;
  }

  #check(slow: SlowReader): void {
    clock.tick();
    slow.easePressure();
    if (this.#reader !== null && this.#isAwaited(slow)) slow.losePatience();
  }

  /** Ends the pause, if there is one. */
  end(): void {
    this.#reader = null;
    clearInterval(this.#timer);
  }
}
