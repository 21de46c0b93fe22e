/**
 * Waits between retries.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Backoff, backoffMs } from "../../../src/base/backoff.ts";

Deno.test("backoffMs() doubles up to its bound, however many retries there were", () => {
  const options = { firstMs: 50, maxMs: 1000, jitter: 0 };
  const waits = [0, 1, 2, 3, 4, 5, 5000].map((attempt) => backoffMs(attempt, options));
  assertEquals(waits, [50, 100, 200, 400, 800, 1000, 1000]);
});

Deno.test("backoffMs() leaves the jitter share to chance and never exceeds the wait", () => {
  const at = (chance: number) => backoffMs(1, { firstMs: 50, maxMs: 1000, random: () => chance });
  assertEquals(at(0), 100);
  assertEquals(at(0.5), 75);
  assert(at(0.999) > 50);
});

Deno.test("Backoff waits longer each time and starts over after reset()", () => {
  const backoff = new Backoff({ firstMs: 10, maxMs: 100, jitter: 0 });
  assertEquals([backoff.nextMs(), backoff.nextMs(), backoff.attempt], [10, 20, 2]);
  backoff.reset();
  assertEquals([backoff.attempt, backoff.nextMs()], [0, 10]);
});
