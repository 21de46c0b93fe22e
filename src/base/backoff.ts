/**
 * How long to wait before trying again: exponential, bounded, jittered.
 *
 * @module
 */

/** The shape of a backoff. */
export interface BackoffOptions {
  /** Longest wait before the first retry. */
  readonly firstMs: number;
  /** Longest wait before any retry. */
  readonly maxMs: number;
  /** Share of a wait that is left to chance, 0 to 1, so that many waiters do not retry as one. @default 0.5 */
  readonly jitter?: number;
  /** Source of chance, 0 inclusive to 1 exclusive. @default Math.random */
  readonly random?: () => number;
}

/**
 * The wait before retry number `attempt`, counted from 0: doubles from `firstMs` up to `maxMs`, of
 * which the `jitter` share is random.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(backoffMs(3, { firstMs: 50, maxMs: 5000, jitter: 0 }), 400);
 * ```
 */
export function backoffMs(attempt: number, options: BackoffOptions): number {
  const { firstMs, maxMs, jitter = 0.5, random = Math.random } = options;
  // 2 ** 1024 is Infinity, and the bound takes care of it.
  const longestMs = Math.min(maxMs, firstMs * 2 ** attempt);
  return longestMs * (1 - jitter * random());
}

/** Counts the retries of one thing. */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempt = 0;

  /** Starts with no retry made. */
  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** How many retries were asked for since the last reset. */
  get attempt(): number {
    return this.#attempt;
  }

  /** The wait before the next retry, in milliseconds; each call waits longer. */
  nextMs(): number {
    return backoffMs(this.#attempt++, this.#options);
  }

  /** Forgets the retries; call it after a success. */
  reset(): void {
    this.#attempt = 0;
  }
}
