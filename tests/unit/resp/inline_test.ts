/**
 * Inline commands follow Redis's rules for quotes.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { splitInline } from "../../../src/resp/inline.ts";
import { latin1, textOf } from "../../support/pieces.ts";

/** A line and its words; null where its quotes are unbalanced. */
const LINES: readonly (readonly [name: string, line: string, words: string[] | null])[] = [
  ["an empty line has no words", "", []],
  ["a line of blanks has no words", " \t\v\f\r ", []],
  ["words are separated by runs of blanks", " a  b\tc \t d ", ["a", "b", "c", "d"]],
  ["vertical tabs and form feeds separate no words, but are skipped before one", "a\vb \f c\f", [
    "a\vb",
    "c\f",
  ]],
  ["double quotes keep blanks", `set "a b" c`, ["set", "a b", "c"]],
  ["single quotes keep blanks", `set 'a b' c`, ["set", "a b", "c"]],
  ["empty quotes are an empty word", `"" ''`, ["", ""]],
  ["quotes may begin in the middle of a word and then end it", `a"b c" d`, ["ab c", "d"]],
  ["a closing quote is followed by a blank of any kind", `"a"\vb`, ["a", "b"]],
  ["double quotes know \\n \\r \\t \\b \\a", `"\\n\\r\\t\\b\\a"`, ["\n\r\t\b\x07"]],
  ["double quotes know \\x and two hexadecimal digits", `"\\x00\\xfF\\x41"`, ["\x00\xffA"]],
  ["\\x without two digits is an x", `"\\xg1 \\x1"`, ["xg1 x1"]],
  ["another letter after a backslash is itself", `"\\q\\"\\\\"`, [`q"\\`]],
  ["single quotes know \\' alone", `'it\\'s \\n'`, ["it's \\n"]],
  ["a quote of the other kind is a letter", `"it's" 'say "x"'`, ["it's", `say "x"`]],
  ["without quotes a backslash is a letter", "a\\nb", ["a\\nb"]],
  ["bytes of any value are kept", "\x80\xff é", ["\x80\xff", "é"]],
  ["a NUL byte ends the line", "a b\0 c", ["a", "b"]],
  ["a line that begins with NUL is empty", "\0a b", []],
  ["a double quote without end is an error", `"a`, null],
  ["a single quote without end is an error", `'a`, null],
  ["a lone quote is an error", `a "`, null],
  ["an escaped quote does not end", `"a\\"`, null],
  ["a backslash at the end does not help", `"a\\`, null],
  ["a closing quote before a letter is an error", `"a"b`, null],
  ["a closing quote before a quote is an error", `"a""b"`, null],
  ["a NUL byte between quotes is an error", `"a\0b"`, null],
];

for (const [name, line, words] of LINES) {
  Deno.test(`splitInline() finds that ${name}`, () => {
    // Foreign bytes around the line must not be looked at.
    const bytes = latin1(`"x ${line}"y z`);
    const inline = splitInline(bytes, 3, 3 + line.length);
    if (inline === null) {
      assertEquals(inline, words);
      return;
    }
    const found = Array.from(
      { length: inline.count },
      (_, i) => textOf(inline.bytes.subarray(inline.spans[2 * i], inline.spans[2 * i + 1])),
    );
    assertEquals(found, words);
  });
}

Deno.test("splitInline() encodes the words as the array that a client library would send", () => {
  const line = latin1(`SET "a key" ''`);
  const { bytes } = splitInline(line, 0, line.length)!;
  assertEquals(textOf(bytes), "*3\r\n$3\r\nSET\r\n$5\r\na key\r\n$0\r\n\r\n");
});

Deno.test("splitInline() finds every word of the longest line", () => {
  const line = latin1("a ".repeat(32_000));
  assertEquals(splitInline(line, 0, line.length)!.count, 32_000);
});
