/**
 * How long the event loop of this thread is held up: a timer measures how late it is called.
 *
 * @module
 */

import type { Sample } from "./prometheus.ts";

/** Time between two calls of the timer, in milliseconds. */
const PERIOD_MS = 100;

/** Upper bounds of the buckets, in seconds; the last bucket has the rest. */
const BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5] as const;

/** What was measured so far: calls by how late they were, one bucket more than bounds; seconds in all. */
export interface LoopLag {
  readonly buckets: readonly number[];
  readonly seconds: number;
}

const buckets: number[] = new Array<number>(BOUNDS.length + 1).fill(0);
let seconds = 0;
let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** Measures in this thread until the result is called; several callers share one timer. */
export function measureLoopLag(): () => void {
  if (users++ === 0) {
    let dueMs = performance.now() + PERIOD_MS;
    timer = setInterval(() => {
      const nowMs = performance.now();
      const late = Math.max(0, nowMs - dueMs) / 1000;
      dueMs = nowMs + PERIOD_MS;
      const bucket = BOUNDS.findIndex((bound) => late <= bound);
      buckets[bucket < 0 ? BOUNDS.length : bucket]!++;
      seconds += late;
    }, PERIOD_MS);
    // It must not keep a process alive.
    (timer as { unref(): void }).unref();
  }
  let isEnded = false;
  return () => {
    if (isEnded) return;
    isEnded = true;
    if (--users === 0) clearInterval(timer);
  };
}

/** What was measured in this thread. */
export function loopLag(): LoopLag {
  return { buckets: [...buckets], seconds };
}

/** What several threads have measured together. */
export function sumLoopLags(lags: readonly LoopLag[]): LoopLag {
  return {
    buckets: buckets.map((_, k) => lags.reduce((sum, lag) => sum + lag.buckets[k]!, 0)),
    seconds: lags.reduce((sum, lag) => sum + lag.seconds, 0),
  };
}

/** The samples of a histogram for Prometheus. */
export function* loopLagSamples(lag: LoopLag): Generator<Sample> {
  let below = 0;
  for (const [k, count] of lag.buckets.entries()) {
    below += count;
    yield [{ le: BOUNDS[k] ?? "+Inf" }, below, "_bucket"];
  }
  yield [{}, lag.seconds, "_sum"];
  yield [{}, below, "_count"];
}
