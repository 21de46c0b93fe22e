/**
 * Trying again what needs the coordinator, until it works or there is no reason to go on.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { sleep } from "../../base/sleep.ts";
import type { Timers } from "../../base/timers.ts";
import { ClosedError } from "../../coordinator/errors.ts";

/** Waits between two tries, in milliseconds. */
export const RETRY = { firstMs: 100, maxMs: 5_000 };

/** When tries end, and by which timers they wait. */
export interface RetryOptions {
  readonly signal: AbortSignal;
  readonly timers: Timers;
  /** Asked before each try. @default Always true. */
  readonly isWanted?: () => boolean;
}

/**
 * Runs `body` again and again until it does not throw.
 *
 * @param onFailure Called with each error that is followed by another try.
 * @returns Whether it worked; not when the coordinator was closed, or it was not wanted any more.
 */
export async function retry(
  body: () => Promise<unknown>,
  onFailure: (error: unknown) => void,
  { signal, timers, isWanted = () => true }: RetryOptions,
): Promise<boolean> {
  const backoff = new Backoff(RETRY);
  while (!signal.aborted && isWanted()) {
    try {
      await body();
      return true;
    } catch (error) {
      if (error instanceof ClosedError) return false;
      onFailure(error);
      await sleep(backoff.nextMs(), signal, timers);
    }
  }
  return false;
}
