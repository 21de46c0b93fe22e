/**
 * How fast a client that gives wrong passwords is answered.
 *
 *      attempt ─┬─ right ─► answered now, whatever others of the address do
 *               └─ wrong ─► counted for its address ─► the first few are answered now, later ones after a wait
 *
 * The first wrong passwords of an address cost nothing, so that a typing mistake does not; each further one
 * doubles the wait of the next. A right one never waits: many clients share an address (one host, one NAT),
 * and one of them with an old password must not hold up the others. So a client that hangs up before the
 * answer comes guesses as fast as it can connect. That is seen in the log and the count; only a long password
 * keeps it out.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";

/** Wrong passwords of an address that slow nothing down. */
const FREE_ATTEMPTS = 3;
/** The wait after the first one that does, and the longest one, in milliseconds. */
const WAIT_MS_FIRST = 50;
const WAIT_MS_MAX = 1_000;
/** How long after its last wrong one an address is forgotten, in milliseconds. */
const MEMORY_MS = 60_000;
/** Addresses that are remembered; past it, the one that was wrong longest ago is forgotten. */
const ADDRESSES_MAX = 10_000;
/** Time between two log lines about one address, in milliseconds. */
const LOG_MS = 10_000;

/** The wrong passwords of one address. */
interface Failures {
  count: number;
  lastMs: number;
  /** When they were reported last, and how many came since. */
  reportedMs: number;
  unreported: number;
}

/** Slows down the answers to wrong passwords; see the header. */
export class AuthThrottle {
  readonly #addresses = new Map<string, Failures>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  /** Whether the next wrong password of an address is answered late. */
  isSlowed(address: string): boolean {
    return this.#waitMs(address) > 0;
  }

  /** Calls `answer` when a wrong password of this address may be answered: now, or after its wait. */
  whenAllowed(address: string, answer: () => void): void {
    const waitMs = this.#waitMs(address);
    if (waitMs === 0) return answer();
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      clock.tick();
      answer();
    }, waitMs);
    this.#timers.add(timer);
  }

  #waitMs(address: string): number {
    const count = this.#addresses.get(address)?.count ?? 0;
    if (count <= FREE_ATTEMPTS) return 0;
    return Math.min(WAIT_MS_MAX, WAIT_MS_FIRST * 2 ** (count - FREE_ATTEMPTS - 1));
  }

  /**
   * Counts a wrong password.
   *
   * @returns How many to report now; mostly 0.
   */
  failed(address: string): number {
    const now = clock.nowMs;
    let failures = this.#addresses.get(address);
    if (failures === undefined || now - failures.lastMs > MEMORY_MS) {
      failures = { count: 0, lastMs: now, reportedMs: -Infinity, unreported: 0 };
    }
    this.#addresses.delete(address); // to the end: the first one is the oldest
    this.#addresses.set(address, failures);
    if (this.#addresses.size > ADDRESSES_MAX) {
      this.#addresses.delete(this.#addresses.keys().next().value!);
    }
    failures.count++;
    failures.lastMs = now;
    failures.unreported++;
    const isFirstSlowed = failures.count === FREE_ATTEMPTS + 1;
    if (now - failures.reportedMs < LOG_MS && !isFirstSlowed) return 0;
    const count = failures.unreported;
    failures.reportedMs = now;
    failures.unreported = 0;
    return count;
  }

  /** Answers no client any more. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
