/**
 * The monotonic clock, read once per read event instead of once per request.
 *
 * @module
 */

/** The data plane's time. `nowMs` only moves when somebody calls `tick`. */
export const clock = {
  /** Milliseconds on the monotonic clock as of the last {@linkcode clock.tick}. */
  nowMs: performance.now(),
  /** Reads the clock; every handler of an I/O event does so first. */
  tick(): number {
    return this.nowMs = performance.now();
  },
};
