/**
 * Throttles a migration: how many keys go in one call, and how long it rests between two calls.
 *
 *      nobody uses the servers          calls of about 4 ms, one after the other
 *      few clients do                   calls of about 1.4 ms, one after the other
 *      clients do                       calls of about 0.4 ms, with rests for most of the time
 *      a server or a proxy is slow      longer and longer rests, until it is fast again
 *
 * A call stops its source and keeps its target busy, so clients may have to wait for as long as a call
 * takes.
 *
 * @module
 */

/** Limits that an operator sets; 0 is none. */
export interface ThrottleLimits {
  readonly keysPerSecond: number;
  readonly bytesPerSecond: number;
  /** Least rest between two calls, in milliseconds: a task's `delay`. */
  readonly delayMs: number;
  /** Longest p99 latency at a proxy, in milliseconds. */
  readonly p99MaxMs: number;
}

/** A proxy and its recent p99 latency. */
export interface ProxyLatency {
  readonly id: string;
  /** In milliseconds. */
  readonly p99Ms: number;
}

/** Keys of the first call, and the least of small keys while nobody uses the servers. */
const KEYS_FIRST = 100;
/** So many small keys take hardly longer than the round trip of the call. */
const KEYS_FEW = 20;
/** A key below this size is small, in bytes. */
const SMALL_BYTES = 2_048;
/** Most keys of one call, however fast it is. */
export const CALL_KEYS_MAX = 1_000;
/** Desired length of a call, with nobody, with few clients, and with more, in milliseconds. */
const CALL_MS_UNSEEN = 4;
const CALL_MS_ALONE = 1.4;
const CALL_MS_SHARED = 0.4;
/** Weight of the newest call in the average time of one key. */
const NEWEST_SHARE = 0.2;
/** Share of the time that calls may take while clients use the servers. */
const SHARE_SHARED = 0.3;
/** Commands of others per second from which a server counts as used. */
const SHARED_OPS = 2_000;
/** Up to so many, nobody uses it: monitoring alone makes some. */
const UNSEEN_OPS = 100;
/** A server that takes longer for a small command is slow, in milliseconds. */
const SLOW_MS = 10;
/** First and longest rest between two calls while a server is slow, in milliseconds. */
const SERVER_REST = { firstMs: 2, maxMs: 250 };
/** The same while a proxy is slow. */
const PROXY_REST = { firstMs: 8, maxMs: 1_000 };
/** A shorter rest counts as none, in milliseconds. */
const REST_MS_MIN = 2;
/** Seconds of unused budget that later calls may use. */
const BURST_SECONDS = 0.1;

/** See the header. */
export class Throttle {
  readonly #limits: ThrottleLimits;
  readonly #now: () => number;
  #keys = KEYS_FIRST;
  /** Average time of one key, in milliseconds; 0 before the first call. */
  #keyMs = 0;
  #isShared = false;
  /** Whether nobody uses the servers. */
  #isUnseen = false;
  readonly #server = new AdaptiveRest(SERVER_REST);
  readonly #proxy = new AdaptiveRest(PROXY_REST);
  /** Calls since the last rest that was not one of an operator's limits. */
  #work = { keys: 0, ms: 0 };
  /** When the next call may be made, in monotonic milliseconds. */
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

  /** Whether calls may follow each other without rest; then several may run at once. */
  get isUnlimited(): boolean {
    const { keysPerSecond, bytesPerSecond, delayMs } = this.#limits;
    return keysPerSecond + bytesPerSecond + delayMs === 0 && !this.#isShared && !this.#isSlowed;
  }

  /** Whether nobody would notice, since nobody uses the servers. */
  get isUnseen(): boolean {
    return this.#isUnseen && this.isUnlimited;
  }

  /** Whether clients use the servers, or those of a proxy wait for long. */
  get isNoticed(): boolean {
    return this.#isShared || this.#proxy.restMs > 0;
  }

  get #isSlowed(): boolean {
    return this.#server.restMs + this.#proxy.restMs > 0;
  }

  /** Why a slow server or proxy slows the migration down, for operators; `""`: none does. */
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
    // Before the first call nothing was left unused.
    const unusedMs = this.#freeMs === 0 ? 0 : BURST_SECONDS * 1000;
    const budgetMs = Math.max(this.#freeMs, nowMs - unusedMs) + spentMs;
    this.#freeMs = spentMs === 0 ? nowMs + restMs : Math.max(nowMs + restMs, budgetMs);
  }

  /** The rest that others need after a call; several calls of one key, as codis-server's, share one. */
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
    const isUnseen = this.#isUnseen && !this.#isSlowed;
    const aimMs = this.#isShared || this.#isSlowed
      ? CALL_MS_SHARED
      : isUnseen
      ? CALL_MS_UNSEEN
      : CALL_MS_ALONE;
    const now = this.#keys;
    const keyMs = tookMs / keys;
    // One call that was delayed says little.
    this.#keyMs = this.#keyMs === 0 ? keyMs : this.#keyMs + (keyMs - this.#keyMs) * NEWEST_SHARE;
    const fitting = Math.min(now * 1.1 + 1, Math.max(now / 2, aimMs / this.#keyMs));
    const few = isUnseen ? KEYS_FIRST : KEYS_FEW;
    const least = bytes / keys < SMALL_BYTES ? few : 1;
    return Math.max(least, Math.min(CALL_KEYS_MAX, Math.floor(fitting)));
  }

  /**
   * The servers' load was measured.
   *
   * @param othersOps Commands per second that were not ours, at the busier server.
   * @param latencyMs Latency of a small command at the slower server.
   * @param addr The slower server.
   */
  serversMeasured(othersOps: number, latencyMs: number, addr = "a server"): void {
    this.#isShared = othersOps > SHARED_OPS;
    this.#isUnseen = othersOps <= UNSEEN_OPS;
    this.#server.adapt(
      latencyMs > SLOW_MS,
      `slowed down: ${addr} takes ${Math.round(latencyMs)} ms to answer, more than ${SLOW_MS} ms`,
    );
  }

  /** The latency of the slowest proxy was read; `undefined`: not known. */
  proxyMeasured(slowest: ProxyLatency | undefined): void {
    const { p99MaxMs } = this.#limits;
    const { id, p99Ms } = slowest ?? { id: "", p99Ms: 0 };
    this.#proxy.adapt(
      p99MaxMs > 0 && p99Ms > p99MaxMs,
      `slowed down: the p99 of proxy ${id} is ${Math.round(p99Ms)} ms, above ${p99MaxMs} ms`,
    );
  }

  /** How long to wait before the next call, in milliseconds. */
  restMs(): number {
    return Math.max(0, this.#freeMs - this.#now());
  }
}

/** A rest that doubles while a server or proxy is slow, and halves while none is. */
class AdaptiveRest {
  /** In milliseconds; 0: no rest. */
  restMs = 0;
  /** What is slow. */
  cause = "";
  readonly #firstMs: number;
  readonly #maxMs: number;

  constructor({ firstMs, maxMs }: { readonly firstMs: number; readonly maxMs: number }) {
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
  }

  adapt(isSlow: boolean, cause: string): void {
    if (isSlow) {
      this.cause = cause;
      this.restMs = Math.min(this.#maxMs, Math.max(this.#firstMs, this.restMs * 2));
    } else {
      this.restMs = this.restMs < REST_MS_MIN ? 0 : this.restMs / 2;
    }
  }
}
