/**
 * Doing something again and again, without ever running over itself.
 *
 * @module
 */

/**
 * Does something `ms` milliseconds from now, and again `ms` after each time has ended. `setInterval`
 * would begin anew while the last time is still waiting for somebody who is slow.
 *
 * @param body Must not reject.
 * @returns What ends it; a time that is under way comes to its end.
 */
export function repeat(ms: number, body: () => void | Promise<void>): () => void {
  let isEnded = false;
  let timer: ReturnType<typeof setTimeout>;
  const next = () => {
    timer = setTimeout(async () => {
      await body();
      if (!isEnded) next();
    }, ms);
  };
  next();
  return () => {
    isEnded = true;
    clearTimeout(timer);
  };
}
