/**
 * Where keys are placed: by their tag, by a slot rule, or by the whole key. The one place that decides.
 *
 *      {tag} in the key ─────────────► the tag's slot          Redis Cluster's own rule, always first
 *      a rule matches ── with a tag ─► the slot of that tag
 *                     └─ without ────► the slot of the part before what the pattern ends with
 *      else ─────────────────────────► the whole key's slot
 *
 * Rules are tried in their order; the first that matches counts. Keys of which no rule begins with the
 * same byte cost one look at a table. Without rules nothing is looked at.
 *
 * @module
 */

import { crc32 } from "./crc32.ts";
import { tagEnd, tagStart } from "./hash_tag.ts";
import { keyHashOf, SLOT_COUNT } from "./slot_id.ts";

/** Which keys belong together. */
export interface SlotRule {
  /**
   * What keys look like. A `*` stands for any bytes up to what follows it; at the end of the pattern, for
   * the rest of the key. With a tag the pattern describes the whole key. Without one it describes how keys
   * begin, and ends with a separator.
   */
  readonly pattern: string;
  /**
   * Keys are placed as if they carried this tag; `""`: as if the part before the separator were their tag.
   * A key that consists of this part alone is in the same slot.
   */
  readonly tag: string;
}

const SLOT_MASK = SLOT_COUNT - 1;

/** A rule, ready to be compared with keys. */
interface CompiledRule {
  readonly rule: SlotRule;
  /** What stands between the `*` of the pattern; the last one is empty when it ends with `*`. */
  readonly literals: readonly Uint8Array[];
  /** Whether the key must end where the pattern ends. */
  readonly isWhole: boolean;
  /** Checksum of the tag; null: of what stands before the separator. */
  readonly tagHash: number | null;
  /** Bytes of the separator. */
  readonly separator: number;
}

/** See the header. Rules are replaced as a whole. */
export class Placement {
  /** Grows with every change of the rules. */
  generation = 0;
  #rules: readonly SlotRule[] = [];
  /** Rules by the first byte of the keys that they match; null while there are none. */
  #byFirstByte: readonly (readonly CompiledRule[] | null)[] | null = null;

  /** Places keys by `rules`. */
  constructor(rules: readonly SlotRule[] = []) {
    if (rules.length > 0) this.setRules(rules);
  }

  /** The rules, in their order. */
  get rules(): readonly SlotRule[] {
    return this.#rules;
  }

  /** Places keys by other rules from now on. */
  setRules(rules: readonly SlotRule[]): void {
    this.generation++;
    this.#rules = rules;
    if (rules.length === 0) {
      this.#byFirstByte = null;
      return;
    }
    const table: (CompiledRule[] | null)[] = Array.from({ length: 256 }, () => null);
    for (const rule of rules) {
      const compiled = compile(rule);
      const first = compiled.literals[0]![0];
      // A pattern that begins with `*` is tried for every key.
      if (first !== undefined) (table[first] ??= []).push(compiled);
      else for (let byte = 0; byte < 256; byte++) (table[byte] ??= []).push(compiled);
    }
    this.#byFirstByte = table;
  }

  /** The slot id of the key `bytes[start..end)`. Borrows `bytes` until it returns; allocates nothing. */
  slotIdOf(bytes: Uint8Array, start: number, end: number): number {
    return this.hashOf(bytes, start, end) & SLOT_MASK;
  }

  /**
   * The checksum by which the key `bytes[start..end)` is placed, whose lowest bits are the slot, as a
   * signed integer. Borrows `bytes` until it returns.
   */
  hashOf(bytes: Uint8Array, start: number, end: number): number {
    const table = this.#byFirstByte;
    if (table === null) return keyHashOf(bytes, start, end);
    const rules = start < end ? table[bytes[start]!]! : null;
    return rules === null ? keyHashOf(bytes, start, end) : hashByRules(rules, bytes, start, end);
  }

  /** The rule by which the key `bytes[start..end)` is placed, and the tag it is placed by; null: none. */
  explain(
    bytes: Uint8Array,
    start: number,
    end: number,
  ): { readonly rule: SlotRule; readonly part: Uint8Array } | null {
    const rules = this.#byFirstByte?.[bytes[start] ?? 0] ?? null;
    if (rules === null || start >= end || hasTag(bytes, start, end)) return null;
    for (const compiled of rules) {
      const at = matchEnd(compiled, bytes, start, end);
      if (at < 0) continue;
      const { rule, separator } = compiled;
      const part = rule.tag === ""
        ? bytes.subarray(start, at - separator)
        : new TextEncoder().encode(rule.tag);
      return { rule, part };
    }
    return null;
  }
}

function hashByRules(
  rules: readonly CompiledRule[],
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i]!;
    const at = matchEnd(rule, bytes, start, end);
    if (at < 0) continue;
    if (hasTag(bytes, start, end)) break;
    return rule.tagHash ?? crc32(bytes, start, at - rule.separator) | 0;
  }
  return keyHashOf(bytes, start, end);
}

/** Where what a rule matches ends; -1 when it does not match. Each `*` takes as little as it can. */
function matchEnd(rule: CompiledRule, bytes: Uint8Array, start: number, end: number): number {
  const { literals, isWhole } = rule;
  const last = literals.length - 1;
  if (!isAt(literals[0]!, bytes, start, end)) return -1;
  let at = start + literals[0]!.length;
  for (let i = 1; i <= last; i++) {
    const literal = literals[i]!;
    if (literal.length === 0) return end; // the pattern ends with `*`
    if (i === last && isWhole) {
      // The last piece must be the end of the key, however often it occurs before.
      const from = end - literal.length;
      return from >= at && isAt(literal, bytes, from, end) ? end : -1;
    }
    while (at + literal.length <= end && !isAt(literal, bytes, at, end)) at++;
    if (at + literal.length > end) return -1;
    at += literal.length;
  }
  return isWhole && at !== end ? -1 : at;
}

function isAt(literal: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean {
  if (at + literal.length > end) return false;
  for (let i = 0; i < literal.length; i++) if (bytes[at + i] !== literal[i]) return false;
  return true;
}

function hasTag(bytes: Uint8Array, start: number, end: number): boolean {
  const tag = tagStart(bytes, start, end);
  return tag >= 0 && tagEnd(bytes, tag, end) >= 0;
}

function compile(rule: SlotRule): CompiledRule {
  const encoder = new TextEncoder();
  const tag = encoder.encode(rule.tag);
  const literals = rule.pattern.split("*").map((text) => encoder.encode(text));
  return {
    rule,
    literals,
    separator: literals.at(-1)!.length,
    isWhole: rule.tag !== "",
    tagHash: rule.tag === "" ? null : crc32(tag, 0, tag.length) | 0,
  };
}
