/**
 * Which keys a pattern of Redis's matches, as redis-server itself matches them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { matchesGlob } from "../../../src/acl/glob.ts";
import { latin1Bytes } from "../../../src/resp/latin1.ts";

Deno.test("a pattern matches what Redis's matches, its oddities included", () => {
  const cases: readonly (readonly [pattern: string, text: string, isMatch: boolean])[] = [
    ["", "", true],
    ["a", "a", true],
    ["a", "ab", false],
    ["*", "anything", true],
    ["*", "", false], // an empty text matches no star
    ["a*", "a", true],
    ["a**b", "axxb", true],
    ["*a*b", "xaxb", true],
    ["*a*b", "xaxbx", false],
    ["?", "", false],
    ["a?c", "abc", true],
    ["[ab]c", "bc", true],
    ["[^ab]c", "bc", false],
    ["[^ab]c", "xc", true],
    ["[a-c]", "b", true],
    ["[c-a]", "b", true], // a range in the wrong order is turned round
    ["[a", "a", true], // a set that nothing closes
    ["[]a", "a", false], // closed at once: it has nothing in it
    ["[\\]]", "]", true],
    ["\\*", "*", true],
    ["\\*", "a", false],
    ["a\\", "a\\", true],
    ["\xe9*", "\xe9x", true],
    ["[\x80-\xff]", "\xe9", true],
    ["[a-\xff]", "b", false], // bytes above 127 are negative numbers
  ];
  for (const [pattern, text, isMatch] of cases) {
    const bytes = latin1Bytes(`<${text}>`);
    const matches = matchesGlob(latin1Bytes(pattern), bytes, 1, bytes.length - 1);
    assertEquals(matches, isMatch, JSON.stringify([pattern, text]));
  }
});

Deno.test("a pattern made to take long does not", () => {
  const text = latin1Bytes("a".repeat(10_000));
  const pattern = latin1Bytes("a*".repeat(50) + "b");
  const started = performance.now();
  assertEquals(matchesGlob(pattern, text, 0, text.length), false);
  assertEquals(performance.now() - started < 1_000, true);
});
