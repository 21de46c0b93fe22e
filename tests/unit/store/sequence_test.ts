/**
 * The order of names that are numbers.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { sortSequence } from "../../../src/store/sequence.ts";

Deno.test("sortSequence() orders by number, whatever the spelling, and keeps the spelling", () => {
  const names = ["10", "00000000000000006167", "9", "0000000012", "lock-1", "0", ""];
  assertEquals(sortSequence(names), ["0", "9", "10", "0000000012", "00000000000000006167"]);
});
