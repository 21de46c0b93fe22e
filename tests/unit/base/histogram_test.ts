/** The histogram of times: its buckets, and its percentiles beside those of all the times sorted. */

import { assert, assertEquals } from "@std/assert";
import {
  bucketEndUs,
  bucketOf,
  countsSince,
  countUpTo,
  Histogram,
  HISTOGRAM_BUCKETS,
  PERCENTILES,
  percentileUs,
  sumCounts,
  totalCount,
} from "../../../src/base/histogram.ts";

Deno.test("every time falls into the bucket that ends behind it", () => {
  for (let us = 0; us < 200_000; us++) {
    const bucket = bucketOf(us);
    assert(us < bucketEndUs(bucket), `${us} µs`);
    assert(bucket === 0 || us >= bucketEndUs(bucket - 1), `${us} µs`);
  }
  assertEquals(bucketOf(1e15), HISTOGRAM_BUCKETS - 1);
  assertEquals(bucketOf(-1), 0);
  assertEquals(bucketOf(0.4), 0);
});

/** Times as they are met with: many short ones, few that are a thousand times as long. */
function* times(kind: string, count: number): Generator<number> {
  let seed = 1;
  const random = () => (seed = seed * 48_271 % 2_147_483_647) / 2_147_483_647;
  for (let i = 0; i < count; i++) {
    if (kind === "even") yield random() * 50_000;
    else if (kind === "two hills") yield random() < 0.99 ? 80 + random() * 40 : 20_000 + random();
    else yield 50 * (1 - random()) ** -1.2; // a long tail
  }
}

Deno.test("percentiles up to 99.99 are never below the exact ones, and at most 3.2 % above", () => {
  for (const kind of ["even", "two hills", "long tail"]) {
    const histogram = new Histogram();
    const all = Float64Array.from(times(kind, 200_000));
    for (const us of all) histogram.add(us);
    all.sort();
    const counts = histogram.counts();
    for (const share of PERCENTILES) {
      const exact = Math.floor(all[Math.ceil(all.length * share) - 1]!);
      const own = percentileUs(counts, share)!;
      assert(own >= exact && own <= exact * 1.032 + 1, `${kind} ${share}: ${own}, exact ${exact}`);
    }
    assertEquals(totalCount(counts), all.length);
  }
});

Deno.test("counts are added up, compared, and cut at a limit", () => {
  const [a, b] = [new Histogram(), new Histogram()];
  for (const us of [1, 2, 100]) a.add(us);
  for (const us of [2, 5_000]) b.add(us);
  const sum = sumCounts([a.counts(), b.counts()]);
  assertEquals([totalCount(sum), countUpTo(sum, 2), countUpTo(sum, 200), countUpTo(sum, 1e6)], [
    5,
    3,
    4,
    5,
  ]);
  const before = a.counts();
  a.add(7);
  assertEquals(percentileUs(countsSince(a.counts(), before), 0.5), 7);
  a.reset();
  assertEquals([totalCount(a.counts()), a.sumUs], [0, 0]);
  assertEquals(percentileUs([], 0.5), null);
});

Deno.test("times that follow one another count the same as in any order", () => {
  const [runs, mixed] = [new Histogram(), new Histogram()];
  for (const us of [0, 0, 0, 7, 7, 900, 7, 0]) runs.add(us);
  for (const us of [7, 0, 900, 0, 7, 0, 7, 0]) mixed.add(us);
  assertEquals(runs.counts(), mixed.counts());
  assertEquals([runs.sumUs, totalCount(runs.counts())], [921, 8]);
  assertEquals(mixed.sumUs, 921);
  runs.add(0);
  runs.reset();
  assertEquals([runs.sumUs, totalCount(runs.counts())], [0, 0]);
  runs.add(0);
  assertEquals([runs.sumUs, totalCount(runs.counts())], [0, 1]);
});
