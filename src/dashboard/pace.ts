/**
 * How fast keys are moved: how many in one call, and how long to rest between two calls.
 *
 *      nobody else uses the servers     calls of about 1 ms, one after the other
 *      clients do                       calls of about 0.4 ms, and rest for most of the time
 *      a server answers late            rest longer and longer, until it answers in time again
 *
 * A call stops its source and keeps its target busy, so its length is what a client may have to wait.
 *
 * @module
 */

/** Limits that an operator sets; 0 is none. */
export interface PaceLimits {
  readonly keysPerSecond: number;
  readonly bytesPerSecond: number;
  /** Least rest between two calls, in milliseconds: a task's `delay`. */
  readonly delayMs: number;
}

/** Keys of the first call. */
const KEYS_FIRST = 100;
/** Most keys of one call, however fast it is. */
export const CALL_KEYS_MAX = 1_000;
/** Length of a call that is aimed at, alone and beside clients, in milliseconds. */
const CALL_MS_ALONE = 1;
const CALL_MS_SHARED = 0.4;
/** Longest call that is not followed by fewer keys at once, in milliseconds. */
const CALL_MS_MAX = 2;
/** Share of the time that calls may take beside clients. */
const SHARE_SHARED = 0.3;
/** Commands of others per second from which on a server counts as used. */
const SHARED_OPS = 1_000;
/** A server that takes longer for a small command is late, in milliseconds. */
const LATE_MS = 10;
/** Longest rest between two calls that lateness demands, in milliseconds. */
const LATE_REST_MS_MAX = 250;
/** Seconds of unused budget that may be caught up on. */
const BURST_SECONDS = 0.1;

/** See the header. */
export class Pace {
  readonly #limits: PaceLimits;
  readonly #now: () => number;
  #keys = KEYS_FIRST;
  #isShared = false;
  #lateRestMs = 0;
  /** From when on the next call may be made, in monotonic milliseconds. */
  #freeMs = 0;

  /** @param now The monotonic clock, in milliseconds. @default performance.now */
  constructor(limits: PaceLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Most keys of the next call. */
  get keys(): number {
    const { keysPerSecond } = this.#limits;
    if (keysPerSecond === 0) return this.#keys;
    return Math.max(1, Math.min(this.#keys, Math.floor(keysPerSecond * BURST_SECONDS)));
  }

  /** Whether calls may follow each other without rest; then several may be under way. */
  get isUnlimited(): boolean {
    const { keysPerSecond, bytesPerSecond, delayMs } = this.#limits;
    return keysPerSecond + bytesPerSecond + delayMs + this.#lateRestMs === 0 && !this.#isShared;
  }

  /** A call has ended. */
  called(keys: number, bytes: number, tookMs: number): void {
    const { keysPerSecond, bytesPerSecond, delayMs } = this.#limits;
    const aimMs = this.#isShared ? CALL_MS_SHARED : CALL_MS_ALONE;
    if (tookMs > CALL_MS_MAX) {
      this.#keys = Math.max(1, Math.floor(Math.min(this.#keys, keys) / 2));
    } else if (tookMs > aimMs * 1.2) {
      this.#keys = Math.max(1, Math.floor(this.#keys * 0.9));
    } else if (tookMs < aimMs * 0.8 && keys >= this.#keys * 0.8) {
      this.#keys = Math.min(CALL_KEYS_MAX, Math.ceil(this.#keys * 1.1));
    }
    let restMs = Math.max(delayMs, this.#lateRestMs);
    if (this.#isShared) restMs = Math.max(restMs, tookMs * (1 / SHARE_SHARED - 1));
    const nowMs = this.#now();
    const spentMs = Math.max(
      keysPerSecond === 0 ? 0 : keys / keysPerSecond * 1000,
      bytesPerSecond === 0 ? 0 : bytes / bytesPerSecond * 1000,
    );
    const budgetMs = Math.max(this.#freeMs, nowMs - BURST_SECONDS * 1000) + spentMs;
    this.#freeMs = spentMs === 0 ? nowMs + restMs : Math.max(nowMs + restMs, budgetMs);
  }

  /**
   * What a look at a server has shown.
   *
   * @param othersOps Commands per second that were not ours.
   * @param answerMs How long it took for a small command.
   */
  looked(othersOps: number, answerMs: number): void {
    this.#isShared = othersOps > SHARED_OPS;
    if (answerMs > LATE_MS) {
      this.#lateRestMs = Math.min(LATE_REST_MS_MAX, Math.max(2, this.#lateRestMs * 2));
    } else {
      this.#lateRestMs = this.#lateRestMs < 2 ? 0 : this.#lateRestMs / 2;
    }
  }

  /** How long to wait before the next call, in milliseconds. */
  restMs(): number {
    return Math.max(0, this.#freeMs - this.#now());
  }
}
