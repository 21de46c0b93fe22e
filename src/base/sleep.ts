/**
 * Waiting for a while, unless there is a reason to stop.
 *
 * @module
 */

import { delay } from "@std/async/delay";

/**
 * Resolves after `ms` milliseconds, or as soon as the signal is aborted: never rejects. Where there is
 * nothing to stop for, `delay` of the standard library is enough.
 */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return Promise.resolve();
  return delay(ms, { signal }).catch(() => {});
}
