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

Deno.test("keys that must be read again come as they were named, in any database, some at a time", () => {
  const marks = new KeyMarks();
  const keys = [[], [58], [0, 58, 255, 13, 10], [49, 58, 50]].map((bytes) =>
    Uint8Array.from(bytes)
  );
  for (const key of keys) {
    marks.add(0, key);
    marks.add(15, key);
  }
  const batches = [...marks.dirty(3)];
  assertEquals(batches.map((batch) => batch.length), [3, 3, 2]);
  const expected = keys.flatMap((key) => [0, 15].map((database) => ({ database, key })));
  assertEquals(batches.flat(), expected);
  for (const key of expected) marks.wasRead(key, 7);
  assertEquals(marks.dirtyCount, 0);
  marks.redoNewer();
  assertEquals([...marks.dirty(100)].flat(), expected);
});
