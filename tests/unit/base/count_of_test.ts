/**
 * What texts call one of something, and what several.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { countOf } from "../../../src/base/count_of.ts";

Deno.test("one of something is called so, none and several are not", () => {
  assertEquals([0, 1, 2].map((count) => countOf(count, "slot")), ["0 slots", "1 slot", "2 slots"]);
  assertEquals(countOf(1, "entry", "entries"), "1 entry");
  assertEquals(countOf(2, "entry", "entries"), "2 entries");
});
