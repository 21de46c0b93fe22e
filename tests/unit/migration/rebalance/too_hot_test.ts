/** Which keys a plan by requests cannot help against. */

import { assertEquals } from "@std/assert";
import { tooHot } from "../../../../src/migration/rebalance/too_hot.ts";

const LOADS = [
  { group_id: 1, ops_before: 9_000, ops_after: 8_000 },
  { group_id: 2, ops_before: 1_000, ops_after: 2_000 },
];

function hot(key: string, slot: number, reads: number) {
  return {
    ...{ key, key_bytes: key.length, db: 0, slot, server: "s:1" },
    ...{ reads_per_second: reads, writes_per_second: 100, share: 0 },
  };
}

Deno.test("a key that alone gets more than a group's even part is named, with its part of the group", () => {
  const keys = [hot("top", 0, 6_200), hot("next", 1, 4_000), hot("other", 2, 900)];
  assertEquals(tooHot(LOADS, keys, [1, 1, 2]), [{ group_id: 1, key: "top", percent: 70 }]);
  assertEquals(tooHot(LOADS.slice(0, 1), [hot("top", 0, 9_000)], [1]), []);
});
