/**
 * What a comparison of secrets guarantees: equal is equal, whatever the lengths, and nothing else is.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { isSameSecret, Secret } from "../../../src/base/secret.ts";

Deno.test("isSameSecret() is true for the same text only", () => {
  const long = "x".repeat(5_000);
  for (const secret of ["", "a", "sésame", long]) assertEquals(isSameSecret(secret, secret), true);
  const different = [["", "a"], ["a", ""], ["a", "ab"], ["ab", "a"], ["ab", "aB"], ["a\0", "a"], [
    `${long}a`,
    `${long}b`,
  ]] as const;
  for (const [given, right] of different) assertEquals(isSameSecret(given, right), false, given);
});

Deno.test("Secret does not show its value when it is printed", () => {
  const secret = new Secret("sesame");
  assertEquals([`${secret}`, JSON.stringify({ secret }), Deno.inspect(secret)], [
    "***",
    '{"secret":"***"}',
    "***",
  ]);
  assertEquals(secret.reveal(), "sesame");
});
