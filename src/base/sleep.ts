/**
 * Waiting for a while, unless there is a reason to stop.
 *
 * @module
 */

import { SYSTEM_TIMERS, type Timers } from "./timers.ts";

/**
 * Resolves after `ms` milliseconds, or as soon as the signal is aborted; never rejects. Where nothing
 * can stop the wait, `delay` of the standard library is enough.
 */
export function sleep(
  ms: number,
  signal: AbortSignal,
  timers: Timers = SYSTEM_TIMERS,
): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = timers.after(ms, end);
    signal.addEventListener("abort", end);
  });
}
