/**
 * What is known of the words of a command that blocks.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { findCommand } from "../../../../src/command/command_table.ts";
import { BlockForm, lastIdOf } from "../../../../src/router/blocking/block_form.ts";
import { argumentsOf } from "../../../support/arguments.ts";
import { textOf } from "../../../support/pieces.ts";

function formOf(line: string): BlockForm {
  const args = argumentsOf(...line.split(" "));
  return new BlockForm(findCommand(args)!, args);
}

/** The words of an encoded request. */
function wordsOf(request: Uint8Array): string {
  return textOf(request).split("\r\n").filter((_line, i) => i > 0 && i % 2 === 0).join(" ");
}

Deno.test("a command's time is found where its kind has it, and replaced there", () => {
  for (
    const [line, timeMs, shorter] of [
      ["BLPOP a b 5", 5000, "BLPOP a b 1.500"],
      ["BRPOP a 0", 0, "BRPOP a 1.500"],
      ["BRPOPLPUSH a b 2.5", 2500, "BRPOPLPUSH a b 1.500"],
      ["BLMOVE a b LEFT LEFT 1e1", 10_000, "BLMOVE a b LEFT LEFT 1.500"],
      ["BLMPOP 7 2 a b LEFT COUNT 3", 7000, "BLMPOP 1.500 2 a b LEFT COUNT 3"],
      ["BZMPOP 7 1 a MIN", 7000, "BZMPOP 1.500 1 a MIN"],
      ["XREAD COUNT 2 BLOCK 70 STREAMS a b 0 0", 70, "XREAD COUNT 2 BLOCK 1500 STREAMS a b 0 0"],
      ["XREAD BLOCK 1 BLOCK 2 STREAMS a 0", 2, "XREAD BLOCK 1 BLOCK 1500 STREAMS a 0"],
      [
        "XREADGROUP GROUP block block BLOCK 9 STREAMS block >",
        9,
        "XREADGROUP GROUP block block BLOCK 1500 STREAMS block >",
      ],
    ] as const
  ) {
    const form = formOf(line);
    assertEquals(form.timeMs, timeMs, line);
    assertEquals(wordsOf(form.encode()), line);
    assertEquals(wordsOf(form.encodeFor(1499.3, false)), shorter);
  }
});

Deno.test("a time is never 0, which is for ever, and whole where the server knows no parts", () => {
  assertEquals(wordsOf(formOf("BLPOP a 5").encodeFor(-3, false)), "BLPOP a 0.010");
  assertEquals(wordsOf(formOf("BLPOP a 5").encodeFor(0, true)), "BLPOP a 1");
  assertEquals(wordsOf(formOf("BLPOP a 5").encodeFor(1001, true)), "BLPOP a 2");
  assertEquals(
    wordsOf(formOf("XREAD BLOCK 5 STREAMS a 0").encodeFor(0, true)),
    "XREAD BLOCK 10 STREAMS a 0",
  );
});

Deno.test("only XREAD's $ stands for the last id, and only where an id is", () => {
  const keysOf = (line: string) => formOf(line).newEntries.map(({ key }) => textOf(key));
  assertEquals(keysOf("XREAD BLOCK 0 STREAMS a b c $ 0 $"), ["a", "c"]);
  assertEquals(keysOf("XREAD BLOCK 0 STREAMS $ 0"), []);
  assertEquals(keysOf("XREAD BLOCK 0 STREAMS a b $"), []);
  assertEquals(keysOf("XREADGROUP GROUP g c BLOCK 0 STREAMS a $"), []);
  const form = formOf("XREAD BLOCK 0 STREAMS a b $ $");
  form.putId(form.newEntries[1]!, "5-1");
  assertEquals(wordsOf(form.encode()), "XREAD BLOCK 0 STREAMS a b $ 5-1");
});

Deno.test("the last id is read from XINFO STREAM of any version, not from an entry", () => {
  const fields = (header: string, fields: string) => `${header}\r\n${fields}`;
  const id = "$17\r\nlast-generated-id\r\n$4\r\n12-3\r\n";
  const trap =
    "$11\r\nfirst-entry\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$17\r\nlast-generated-id\r\n$3\r\n9-9\r\n";
  assertEquals(lastIdOf(fields("*14", `$6\r\nlength\r\n:1\r\n${id}${trap}`)), "12-3");
  assertEquals(lastIdOf(fields("%7", `$6\r\nlength\r\n:1\r\n${id}${trap}`)), "12-3");
  assertEquals(lastIdOf("-ERR no such key\r\n"), "0-0");
  assertEquals(lastIdOf("-WRONGTYPE Operation against a key\r\n"), null);
});
