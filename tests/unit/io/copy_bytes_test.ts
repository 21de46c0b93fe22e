/**
 * A copy has exactly the bytes of its span, wherever they come from and go to, and changes nothing beside them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { copyBytes, copyViewed, sourceViewOf, viewOf } from "../../../src/io/copy_bytes.ts";

const UNTOUCHED = 0xee;
/** Lengths on either side of every limit: a word, the loop's and the words' longest. */
const LENGTHS = [...Array.from({ length: 40 }, (_, i) => i), 71, 127, 128, 129, 255, 256, 257, 999];
const PLACES = [0, 1, 3, 8, 13];

/** Bytes of which no two neighbours are the same; a view into memory that begins before them. */
function memory(length: number): Uint8Array {
  return new Uint8Array(length + 5).map((_, i) => i * 31 + (i >> 8)).subarray(5);
}

type Copy = (to: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number) => void;

const COPIES: Readonly<Record<string, Copy>> = {
  copyBytes,
  "copyViewed, with a view of the source": (to, at, bytes, start, end) =>
    copyViewed(to, viewOf(to), at, bytes, viewOf(bytes), start, end),
  "copyViewed, without one": (to, at, bytes, start, end) =>
    copyViewed(to, viewOf(to), at, bytes, null, start, end),
};

for (const [name, copy] of Object.entries(COPIES)) {
  Deno.test(`${name} copies the span and nothing else, at any place and of any length`, () => {
    const bytes = memory(1_100);
    for (const length of LENGTHS) {
      for (const start of PLACES) {
        for (const at of PLACES) {
          const to = memory(1_100).fill(UNTOUCHED);
          copy(to, at, bytes, start, start + length);
          const expected = new Uint8Array(1_100).fill(UNTOUCHED);
          expected.set(bytes.subarray(start, start + length), at);
          assertEquals(to, expected, `${length} bytes from ${start} to ${at}`);
        }
      }
    }
  });
}

Deno.test("bit patterns that are no numbers are copied as they are", () => {
  const bytes = new Uint8Array(64).fill(0xff);
  bytes.set([1, 0, 0, 0, 0, 0, 0xf0, 0x7f, 1, 0, 0, 0, 0, 0, 0xf4, 0xff]); // signalling NaNs
  const to = new Uint8Array(64);
  copyViewed(to, viewOf(to), 0, bytes, viewOf(bytes), 0, 64);
  assertEquals(to, bytes);
});

Deno.test("a view is of the memory that is copied from, and is not made for a few spans", () => {
  const one = memory(100);
  const other = memory(100);
  assertEquals([sourceViewOf(one), sourceViewOf(other), sourceViewOf(one)], [null, null, null]);
  sourceViewOf(one);
  const view = sourceViewOf(one)!;
  assertEquals([view.byteOffset, view.byteLength], [5, 100]);
  assertEquals(view.buffer === one.buffer && sourceViewOf(one) === view, true);
  assertEquals(sourceViewOf(other), null);
});
