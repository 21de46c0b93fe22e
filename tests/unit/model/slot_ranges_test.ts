/**
 * Many slots are shown as few ranges, in logs, on the command line and on the page.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { rangesText, slotRanges, slotsText } from "../../../src/model/slot_ranges.js";

Deno.test("slots that are alike and next to each other are one range", () => {
  assertEquals(slotRanges([7, 1, 3, 2]), [{ from: 1, to: 3 }, { from: 7, to: 7 }]);
  assertEquals(slotRanges([]), []);
  const owners = [1, 1, 2, 2, 1];
  assertEquals(slotRanges(owners.keys(), (a, b) => owners[a] === owners[b]), [
    { from: 0, to: 1 },
    { from: 2, to: 3 },
    { from: 4, to: 4 },
  ]);
});

Deno.test("a text names the first ranges and counts the others", () => {
  assertEquals(slotsText([5]), "slot 5");
  assertEquals(slotsText([1023, 0, 1, 2, 7]), "slots 0-2, 7, 1023");
  const scattered = Array.from({ length: 100 }, (_, i) => i * 2);
  assertEquals(rangesText(scattered), "0, 2, 4, 6, 8, 10, 12, 14 and 92 more ranges");
  assertEquals(rangesText(scattered.slice(0, 9)), "0, 2, 4, 6, 8, 10, 12, 14 and 1 more range");
});
