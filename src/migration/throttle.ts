/**
 * How fast keys are moved: how many in one call, and how long to rest between two calls.
 *
 *      nobody else uses the servers     calls of about 1.4 ms, one after the other
 *      clients do                       calls of about 0.4 ms, and rest for most of the time
 *      a server answers late,           rest longer and longer, until it answers in time again
 *      or a proxy to its clients
 *
 * A call stops its source and keeps its target busy, so its length is what a client may have to wait.
 *
 * @module
 */

/** Limits that an operator sets; 0 is none. */
export interface ThrottleLimits {
  readonly keysPerSecond: number;
  readonly bytesPerSecond: number;
  /** Least rest between two calls, in milliseconds: a task's `delay`. */
  readonly delayMs: number;
  /** What 99 of 100 requests at a proxy may take at most, in milliseconds. */
  readonly p99MaxMs: number;
}

/** A proxy, and what 99 of 100 of its requests took at most of late. */
export interface ProxyLatency {
  readonly id: string;
  /** In milliseconds. */
  readonly p99Ms: number;
}

/** Keys of the first call. */
const KEYS_FIRST = 100;
/** Small keys that make a call no longer than it is anyway: the way there and back. */
const KEYS_FEW = 20;
/** A key below this size is small, in bytes. */
const SMALL_BYTES = 2_048;
/** Most keys of one call, however fast it is. */
export const CALL_KEYS_MAX = 1_000;
/** Length of a call that is aimed at, alone and beside clients, in milliseconds. */
const CALL_MS_ALONE = 1.4;
const CALL_MS_SHARED = 0.4;
/** Weight of the newest call in what one key is taken to need. */
const NEWEST_SHARE = 0.2;
/** Share of the time that calls may take beside clients. */
const SHARE_SHARED = 0.3;
/** Commands of others per second from which on a server counts as used. */
const SHARED_OPS = 2_000;
/** A server that takes longer for a small command is late, in milliseconds. */
const LATE_MS = 10;
/** First and longest rest between two calls that a late server demands, in milliseconds. */
const SERVER_REST = { firstMs: 2, maxMs: 250 };
/** The same for a proxy that is slow to answer. */
const PROXY_REST = { firstMs: 8, maxMs: 1_000 };
/** A rest below this is none, in milliseconds. */
const REST_MS_MIN = 2;
/** Seconds of unused budget that may be caught up on. */
const BURST_SECONDS = 0.1;

/** See the header. */
export class Throttle {
  readonly #limits: ThrottleLimits;
  readonly #now: () => number;
  #keys = KEYS_FIRST;
  /** What one key needs, in milliseconds; 0 before the first call. */
  #keyMs = 0;
  #isShared = false;
  readonly #server = new AdaptiveRest(SERVER_REST);
  readonly #proxy = new AdaptiveRest(PROXY_REST);
  /** Calls since the last rest that was not one of an operator's limits. */
  #work = { keys: 0, ms: 0 };
  /** From when on the next call may be made, in monotonic milliseconds. */
  #freeMs = 0;

  /** @param now The monotonic clock, in milliseconds. @default performance.now */
  constructor(limits: ThrottleLimits, now: () => number = () => performance.now()) {
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
    return keysPerSecond + bytesPerSecond + delayMs === 0 && !this.#isShared && !this.#isSlowed;
  }

  get #isSlowed(): boolean {
    return this.#server.restMs + this.#proxy.restMs > 0;
  }

  /** Why it goes slower than it might, for operators; `""`: it does not. */
  get slowedBy(): string {
    return [this.#proxy, this.#server].find(({ restMs }) => restMs > 0)?.cause ?? "";
  }

  /** A call has ended. */
  called(keys: number, bytes: number, tookMs: number): void {
    const { keysPerSecond, bytesPerSecond, delayMs } = this.#limits;
    if (keys > 0) this.#keys = this.#fitting(keys, bytes, tookMs);
    const restMs = Math.max(delayMs, this.#restAfter(keys, tookMs));
    const nowMs = this.#now();
    const spentMs = Math.max(
      keysPerSecond === 0 ? 0 : keys / keysPerSecond * 1000,
      bytesPerSecond === 0 ? 0 : bytes / bytesPerSecond * 1000,
    );
    const budgetMs = Math.max(this.#freeMs, nowMs - BURST_SECONDS * 1000) + spentMs;
    this.#freeMs = spentMs === 0 ? nowMs + restMs : Math.max(nowMs + restMs, budgetMs);
  }

  /** The rest that others need after a call: codis-server's calls of one key share one. */
  #restAfter(keys: number, tookMs: number): number {
    const work = { keys: this.#work.keys + keys, ms: this.#work.ms + tookMs };
    const isDue = work.keys >= KEYS_FEW || tookMs >= CALL_MS_SHARED || work.ms >= CALL_MS_ALONE;
    this.#work = isDue ? { keys: 0, ms: 0 } : work;
    if (!isDue) return 0;
    const sharedMs = this.#isShared ? work.ms * (1 / SHARE_SHARED - 1) : 0;
    return Math.max(sharedMs, this.#server.restMs, this.#proxy.restMs);
  }

  /** How many keys fit a call, after one that took so long. */
  #fitting(keys: number, bytes: number, tookMs: number): number {
    const aimMs = this.#isShared || this.#isSlowed ? CALL_MS_SHARED : CALL_MS_ALONE;
    const now = this.#keys;
    const keyMs = tookMs / keys;
    // One call that was held up, by whatever, says little.
    this.#keyMs = this.#keyMs === 0 ? keyMs : this.#keyMs + (keyMs - this.#keyMs) * NEWEST_SHARE;
    const fitting = Math.min(now * 1.1 + 1, Math.max(now / 2, aimMs / this.#keyMs));
    const least = bytes / keys < SMALL_BYTES ? KEYS_FEW : 1;
    return Math.max(least, Math.min(CALL_KEYS_MAX, Math.floor(fitting)));
  }

  /**
   * What a look at the servers has shown.
   *
   * @param othersOps Commands per second that were not ours.
   * @param answerMs How long one of them took for a small command.
   * @param addr Which.
   */
  looked(othersOps: number, answerMs: number, addr = "a server"): void {
    this.#isShared = othersOps > SHARED_OPS;
    this.#server.looked(
      answerMs > LATE_MS,
      `slowed: ${addr} took ${Math.round(answerMs)} ms to answer, more than ${LATE_MS}`,
    );
  }

  /** What clients wait at the slowest proxy; nothing while no proxy tells. */
  clientsWait(slowest: ProxyLatency | undefined): void {
    const { p99MaxMs } = this.#limits;
    const { id, p99Ms } = slowest ?? { id: "", p99Ms: 0 };
    this.#proxy.looked(
      p99MaxMs > 0 && p99Ms > p99MaxMs,
      `slowed: proxy ${id}'s p99 is ${Math.round(p99Ms)} ms, above ${p99MaxMs}`,
    );
  }

  /** How long to wait before the next call, in milliseconds. */
  restMs(): number {
    return Math.max(0, this.#freeMs - this.#now());
  }
}

/** A rest that doubles as long as somebody is slow, and halves as soon as nobody is. */
class AdaptiveRest {
  /** In milliseconds; 0: nobody is slow. */
  restMs = 0;
  /** Why it rests. */
  cause = "";
  readonly #firstMs: number;
  readonly #maxMs: number;

  constructor({ firstMs, maxMs }: { readonly firstMs: number; readonly maxMs: number }) {
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
  }

  looked(isSlow: boolean, cause: string): void {
    if (isSlow) {
      this.cause = cause;
      this.restMs = Math.min(this.#maxMs, Math.max(this.#firstMs, this.restMs * 2));
    } else {
      this.restMs = this.restMs < REST_MS_MIN ? 0 : this.restMs / 2;
    }
  }
}
