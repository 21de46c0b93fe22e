/**
 * What the hash tag rule guarantees.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { tagEnd, tagStart } from "../../../src/hash/hash_tag.ts";

/** The bytes that decide where a key lives, by Codis's own examples. */
const CASES: readonly [key: string, hashed: string][] = [
  ["abc", "abc"],
  ["{}x", ""],
  ["a{}b{c}", ""],
  ["{{{abc1}abc2}", "{{abc1"],
  ["abc1{abc2{abc3}", "abc2{abc3"],
  ["{{}{{abc", "{"],
  ["abc}{abc", "abc}{abc"],
  ["abc}{123}456", "123"],
  ["{", "{"],
  ["", ""],
];

Deno.test("a key is placed by its first closed tag, the empty one included", () => {
  for (const [key, hashed] of CASES) {
    const bytes = new TextEncoder().encode(key);
    const start = tagStart(bytes, 0, bytes.length);
    const end = start < 0 ? -1 : tagEnd(bytes, start, bytes.length);
    const found = end < 0 ? bytes : bytes.subarray(start, end);
    assertEquals(new TextDecoder().decode(found), hashed, `key ${JSON.stringify(key)}`);
  }
});
