/**
 * Placement by slot rules, compared with a plain implementation on texts.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { crc32 } from "../../../src/hash/crc32.ts";
import { Placement, type SlotRule } from "../../../src/hash/placement.ts";
import { SLOT_COUNT, slotIdOf } from "../../../src/hash/slot_id.ts";
import { ruleProblem } from "../../../src/model/slot_rule.ts";

const encoder = new TextEncoder();

function slotOf(placement: Placement, key: string): number {
  const bytes = encoder.encode(`<<${key}>>`);
  return placement.slotIdOf(bytes, 2, bytes.length - 2);
}

function plainSlot(key: string): number {
  const bytes = encoder.encode(key);
  return slotIdOf(bytes, 0, bytes.length);
}

function tagSlot(tag: string): number {
  const bytes = encoder.encode(tag);
  return crc32(bytes, 0, bytes.length) & (SLOT_COUNT - 1);
}

/** The slot as the rules are documented: by regular expressions. */
function slotByTheBook(rules: readonly SlotRule[], key: string): number {
  if (/\{[^}]*\}/.test(key)) return plainSlot(key);
  for (const { pattern, tag } of rules) {
    const source = pattern.split("*").map((text) => text.replace(/[^\w]/g, "\\$&"));
    const isOpen = tag === "" && !pattern.endsWith("*");
    const body = source.map((text, i) => {
      const isLast = i === source.length - 1;
      if (isLast) return text;
      return text + (source[i + 1] === "" ? "[^]*" : "[^]*?");
    }).join("");
    const match = new RegExp(`^${body}${isOpen ? "" : "$"}`).exec(key);
    if (match === null) continue;
    return tagSlot(tag === "" ? match[0].slice(0, -pattern.split("*").at(-1)!.length) : tag);
  }
  return plainSlot(key);
}

const letters = (max: number, min = 0) =>
  fc.string({ unit: fc.constantFrom("a", "b", ":", "é"), minLength: min, maxLength: max });
const ruleArbitrary = fc.record({
  pattern: fc.tuple(letters(3), fc.array(letters(3, 1), { maxLength: 2 }), fc.boolean())
    .map(([first, more, isOpen]) => [first, ...more].join("*") + (isOpen ? "*" : "")),
  tag: fc.constantFrom("", "x", "y"),
}).filter((rule) => ruleProblem(rule) === "");
const keyArbitrary = fc.string({
  unit: fc.constantFrom("a", "b", ":", "é", "{", "}"),
  maxLength: 12,
});

Deno.test("any rules place any key as they are documented", () => {
  fc.assert(
    fc.property(fc.array(ruleArbitrary, { maxLength: 4 }), keyArbitrary, (rules, key) => {
      assertEquals(slotOf(new Placement(rules), key), slotByTheBook(rules, key));
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("explain names the rule by which a key is placed, and nothing for a key without one", () => {
  fc.assert(
    fc.property(fc.array(ruleArbitrary, { maxLength: 4 }), keyArbitrary, (rules, key) => {
      const placement = new Placement(rules);
      const bytes = encoder.encode(key);
      const found = placement.explain(bytes, 0, bytes.length);
      if (found === null) return assertEquals(slotOf(placement, key), plainSlot(key));
      assertEquals(slotOf(placement, key), tagSlot(new TextDecoder().decode(found.part)));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a rule without a tag keeps what shares its beginning in one slot", () => {
  const placement = new Placement([{ pattern: "bull:*:", tag: "" }]);
  const wanted = plainSlot("bull:mail");
  for (
    const key of ["bull:mail:wait", "bull:mail:1", "bull:mail:", "bull:mail:1:logs", "bull:mail"]
  ) assertEquals(slotOf(placement, key), wanted, key);
  assertNotEquals(slotOf(placement, "bull:sms:wait"), wanted);
  assertEquals(slotOf(placement, "other:mail:wait"), plainSlot("other:mail:wait"));
});

Deno.test("a pattern that begins with a * keeps what differs behind a separator together", () => {
  const placement = new Placement([{ pattern: "*\x06\x16", tag: "" }]);
  for (const key of ["celery", "celery\x06\x163", "celery\x06\x169"]) {
    assertEquals(slotOf(placement, key), plainSlot("celery"), key);
  }
});

Deno.test("a rule with a tag matches whole keys only", () => {
  const placement = new Placement([{ pattern: "rq:*", tag: "rq" }, { pattern: "job", tag: "rq" }]);
  for (const key of ["rq:", "rq:job:1", "rq:queues", "job"]) {
    assertEquals(slotOf(placement, key), plainSlot("rq"), key);
  }
  for (const key of ["rq", "jobs", "my:rq:1", ""]) {
    assertEquals(slotOf(placement, key), plainSlot(key), key);
  }
});

Deno.test("the first rule that matches counts, and a {tag} in the key comes before all rules", () => {
  const placement = new Placement([
    { pattern: "a:b*", tag: "first" },
    { pattern: "a:*", tag: "second" },
  ]);
  assertEquals(slotOf(placement, "a:bc"), plainSlot("first"));
  assertEquals(slotOf(placement, "a:c"), plainSlot("second"));
  assertEquals(slotOf(placement, "a:{x}"), plainSlot("x"));
  assertEquals(slotOf(placement, "a:{}"), plainSlot("{}"));
  assertEquals(slotOf(placement, "a:{x"), plainSlot("second"), "a brace that is not closed");
});

Deno.test("a change of rules is in force at once, and has a number of its own", () => {
  const placement = new Placement();
  const before = placement.generation;
  placement.setRules([{ pattern: "a*", tag: "x" }]);
  assertEquals(slotOf(placement, "abc"), plainSlot("x"));
  placement.setRules([]);
  assertEquals(slotOf(placement, "abc"), plainSlot("abc"));
  assert(placement.generation > before + 1);
});
