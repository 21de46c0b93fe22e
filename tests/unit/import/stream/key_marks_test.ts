/**
 * Keys that must be read again, and those whose value is newer than the changes that come.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { KeyMarks } from "../../../../src/import/stream/key_marks.ts";

const KEY = new TextEncoder().encode("k");

Deno.test("a change is not made to a key that is dirty, or that has it already", () => {
  const marks = new KeyMarks();
  const has = (offset: number, database = 0) => marks.has(offset, database, KEY, 0, 1);
  assertEquals([marks.isEmpty, has(1)], [true, false]);
  marks.add(0, KEY);
  assertEquals([has(1), has(1, 3), marks.dirtyCount], [true, false, 1]);
  marks.wasRead({ database: 0, key: KEY }, 50);
  assertEquals([has(50), has(51), marks.dirtyCount, marks.newestOffset], [true, false, 0, 50]);
  marks.passed(49);
  assertEquals(has(50), true);
  marks.passed(50);
  assertEquals([has(50), marks.isEmpty], [false, true]);
});
