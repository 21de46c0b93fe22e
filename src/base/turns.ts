/**
 * Turns: so many calls at a time, the others wait for theirs.
 *
 * @module
 */

/** First come, first served. */
export class Turns {
  readonly #most: number;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** Begins with `most` calls that may be made at a time. */
  constructor(most: number) {
    this.#most = this.#free = most;
  }

  /** Whether no call is made, nor waits. */
  get isFree(): boolean {
    return this.#free === this.#most;
  }

  /** Makes a call when its turn has come. */
  async take<T>(call: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    try {
      return await call();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
