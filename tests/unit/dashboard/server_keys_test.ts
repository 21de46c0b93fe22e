/**
 * How far a SCAN is, told from its cursor.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { fractionOf } from "../../../src/dashboard/server_keys.ts";
import { slotsText } from "../../../src/dashboard/slot_runs.ts";

Deno.test("the cursors of a SCAN tell that it goes from beginning to end", () => {
  // A table of 16: the cursors that Redis gives, one bucket after the other.
  const cursors = [8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15];
  assertEquals(cursors.map((cursor) => fractionOf(`${cursor}`) * 16), cursors.map((_, i) => i + 1));
  const large = fractionOf("18446744073709551615");
  assert(large > 0.999 && large <= 1);
  assertEquals(fractionOf("0"), 0);
});

Deno.test("many slots are told of in few words", () => {
  assertEquals(slotsText([5]), "slot 5");
  assertEquals(slotsText([1023, 0, 1, 2, 7]), "slots 0-2, 7, 1023");
  const scattered = Array.from({ length: 100 }, (_, i) => i * 2);
  assertEquals(slotsText(scattered), "slots 0, 2, 4, 6, 8, 10, 12, 14 and 92 runs more");
});
