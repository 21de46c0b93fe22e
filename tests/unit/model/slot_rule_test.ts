/**
 * Slot rules in words.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { describeRule } from "../../../src/model/slot_rule.ts";

Deno.test("a rule in words shows bytes that have no sign", () => {
  assertEquals(
    describeRule({ pattern: "*\x06\x16", tag: "" }),
    String.raw`"*\u0006\u0016", by the part of the key before "\u0006\u0016"`,
  );
  assertEquals(describeRule({ pattern: "rq:*", tag: "rq" }), '"rq:*", all in the slot of {rq}');
});
