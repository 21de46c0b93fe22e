/**
 * Doing something again and again, never twice at a time.
 *
 * @module
 */

import { SYSTEM_TIMERS, type Timers } from "./timers.ts";

/**
 * Does something `ms` milliseconds from now, and again `ms` after each time has ended. `setInterval`
 * would begin anew while the last time still waits for something slow.
 *
 * @param body Must not reject.
 * @returns What ends it; a time that is under way is not cut short.
 */
export function repeat(
  ms: number,
  body: () => void | Promise<void>,
  timers: Timers = SYSTEM_TIMERS,
): () => void {
  let isEnded = false;
  let cancel: () => void;
  const next = () => {
    cancel = timers.after(ms, async () => {
      await body();
      if (!isEnded) next();
    });
  };
  next();
  return () => {
    isEnded = true;
    cancel();
  };
}
