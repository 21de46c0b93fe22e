/**
 * Deadlines that are fair to a process that was paused.
 *
 * @module
 */

/** A timer that is this late says that the process did not run, in milliseconds. */
const PAUSE_MS = 100;

/** Time that it then gets to read what has arrived meanwhile, in milliseconds. */
const GRACE_MS = 50;

/**
 * Calls `late` after `ms`. When the whole process was paused, or busy, until then, timers come before
 * the answers that wait in its sockets: so those get a moment.
 *
 * @returns What ends the deadline.
 */
export function startDeadline(ms: number, late: () => void): () => void {
  const dueMs = performance.now() + ms;
  let timer = setTimeout(() => {
    if (performance.now() - dueMs < PAUSE_MS) late();
    else timer = setTimeout(late, GRACE_MS);
  }, Math.max(0, ms));
  return () => clearTimeout(timer);
}
