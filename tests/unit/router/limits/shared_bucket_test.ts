/**
 * What a bucket guarantees that several workers take from: over any time, no more than its rate, whoever takes.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { BUCKET_CELLS, SharedBucket } from "../../../../src/router/limits/shared_bucket.ts";

/** Buckets of two workers in the same memory. */
function pair(rate: number): [SharedBucket, SharedBucket] {
  const cells = new Int32Array(new SharedArrayBuffer(4 * BUCKET_CELLS));
  const buckets: [SharedBucket, SharedBucket] = [
    new SharedBucket(cells, 0),
    new SharedBucket(cells, 0),
  ];
  for (const bucket of buckets) bucket.rate = rate;
  return buckets;
}

/** Takes whenever something is left, for so long; how much was taken. */
function takeFor(buckets: readonly SharedBucket[], fromMs: number, ms: number, each = 1): number {
  let taken = 0;
  for (let now = fromMs; now < fromMs + ms; now++) {
    for (const bucket of buckets) {
      bucket.refill(now);
      while (bucket.balance > 0) {
        bucket.take(each);
        taken += each;
      }
    }
  }
  return taken;
}

Deno.test("two workers take together what one may", () => {
  for (const rate of [1, 3, 400, 100_000]) {
    const taken = takeFor(pair(rate), 1_000_000, 10_000);
    const most = rate * 10 + Math.max(1, rate / 10);
    assert(taken <= most && taken >= rate * 9.5 - 1, `${rate}/s: ${taken} in 10 s`);
  }
});

Deno.test("what is taken in one piece is paid for afterwards", () => {
  const buckets = pair(1_000);
  assert(takeFor(buckets, 1_000_000, 10_000, 2_500) <= 10_000 + 2_500 + 100);
  buckets[0].take(5_000);
  assert(buckets[1].waitMs >= 5_000);
});

Deno.test("no time between two requests brings in more than a tenth of a second's worth", () => {
  const [bucket] = pair(1_000);
  bucket.refill(1_000_000);
  bucket.refill(1_900_000);
  assertEquals(bucket.balance, 100);
});

Deno.test("a clock that is set back, or runs over 32 bits, stops nothing", () => {
  const buckets = pair(100);
  const overMs = 2 ** 32 / 100;
  takeFor(buckets, overMs - 500, 1_000);
  assert(takeFor(buckets, overMs + 500, 1_000) >= 90);
  takeFor(buckets, 1.5 * overMs - 500, 1_000);
  assert(takeFor(buckets, 1.5 * overMs + 500, 1_000) >= 90);
  buckets[0].refill(1_000_000);
  assert(takeFor(buckets, 1_000_000, 1_000) >= 90);
});

Deno.test("without a rate it is never empty; no debt runs over", () => {
  const [bucket] = pair(0);
  bucket.take(1e12);
  assertEquals(bucket.balance, Infinity);
  bucket.rate = 1;
  for (let i = 0; i < 10; i++) bucket.take(1e9);
  assert(bucket.balance < 0);
});
