/**
 * The record of slot rules: which keys belong together. Codis 2.0 has none.
 *
 * @module
 */

import type { SlotRule } from "../hash/placement.ts";
import { decodeRecord, encodeRecord, listOf, recordOf, text } from "./record.ts";

/** What `slot_rules` holds. */
export interface SlotRulesRecord {
  /** The rules that are in force, in their order. */
  readonly rules: readonly SlotRule[] | null;
  /** While a change is being made, the rules that may come: proxies hold requests. Else `null`. */
  readonly pending: readonly SlotRule[] | null;
}

/** The stored form of one rule. */
export const SLOT_RULE_SHAPE = recordOf<SlotRule>({ pattern: text, tag: text });

/** The stored form of all rules. */
export const SLOT_RULES_SHAPE = recordOf<SlotRulesRecord>({
  rules: listOf(SLOT_RULE_SHAPE),
  pending: listOf(SLOT_RULE_SHAPE),
});

/** Most rules that a product may have. */
export const SLOT_RULES_MAX = 256;

/** Longest pattern and longest tag, in bytes. */
const TEXT_BYTES_MAX = 256;

/**
 * Reads rules from their JSON.
 *
 * @throws {RecordError} When they are not rules.
 */
export function decodeSlotRules(json: string): SlotRulesRecord {
  return decodeRecord(SLOT_RULES_SHAPE, json, "slot rules");
}

/** Writes the JSON of rules. */
export function encodeSlotRules(record: SlotRulesRecord): string {
  return encodeRecord(SLOT_RULES_SHAPE, record);
}

/** Whether two rules are the same. */
export function isSameRule(a: SlotRule, b: SlotRule): boolean {
  return a.pattern === b.pattern && a.tag === b.tag;
}

/** Whether two lists have the same rules in the same order. */
export function areSameRules(a: readonly SlotRule[], b: readonly SlotRule[]): boolean {
  return a.length === b.length && a.every((rule, i) => isSameRule(rule, b[i]!));
}

/** Why a rule cannot be one; empty when it can. */
export function ruleProblem({ pattern, tag }: SlotRule): string {
  const bytes = (text: string) => new TextEncoder().encode(text).length;
  if (pattern === "") return "a pattern must not be empty";
  if (pattern === "*") return "this would place every key in one slot";
  if (pattern.includes("**")) return 'a pattern must not have "**"';
  if (/[{}]/.test(pattern)) {
    return 'a pattern must not have "{" or "}": a key with a {tag} is placed by it, whatever rules say';
  }
  if (/[{}*]/.test(tag)) return 'a tag must not have "{", "}" or "*"';
  if (bytes(pattern) > TEXT_BYTES_MAX || bytes(tag) > TEXT_BYTES_MAX) {
    return `a pattern and a tag have at most ${TEXT_BYTES_MAX} bytes`;
  }
  if (tag === "" && !/\*[^*]+$/.test(pattern)) {
    return 'without a tag, a pattern must have a "*" and end with the separator behind it, such as ":" in ' +
      "bull:*: ; else name the tag of these keys";
  }
  return "";
}

/** A rule in words. */
export function describeRule({ pattern, tag }: SlotRule): string {
  // As JSON: patterns may have bytes that cannot be shown.
  const [shown, separator] = [pattern, pattern.split("*").at(-1)].map((text) =>
    JSON.stringify(text)
  );
  return tag === ""
    ? `${shown}, by the part of the key before ${separator}`
    : `${shown}, all in the slot of {${tag}}`;
}
