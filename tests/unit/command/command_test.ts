/**
 * What the rows of the command table guarantee.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { arityMatches } from "../../../src/command/command.ts";
import { findByName } from "../../../src/command/command_table.ts";

Deno.test("arityMatches wants the exact count, or at least the count of a negative arity", () => {
  const get = findByName("get")!;
  assertEquals([1, 2, 3].map((count) => arityMatches(get, count)), [false, true, false]);
  const mget = findByName("mget")!;
  assertEquals([1, 2, 99].map((count) => arityMatches(mget, count)), [false, true, true]);
});
