/**
 * Doing something again and again, without ever running over itself.
 *
 * @module
 */

import { SYSTEM_TIMERS, type Timers } from "./timers.ts";

/**
 * Does something `ms` milliseconds from now, and again `ms` after each time has ended. `setInterval`
 * would begin anew while the last time is still waiting for somebody who is slow.
 *
 * @param body Must not reject.
 * @returns What ends it; a time that is under way comes to its end.
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
