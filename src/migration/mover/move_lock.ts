/**
 * A lock for each server: many moves to it may run at once, but some steps need that none does.
 *
 * @module
 */

/** The servers of one move, by address. */
interface Pair {
  readonly source: string;
  readonly target: string;
}

/**
 * The lock of one server. A caller that wants it alone waits for the moves that run; moves that come
 * later wait for that caller.
 */
export class MoveLock {
  /**
   * Whether copies may still arrive of moves that were given up. `unknown`: an earlier dashboard may
   * have left some.
   */
  lateCopies: "unknown" | "none" | "some";
  #moves = 0;
  #exclusive: Promise<unknown> = Promise.resolve();
  #isExclusive = false;
  #whenNoMoves: (() => void) | undefined;

  constructor(lateCopies: MoveLock["lateCopies"] = "none") {
    this.lateCopies = lateCopies;
  }

  /** Runs `body`, which sends keys to the server. */
  async shared<T>(body: () => Promise<T>): Promise<T> {
    while (this.#isExclusive) await this.#exclusive;
    this.#moves++;
    try {
      return await body();
    } finally {
      if (--this.#moves === 0) this.#whenNoMoves?.();
    }
  }

  /** Runs `body` while nothing is sent to the server. */
  async exclusive<T>(body: () => Promise<T>): Promise<T> {
    while (this.#isExclusive) await this.#exclusive;
    this.#isExclusive = true;
    const over = Promise.withResolvers<void>();
    this.#exclusive = over.promise;
    try {
      if (this.#moves > 0) await new Promise<void>((resolve) => this.#whenNoMoves = resolve);
      this.#whenNoMoves = undefined;
      return await body();
    } finally {
      this.#isExclusive = false;
      over.resolve();
    }
  }
}

/** Runs `body` while nothing is sent to either server of a pair. */
export function lockBoth<T>(
  moveLock: (addr: string) => MoveLock,
  { source, target }: Pair,
  body: () => Promise<T>,
): Promise<T> {
  // Always in the same order, so that two callers do not wait for each other.
  const [first, second] = [source, target].sort();
  return moveLock(first!).exclusive(() => moveLock(second!).exclusive(body));
}
