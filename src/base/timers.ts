/**
 * Timers and their clock as one value that can be handed in, so that a test need not wait.
 *
 * @module
 */

/** The monotonic clock, and timers that run by it. */
export interface Timers {
  /** The time on the monotonic clock, in milliseconds. */
  nowMs(): number;
  /**
   * Calls `body` once, `ms` milliseconds from now.
   *
   * @returns A function that cancels the call.
   */
  after(ms: number, body: () => void): () => void;
}

/** The runtime's own timers. */
export const SYSTEM_TIMERS: Timers = {
  nowMs: () => performance.now(),
  after(ms, body) {
    const timer = setTimeout(body, ms);
    return () => clearTimeout(timer);
  },
};
