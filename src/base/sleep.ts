/**
 * Waiting for a while, unless there is a reason to stop; and for an answer, for no longer than a while.
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

/** What a promise resolves to; undefined when it rejects, or does not settle within `ms` milliseconds. */
export async function inTime<T>(answer: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([answer.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}
