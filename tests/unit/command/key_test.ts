/**
 * Keys are found in requests; `tests/integration/commands/command_keys_test.ts` compares with a
 * real Redis.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { findCommand } from "../../../src/command/command_table.ts";
import {
  BAD_ARGUMENTS,
  givesBlockingOption,
  KeyIndexes,
  keyIndexes,
} from "../../../src/command/key.ts";
import { argumentsOf, argumentsOfLine } from "../../support/arguments.ts";

function indexesOf(line: string): number[] | typeof BAD_ARGUMENTS {
  const args = argumentsOfLine(line);
  const out = new KeyIndexes();
  const count = keyIndexes(findCommand(args)!, args, out);
  return count < 0 ? BAD_ARGUMENTS : [...out.values.subarray(0, count)];
}

const CASES: readonly [line: string, indexes: number[] | typeof BAD_ARGUMENTS][] = [
  ["PING", []],
  ["GET k", [1]],
  ["MGET a b c", [1, 2, 3]],
  ["MSET a 1 b 2", [1, 3]],
  ["OBJECT ENCODING k", [2]],
  ["BITOP AND dst a b", [2, 3, 4]],
  ["SMOVE a b m", [1, 2]],
  ["SPUBLISH channel m", []],
  ["EVAL s 0 a", []],
  ["EVAL s 2 a b c", [3, 4]],
  ["EVAL s 2 a", BAD_ARGUMENTS],
  ["EVAL s x a", BAD_ARGUMENTS],
  ["EVAL s -1 a", BAD_ARGUMENTS],
  ["EVAL s 01 a", BAD_ARGUMENTS],
  ["EVAL s 99999999999999999999 a", BAD_ARGUMENTS],
  ['EVAL s "" a', BAD_ARGUMENTS],
  ["FCALL f 1 k v", [3]],
  ["XREAD COUNT 1 STREAMS a b 0 0", [4, 5]],
  ["XREADGROUP GROUP streams c STREAMS a 0", [5]],
  ["XREAD COUNT 1 BLOCK 0", []],
  ["ZUNIONSTORE d 2 a b WEIGHTS 1 2", [1, 3, 4]],
  ["ZINTER 2 a b", [2, 3]],
  ["LMPOP 1 a LEFT", [2]],
  ["SORT k BY store GET store STORE d", [1, 7]],
  ["SORT k STORE a STORE b", [1, 5]],
  ["SORT k STORE", [1]],
  ["SORT_RO k GET x", [1]],
  ["GEORADIUS k 1 2 3 m STORE a STOREDIST b", [1, 7, 9]],
  ['MIGRATE h 1 "" 0 9 AUTH keys KEYS a b', [9, 10]],
  ["MIGRATE h 1 k 0 9 COPY", [3]],
  ["MIGRATE h 1 k 0 9 KEYS a", BAD_ARGUMENTS],
  ["SLOTSRESTORE a 0 x b 0 y", [1, 4]],
];

Deno.test("keyIndexes finds the keys of every kind of command", () => {
  for (const [line, indexes] of CASES) assertEquals(indexesOf(line), indexes, line);
});

Deno.test("keyIndexes grows its room with the request and keeps what is there", () => {
  const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`);
  const out = new KeyIndexes();
  const args = argumentsOf("ZUNIONSTORE", "d", "1000", ...keys);
  assertEquals(keyIndexes(findCommand(args)!, args, out), 1001);
  assertEquals([...out.values.subarray(0, 3)], [1, 3, 4]);
  assertEquals(out.values[1000], 1002);
  const mget = argumentsOf("mget", ...keys);
  assertEquals(keyIndexes(findCommand(mget)!, mget, out), 1000);
});

Deno.test("givesBlockingOption sees BLOCK where it is an option and nowhere else", () => {
  const cases: [line: string, blocks: boolean][] = [
    ["XREAD BLOCK 0 STREAMS a 0", true],
    ["XREAD COUNT 2 block 100 STREAMS a 0", true],
    ["XREAD STREAMS block 0", false],
    ["XREADGROUP GROUP block block STREAMS a >", false],
    ["XREADGROUP GROUP g c COUNT 1 BLOCK 5 STREAMS a >", true],
    ["GET block", false],
  ];
  for (const [line, blocks] of cases) {
    const args = argumentsOfLine(line);
    assertEquals(givesBlockingOption(findCommand(args)!, args), blocks, line);
  }
});
