/**
 * The times of the last one to two minutes, from counts since the start of the process.
 *
 * @module
 */

import { countsSince, type TimeCounts } from "../../base/histogram.ts";

/** How long it looks back at least, in milliseconds; twice as long at most. */
const RECENT_MS = 60_000;

/** What was counted a while ago, by key. */
interface Earlier {
  readonly atMs: number;
  readonly times: ReadonlyMap<string, TimeCounts>;
}
const NOTHING: Earlier = { atMs: -Infinity, times: new Map() };
/** By who asks: the reading that is compared with, and the one that will be next. */
const readings = new Map<string, readonly [from: Earlier, next: Earlier]>();

/**
 * What was counted lately.
 *
 * @param asker Each has readings of its own.
 * @param all Counts since the start, by key.
 */
export function recentTimes(
  asker: string,
  all: ReadonlyMap<string, TimeCounts>,
  nowMs: number,
): TimeCounts[] {
  let [from, next] = readings.get(asker) ?? [NOTHING, NOTHING];
  if (nowMs - next.atMs >= RECENT_MS) {
    [from, next] = [next, { atMs: nowMs, times: all }];
    readings.set(asker, [from, next]);
  }
  return [...all].map(([key, times]) => countsSince(times, from.times.get(key) ?? []));
}
