/**
 * A server's reply to COMMAND, as rows: Redis 7 and later say where keys are, and what subcommands there
 * are; Redis 2.8 to 6 only say first key, last key and step.
 *
 * @module
 */

import { parseReply, type ReplyValue } from "../resp/reply_value.ts";
import type { KeySpec } from "./command.ts";
import type { TableRow } from "./command_row.ts";

/** Names longer than this are not kept: no command has one. */
const NAME_CHARACTERS_MAX = 64;

/** Thrown for a reply that is not one of COMMAND's. */
export class CommandReplyError extends Error {
  override readonly name = "CommandReplyError";
}

/**
 * Reads a reply to COMMAND, in RESP2 or RESP3. Copies what it returns.
 *
 * @returns Its rows by name, subcommands (`container|word`) included, names in lower case.
 * @throws {CommandReplyError} When it is an error or not of that shape.
 */
export function readCommandReply(bytes: Uint8Array): Map<string, TableRow> {
  const rows = new Map<string, TableRow>();
  const value = decode(bytes);
  if (!Array.isArray(value)) throw new CommandReplyError("no list of commands");
  for (const command of value) addRows(rows, command);
  return rows;
}

function decode(bytes: Uint8Array): ReplyValue {
  try {
    return parseReply(bytes);
  } catch (error) {
    throw new CommandReplyError((error as Error).message);
  }
}

function addRows(rows: Map<string, TableRow>, value: ReplyValue): void {
  if (!Array.isArray(value)) return; // a null, for a command that has just gone
  const [name, arity, flags, first, last, step, categories, tips, specs, subcommands] = value;
  if (typeof name !== "string" || typeof arity !== "number" || !Array.isArray(flags)) {
    throw new CommandReplyError("a command without a name, an arity or flags");
  }
  const lower = name.toLowerCase();
  if (lower.length > NAME_CHARACTERS_MAX || !/^[!-~]+$/.test(lower)) return;
  const [firstKey, lastKey, keyStep] = [numberOf(first), numberOf(last), numberOf(step)];
  rows.set(lower, [
    lower,
    arity,
    wordsOf(flags),
    firstKey,
    lastKey,
    keyStep,
    wordsOf(categories),
    wordsOf(tips),
    Array.isArray(specs) ? specs.map(keySpecOf) : legacySpecs(firstKey, lastKey, keyStep),
  ]);
  if (Array.isArray(subcommands)) { for (const each of subcommands) addRows(rows, each); }
}

function numberOf(value: ReplyValue | undefined): number {
  return typeof value === "number" ? value : 0;
}

function wordsOf(value: ReplyValue | undefined): string {
  return Array.isArray(value) ? value.filter((word) => typeof word === "string").join(" ") : "";
}

/** What first key, last key and step say, as a specification. */
function legacySpecs(firstKey: number, lastKey: number, keyStep: number): KeySpec[] {
  if (firstKey <= 0 || keyStep <= 0) return [];
  return [{
    flags: [],
    begin_search: { type: "index", spec: { index: firstKey } },
    find_keys: {
      type: "range",
      spec: { lastkey: lastKey < 0 ? lastKey : lastKey - firstKey, keystep: keyStep, limit: 0 },
    },
  }];
}

const UNKNOWN: { type: "unknown"; spec: Record<string, never> } = { type: "unknown", spec: {} };

function keySpecOf(value: ReplyValue): KeySpec {
  const fields = fieldsOf(value);
  const begin = fieldsOf(fields.begin_search);
  const find = fieldsOf(fields.find_keys);
  const notes = fields.notes;
  return {
    ...(typeof notes === "string" ? { notes } : {}),
    flags: wordsOf(fields.flags).split(" ").filter((word) => word !== ""),
    begin_search: beginSearchOf(String(begin.type), fieldsOf(begin.spec)),
    find_keys: findKeysOf(String(find.type), fieldsOf(find.spec)),
  };
}

type Fields = Readonly<Record<string, ReplyValue | undefined>>;

function beginSearchOf(type: string, spec: Fields): KeySpec["begin_search"] {
  if (type === "index") return { type, spec: { index: numberOf(spec.index) } };
  if (type === "keyword" && typeof spec.keyword === "string") {
    return { type, spec: { keyword: spec.keyword, startfrom: numberOf(spec.startfrom) } };
  }
  return UNKNOWN;
}

function findKeysOf(type: string, spec: Fields): KeySpec["find_keys"] {
  const keystep = numberOf(spec.keystep);
  if (keystep <= 0) return UNKNOWN;
  if (type === "range") {
    const [lastkey, limit] = [numberOf(spec.lastkey), numberOf(spec.limit)];
    return { type, spec: { lastkey, keystep, limit } };
  }
  if (type === "keynum") {
    const [keynumidx, firstkey] = [numberOf(spec.keynumidx), numberOf(spec.firstkey)];
    return { type, spec: { keynumidx, firstkey, keystep } };
  }
  return UNKNOWN;
}

/** A map, which RESP2 gives as a list of names and values. */
function fieldsOf(value: ReplyValue | undefined): Fields {
  const fields: Record<string, ReplyValue> = Object.create(null);
  if (!Array.isArray(value)) return fields;
  for (let i = 0; i + 1 < value.length; i += 2) fields[String(value[i])] = value[i + 1]!;
  return fields;
}
