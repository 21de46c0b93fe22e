/** Which big keys are kept: the largest, a bounded number, for a day. */

import { assertEquals } from "@std/assert";
import { SeenBigKeys } from "../../../../src/router/hot_keys/big_keys.ts";
import type { SampledKey } from "../../../../src/router/sampling/sample.ts";

const DAY_MS = 24 * 3_600_000;

function keyOf(key: string): SampledKey {
  return { key, keyBytes: key.length, database: 0, slotId: 1, isWrite: false };
}

function seen(bytes: number, atMs = 1_000, isReply = true) {
  return { server: "s:1", command: "get", isReply, bytes, hasMoreKeys: false, atMs };
}

Deno.test("of each key the largest request and the largest reply are kept", () => {
  const big = new SeenBigKeys();
  for (const bytes of [40_000, 90_000, 50_000]) big.add(keyOf("a"), seen(bytes));
  big.add(keyOf("a"), seen(60_000, 1_000, false));
  big.add(keyOf("small"), seen(32_767));
  assertEquals(big.listed(2_000).map(({ key, bytes, isReply }) => [key, bytes, isReply]), [
    ["a", 90_000, true],
    ["a", 60_000, false],
  ]);
});

Deno.test("the list is bounded: the smallest makes room for a larger one", () => {
  const big = new SeenBigKeys();
  for (let i = 0; i < 1_000; i++) big.add(keyOf(`k${i}`), seen(40_000 + (i * 7_919) % 1_000));
  const bytes = big.listed(2_000).map((key) => key.bytes).sort((a, b) => b - a);
  assertEquals(bytes, Array.from({ length: 64 }, (_, i) => 40_999 - i));
});

Deno.test("what was seen a day ago is not shown, and makes room for anything newer", () => {
  const big = new SeenBigKeys();
  for (let i = 0; i < 64; i++) big.add(keyOf(`old${i}`), seen(5_000_000));
  big.add(keyOf("new"), seen(40_000, 2_000 + DAY_MS));
  big.add(keyOf("old1"), seen(50_000, 2_000 + DAY_MS));
  const listed = big.listed(2_000 + DAY_MS).map(({ key, bytes }) => [key, bytes]);
  assertEquals(listed, [["old1", 50_000], ["new", 40_000]]);
});
