/**
 * The time of a command that blocks: what is left of it, and for how long a server is asked to block each time.
 *
 * @module
 */

import type { BlockForm } from "./block_form.ts";

/** How long a server that cannot be told to unblock is asked to wait, in milliseconds. */
const SLICE_MS = 1000;
/** A reply this long before its time is not sent again: servers' clocks tick, in milliseconds. */
const SPARE_MS = 50;
/** A command that begins later than this after it came has less time, in milliseconds. */
const LATE_MS = 20;

/** A server before Redis 6 takes no part of a second. */
const WHOLE_ONLY = /^-ERR timeout is not an integer/;

/** The time of one command, which runs from now on; see the header. */
export class BlockTime {
  readonly #form: BlockForm;
  readonly #startedMs = performance.now();
  /** Whether the server takes whole seconds only. */
  #isWhole = false;
  /** Whether it was asked for another time than the client's. */
  #isShortened = false;

  constructor(form: BlockForm) {
    this.#form = form;
  }

  /** Milliseconds that are left; Infinity for a command that waits for ever. */
  get leftMs(): number {
    const { timeMs } = this.#form;
    return timeMs > 0 ? this.#startedMs + timeMs - performance.now() : Infinity;
  }

  /**
   * The command as a server is asked it now.
   *
   * @param isEndless Whether it may block for as long as the client likes: the server can be told to unblock it.
   */
  encode(isEndless: boolean): Uint8Array {
    const { timeMs } = this.#form;
    const { leftMs } = this;
    const isLate = leftMs < timeMs - LATE_MS;
    const askedMs = isEndless ? leftMs : Math.min(leftMs, SLICE_MS);
    this.#isShortened = !Number.isNaN(timeMs) && timeMs >= 0 &&
      (isLate || (!isEndless && (timeMs === 0 || timeMs > SLICE_MS)));
    if (!this.#isShortened) return this.#form.encode();
    return this.#form.encodeFor(askedMs, this.#isWhole || !isEndless);
  }

  /** Whether the reply says that the server takes whole seconds only, and was asked for others: the next time it is not. */
  isRefused(reply: string): boolean {
    if (!this.#isShortened || this.#isWhole || !WHOLE_ONLY.test(reply)) return false;
    return this.#isWhole = true;
  }

  /** Whether a server that has nothing has been asked for a part of the time only. */
  get isPartOver(): boolean {
    return this.#isShortened && this.leftMs > SPARE_MS;
  }
}
