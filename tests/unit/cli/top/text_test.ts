/**
 * Pieces of text: as wide as asked for, and harmless.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  barOf,
  cutText,
  fitText,
  levelsOf,
  plainText,
  renderLine,
  widthOf,
  wrapLine,
} from "../../../../src/cli/top/text.ts";

Deno.test("texts are cut and filled by columns, not by characters", () => {
  assertEquals(fitText("abc", 5), "abc  ");
  assertEquals(fitText("abc", 5, true), "  abc");
  assertEquals(cutText("abcdef", 4), "abc…");
  assertEquals(cutText("日本語", 4), "日…");
  assertEquals(widthOf(fitText("日本語", 4)), 4);
  assertEquals(cutText("abc", 0), "");
});

Deno.test("nothing that controls a terminal is written, but our own styles", () => {
  const line = [["\x1b[31m\x9b2J\x07\u202e\u2028\ud800", "bad"]] as const;
  assertEquals(plainText(line), "?[31m?2J????");
  const look = { hasColours: false, hasBlocks: true };
  assertEquals(renderLine(line, look), "?[31m?2J????");
  assertEquals(
    renderLine([["a\x1bb", "good"]], { ...look, hasColours: true }),
    "\x1b[32ma?b\x1b[39m",
  );
});

Deno.test("a terminal without blocks gets ASCII for what we draw", () => {
  const look = { hasColours: false, hasBlocks: false };
  const text = `${barOf(0.5, 4)}${levelsOf([0, 1, 8])}1 → 2…é`;
  assertEquals(renderLine([[text]], look), "##.. .#1 > 2~é");
});

Deno.test("a long last piece goes on below itself", () => {
  const line = [["  name  ", "dim"], ["one two three", "bad"]] as const;
  assertEquals(wrapLine(line, 15).map(plainText), ["  name  one two", "        three"]);
  assertEquals(wrapLine([["  "], ["abcdefgh"]], 5).map(plainText), ["  abc", "  def", "  gh"]);
  assertEquals(wrapLine([["short"]], 5).map(plainText), ["short"]);
});

Deno.test("levels and bars stay in their bounds", () => {
  assertEquals(levelsOf([]), "");
  assertEquals(levelsOf([0, 0]), "  ");
  assertEquals(levelsOf([1, 2]), "▅█");
  assertEquals([barOf(-1, 3), barOf(2, 3), barOf(NaN, 3)].map(widthOf), [3, 3, 3]);
});
