/**
 * What Redis Cluster's slot of a key guarantees.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { clusterSlotOf } from "../../../src/hash/crc16.ts";

/** As redis-server 7.0.15 answers CLUSTER KEYSLOT. */
const CASES: readonly [key: string, slot: number][] = [
  ["", 0],
  ["a", 15495],
  ["x", 16287],
  ["123456789", 12739],
  ["{a}b", 15495],
  ["b{a}", 15495],
  ["{a}{x}", 15495],
  ["{}a", 10875],
  ["{a", 10276],
  ["a}", 5921],
];

Deno.test("clusterSlotOf() is CLUSTER KEYSLOT of Redis", () => {
  for (const [key, slot] of CASES) {
    const bytes = new TextEncoder().encode(`-${key}-`);
    assertEquals(clusterSlotOf(bytes, 1, bytes.length - 1), slot, `key ${JSON.stringify(key)}`);
  }
});
