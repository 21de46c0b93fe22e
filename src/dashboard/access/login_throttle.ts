/**
 * Slows down whoever tries wrong passwords and tokens, by address and by user.
 *
 *     password ─┬─ too many wrong ones from the address ─► refused unread, for a while that doubles,
 *               │                                          then one at a time
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
/** Of the checks of passwords that wait, and of the answers to wrong tokens. */
const WAITING_MAX = 64;
/** When an address may try again whose tries are still being checked, in milliseconds. */
const CHECKING_MS = 1_000;
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
  /** How many passwords of an address are being checked. */
  readonly #checking = new Map<string, number>();
  readonly #waiting = { passwords: 0, tokens: 0 };

  /** Has seen nothing yet. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** How long passwords of an address are refused unread, in milliseconds; 0: not at all. */
  refusedMs(address: string): number {
    const { count, lastMs } = this.#recent(`address ${address}`) ?? { count: 0, lastMs: 0 };
    // What is being checked may be as wrong: many guesses at once are not more guesses.
    const atOnce = Math.max(1, FREE_TRIES - count);
    if ((this.#checking.get(address) ?? 0) >= atOnce) return CHECKING_MS;
    if (count < FREE_TRIES) return 0;
    const wait = doubled(count - FREE_TRIES, ADDRESS_MS_FIRST, ADDRESS_MS_MAX);
    return Math.max(0, lastMs + wait - this.#now());
  }

  /** Does what checks a password, as one that an address has under way. */
  async whileChecking<T>(address: string, check: () => Promise<T>): Promise<T> {
    this.#checking.set(address, (this.#checking.get(address) ?? 0) + 1);
    try {
      return await check();
    } finally {
      const others = this.#checking.get(address)! - 1;
      if (others === 0) this.#checking.delete(address);
      else this.#checking.set(address, others);
    }
  }

  /** Waits before a password of a user is checked; false when too many wait already. */
  beforeCheck(user: string): Promise<boolean> {
    const count = this.#recent(`user ${user}`)?.count ?? 0;
    return this.#wait("passwords", count < 2 * FREE_TRIES ? 0 : USER_MS_MAX);
  }

  /** Counts a wrong password. */
  wrongPassword(address: string, user: string): void {
    this.#count(`address ${address}`);
    this.#count(`user ${user}`);
    this.#count(ofBoth(address, user));
  }

  /**
   * Forgets a user, and his wrong tries from this address: the password was right. Those at other names stay:
   * whoever has a password of his own must not guess the others' by it.
   */
  rightPassword(address: string, user: string): void {
    const failures = this.#recent(`address ${address}`);
    if (failures !== undefined) {
      failures.count -= this.#recent(ofBoth(address, user))?.count ?? 0;
      if (failures.count <= 0) this.#failures.delete(`address ${address}`);
    }
    this.#failures.delete(ofBoth(address, user));
    this.#failures.delete(`user ${user}`);
  }

  /** Counts a wrong token, and waits before it is answered; false when too many wait already. */
  wrongToken(address: string): Promise<boolean> {
    const { count } = this.#count(`token ${address}`);
    const ms = count <= FREE_TRIES ? 0 : doubled(count - FREE_TRIES - 1, 100, TOKEN_MS_MAX);
    return this.#wait("tokens", ms);
  }

  /** Those with wrong tokens take no place of those who log in. */
  async #wait(kind: "passwords" | "tokens", ms: number): Promise<boolean> {
    if (ms === 0) return true;
    if (this.#waiting[kind] >= WAITING_MAX) return false;
    this.#waiting[kind]++;
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#waiting[kind]--;
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

/**
 * Whose guesses are counted together: an IPv4 address, or a network of IPv6, of which anybody who has one
 * address has 2⁶⁴.
 */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head, tail] = address.replace(/%.*/, "").split("::").map((part) =>
    part === "" ? [] : part.split(":")
  );
  const zeros = Math.max(0, 8 - head!.length - (tail?.length ?? 0));
  const groups = [...head!, ...Array<string>(zeros).fill("0"), ...tail ?? []];
  return `${groups.slice(0, 4).join(":")}::/64`;
}

function ofBoth(address: string, user: string): string {
  return `both ${address} ${user}`;
}

function doubled(times: number, first: number, most: number): number {
  return Math.min(most, first * 2 ** Math.min(times, 20));
}
