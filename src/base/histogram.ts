/**
 * The one histogram of times: log-linear, as HdrHistogram, in fixed memory.
 *
 *     µs:       0 1 2 … 63 | 64 66 68 … 126 | 128 132 … 252 | … | 2^27
 *     a bucket: 1 µs wide  | 2 µs           | 4 µs          | …   the last one has all that is longer
 *
 * A bucket is at most a 32nd of its values wide, so a percentile is at most 3.2 % above the exact one, and
 * never below.
 *
 * @module
 */

/** Buckets for each doubling. */
const STEPS = 32;
const STEP_BITS = 5;
/** The longest time that is told apart, in microseconds: two minutes. */
const USECS_MAX = 2 ** 27 - 1;
/** How many buckets there are. */
export const HISTOGRAM_BUCKETS = bucketOf(USECS_MAX) + 1;

/** Times by bucket, without the empty ones at the end: what is sent, stored and added up. */
export type TimeCounts = readonly number[];

/** The percentiles that are shown everywhere, as shares. */
export const PERCENTILES = [0.5, 0.9, 0.99, 0.999, 0.9999] as const;

/** The bucket of a time in microseconds. */
export function bucketOf(usecs: number): number {
  const whole = usecs < USECS_MAX ? usecs | 0 : USECS_MAX;
  if (whole < STEPS) return whole < 0 ? 0 : whole;
  const shift = 31 - STEP_BITS - Math.clz32(whole);
  return shift * STEPS + (whole >> shift);
}

/** The time below which all times of a bucket are, in microseconds. */
export function bucketEndUs(bucket: number): number {
  const shift = Math.max(0, Math.floor(bucket / STEPS) - 1);
  return (bucket - shift * STEPS + 1) * 2 ** shift;
}

/**
 * Counts times; see the drawing above. What is answered together took equally long: equal times that follow one
 * another are counted at once.
 */
export class Histogram {
  #sumUs = 0;
  readonly #counts = new Float64Array(HISTOGRAM_BUCKETS);
  /** The time that came last, and how often it has come and is not counted yet. */
  #lastUs = 0;
  #repeats = 0;

  /** Counts one time in microseconds. */
  add(usecs: number): void {
    if (usecs !== this.#lastUs) this.#begin(usecs);
    this.#repeats++;
  }

  #begin(usecs: number): void {
    this.#settle();
    this.#lastUs = usecs;
  }

  #settle(): void {
    this.#counts[bucketOf(this.#lastUs)]! += this.#repeats;
    this.#sumUs += this.#lastUs * this.#repeats;
    this.#repeats = 0;
  }

  /** All times together, in microseconds. */
  get sumUs(): number {
    this.#settle();
    return this.#sumUs;
  }

  /** What was counted so far. */
  counts(): TimeCounts {
    this.#settle();
    const counts = this.#counts;
    let length = counts.length;
    while (length > 0 && counts[length - 1] === 0) length--;
    return Array.from(counts.subarray(0, length));
  }

  /** Counts from zero again. */
  reset(): void {
    this.#counts.fill(0);
    this.#sumUs = this.#repeats = 0;
  }
}

/** Several counts as one. */
export function sumCounts(all: Iterable<TimeCounts>): TimeCounts {
  const sum: number[] = [];
  for (const counts of all) {
    for (let i = 0; i < counts.length; i++) sum[i] = (sum[i] ?? 0) + counts[i]!;
  }
  return sum;
}

/** What was counted since an earlier reading; never less than nothing, where counting began anew. */
export function countsSince(now: TimeCounts, before: TimeCounts): TimeCounts {
  return now.map((count, i) => Math.max(0, count - (before[i] ?? 0)));
}

/** How many times there are. */
export function totalCount(counts: TimeCounts): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}

/** How many times are at most this long, as far as buckets tell: those of a bucket that ends by then. */
export function countUpTo(counts: TimeCounts, usecs: number): number {
  let total = 0;
  for (let i = 0; i < counts.length && bucketEndUs(i) <= usecs + 1; i++) total += counts[i]!;
  return total;
}

/**
 * The time in microseconds that this share of all times is within; null when there are none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const times = new Histogram();
 * for (const usecs of [10, 20, 30, 2_000]) times.add(usecs);
 * assertEquals(percentileUs(times.counts(), 0.5), 20);
 * ```
 */
export function percentileUs(counts: TimeCounts, share: number): number | null {
  const total = totalCount(counts);
  if (total === 0) return null;
  const wanted = Math.max(1, Math.ceil(total * share - 1e-9));
  let seen = 0;
  const bucket = counts.findIndex((count) => (seen += count) >= wanted);
  return bucketEndUs(bucket) - 1;
}

/** As {@linkcode percentileUs}, in milliseconds. */
export function percentileMs(counts: TimeCounts, share: number): number | null {
  const usecs = percentileUs(counts, share);
  return usecs === null ? null : usecs / 1000;
}
