/**
 * Notices when this thread's event loop is held up: by a long computation, the collector, or other programs
 * that need the processor.
 *
 *     requests ─► a beat every 20 ms ─► late? ─► a stall, from when the beat was due
 *
 * It beats while requests come, and a second longer.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";

/** Time between two beats, in milliseconds. */
const BEAT_MS = 20;
/** A beat that is so late means a stall, in milliseconds. */
const STALL_MS_MIN = 5;
/** Beats after the last request. */
const BEATS_MAX = 50;
/** Beats left at which a request asks for more: seldom, since each asks. */
const BEATS_LOW = 25;
/** Stalls that are remembered. */
const STALLS_KEPT = 64;

/** See the header. */
export class LoopWatch {
  readonly #from = new Float64Array(STALLS_KEPT);
  readonly #to = new Float64Array(STALLS_KEPT);
  readonly #onStall: (ms: number) => void;
  #next = 0;
  /** When the newest of them has ended. */
  #lastMs = -Infinity;
  #beats = 0;
  #dueMs = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param onStall Called after each stall, with its length in milliseconds. */
  constructor(onStall: (ms: number) => void) {
    this.#onStall = onStall;
  }

  /** A request has come: the loop is watched for the next second. */
  watch(): void {
    if (this.#beats >= BEATS_LOW) return;
    const isBeating = this.#beats > 0;
    this.#beats = BEATS_MAX;
    if (isBeating) return;
    this.#dueMs = clock.nowMs + BEAT_MS;
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
  }

  #beat(): void {
    const nowMs = clock.tick();
    const lateMs = nowMs - this.#dueMs;
    if (lateMs >= STALL_MS_MIN) {
      this.#from[this.#next] = this.#dueMs;
      this.#to[this.#next] = this.#lastMs = nowMs;
      this.#next = (this.#next + 1) % STALLS_KEPT;
      this.#onStall(lateMs);
    }
    this.#dueMs = nowMs + BEAT_MS;
    if (--this.#beats <= 0) this.stop();
  }

  /** For how long of this time the loop was held up, in milliseconds. */
  heldUpMs(fromMs: number, toMs: number): number {
    let ms = 0;
    for (let i = 0; i < STALLS_KEPT && fromMs < this.#lastMs; i++) {
      ms += Math.max(0, Math.min(toMs, this.#to[i]!) - Math.max(fromMs, this.#from[i]!));
    }
    // One of which the beat has not told yet.
    const isLate = this.#beats > 0 && clock.nowMs - this.#dueMs >= STALL_MS_MIN;
    return isLate ? ms + Math.max(0, toMs - Math.max(fromMs, this.#dueMs)) : ms;
  }

  /** Watches no more. */
  stop(): void {
    this.#beats = 0;
    clearInterval(this.#timer);
  }
}
