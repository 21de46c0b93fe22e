/**
 * Slows down whoever tries wrong passwords and tokens, by address and by user.
 *
 *     password ─┬─ too many wrong ones from the address ─► refused unread, for a while that doubles
 *               └─ too many for the user, from anywhere ─► checked late, a few at a time
 *     token ────── wrong ─► answered late; a right one never waits, since many programs may share an address
 *
 * A user is never locked out by what others try at his name: he waits a few seconds.
 *
 * @module
 */

/** Wrong tries that slow nothing down. */
const FREE_TRIES = 5;
/** The first wait and the longest one after more of them from an address, in milliseconds. */
const ADDRESS_MS_FIRST = 1_000;
const ADDRESS_MS_MAX = 60_000;
/** The longest wait of a check for a user, and of the answer to a wrong token, in milliseconds. */
const USER_MS_MAX = 3_000;
const TOKEN_MS_MAX = 2_000;
/** Of the answers that wait. */
const WAITING_MAX = 64;
/** How long after the last wrong try an address or a user is forgotten, in milliseconds. */
const MEMORY_MS = 15 * 60_000;
/** Addresses and users that are remembered; past it, the one that was wrong longest ago is forgotten. */
const REMEMBERED_MAX = 10_000;

interface Failures {
  count: number;
  lastMs: number;
}

/** See the header. */
export class LoginThrottle {
  readonly #failures = new Map<string, Failures>();
  readonly #now: () => number;
  #waiting = 0;

  /** Has seen nothing yet. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** How long passwords of an address are refused unread, in milliseconds; 0: not at all. */
  refusedMs(address: string): number {
    const failures = this.#recent(`address ${address}`);
    if (failures === undefined || failures.count < FREE_TRIES) return 0;
    const wait = doubled(failures.count - FREE_TRIES, ADDRESS_MS_FIRST, ADDRESS_MS_MAX);
    return Math.max(0, failures.lastMs + wait - this.#now());
  }

  /** Waits before a password of a user is checked; false when too many wait already. */
  beforeCheck(user: string): Promise<boolean> {
    const count = this.#recent(`user ${user}`)?.count ?? 0;
    return this.#wait(count < 2 * FREE_TRIES ? 0 : USER_MS_MAX);
  }

  /** Counts a wrong password. */
  wrongPassword(address: string, user: string): void {
    this.#count(`address ${address}`);
    this.#count(`user ${user}`);
  }

  /** Forgets an address and a user: the password was right. */
  rightPassword(address: string, user: string): void {
    this.#failures.delete(`address ${address}`);
    this.#failures.delete(`user ${user}`);
  }

  /** Counts a wrong token, and waits before it is answered; false when too many wait already. */
  wrongToken(address: string): Promise<boolean> {
    const { count } = this.#count(`token ${address}`);
    return this.#wait(count <= FREE_TRIES ? 0 : doubled(count - FREE_TRIES - 1, 100, TOKEN_MS_MAX));
  }

  async #wait(ms: number): Promise<boolean> {
    if (ms === 0) return true;
    if (this.#waiting >= WAITING_MAX) return false;
    this.#waiting++;
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#waiting--;
    return true;
  }

  #recent(key: string): Failures | undefined {
    const failures = this.#failures.get(key);
    return failures === undefined || this.#now() - failures.lastMs > MEMORY_MS
      ? undefined
      : failures;
  }

  #count(key: string): Failures {
    const failures = this.#recent(key) ?? { count: 0, lastMs: 0 };
    failures.count++;
    failures.lastMs = this.#now();
    this.#failures.delete(key); // to the end: the first one is the oldest
    this.#failures.set(key, failures);
    if (this.#failures.size > REMEMBERED_MAX) {
      this.#failures.delete(this.#failures.keys().next().value!);
    }
    return failures;
  }
}

function doubled(times: number, first: number, most: number): number {
  return Math.min(most, first * 2 ** Math.min(times, 20));
}
