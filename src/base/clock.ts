/**
 * The monotonic clock, read once per read event instead of once per request; and the wall clock.
 *
 * @module
 */

/** A timer that fires this late means that the whole process was held up, in milliseconds. */
export const HELD_UP_MS = 100;

/** The data plane's time. `nowMs` only moves when `tick` is called. */
export const clock = {
  /** Milliseconds on the monotonic clock as of the last {@linkcode clock.tick}. */
  nowMs: performance.now(),
  /** A step of the clock from which on this process must have been paused; milliseconds. */
  pauseMs: Infinity,
  /** Called by the tick that finds such a step, before anything else happens after the pause. */
  onPause: (): void => {},
  /** Reads the clock; every handler of an I/O event does so first. */
  tick(): number {
    const nowMs = performance.now();
    const stepMs = nowMs - this.nowMs;
    this.nowMs = nowMs;
    if (stepMs > this.pauseMs) this.onPause();
    return nowMs;
  },
};

/**
 * The wall clock now, in microseconds since 1970. It follows the system's, steps included, as a Redis
 * server's TIME does; time of the monotonic clock is never added to it.
 */
export function wallClockUs(): bigint {
  return Temporal.Now.instant().epochNanoseconds / 1000n;
}
