/**
 * The keys of a request and what it does with each: reads it, writes it, both, or only asks about it.
 *
 * Where the key specifications do not fit the arguments, Redis falls back on its older functions, and so
 * does this: which key a user may name must not differ from a redis-server, also for requests that are
 * answered with an error anyway.
 *
 * @module
 */

import type { Command, KeySpec } from "../command/command.ts";
import type { Arguments } from "../resp/arguments.ts";
import { READ, WRITE } from "./selector.ts";

/** Keys of one request; one object serves request after request. */
export class AccessedKeys {
  count = 0;
  /** Argument indexes; only `count` of them are meant. */
  indexes: Int32Array = new Int32Array(64);
  /** What is done with each key: {@linkcode READ}, {@linkcode WRITE}, both or 0. */
  access: Uint8Array = new Uint8Array(64);

  /** Adds a key. */
  add(index: number, access: number): void {
    if (this.count === this.indexes.length) {
      const [indexes, given] = [this.indexes, this.access];
      this.indexes = new Int32Array(2 * indexes.length);
      this.indexes.set(indexes);
      this.access = new Uint8Array(2 * given.length);
      this.access.set(given);
    }
    this.indexes[this.count] = index;
    this.access[this.count++] = access;
  }
}

/** A specification in numbers. */
interface Rule {
  readonly access: number;
  /** Empty when the keys begin at a fixed index. */
  readonly keyword: string;
  readonly index: number;
  readonly isCounted: boolean;
  /** Whether it does not say where the keys are, or not where all are. */
  readonly isUnknown: boolean;
  readonly isIncomplete: boolean;
  readonly countOffset: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly step: number;
  readonly limit: number;
}

/** How the keys of a command are found. */
interface Finder {
  readonly rules: readonly Rule[];
  /** Whether the options decide what is done with the key. */
  readonly isVariable: boolean;
}

const FINDERS = new WeakMap<Command, Finder>();

function finderOf(command: Command): Finder {
  let finder = FINDERS.get(command);
  if (finder === undefined) {
    const specs = command.keySpecs.filter(({ flags }) => !flags.includes("not_key"));
    const isVariable = specs.some(({ flags }) => flags.includes("variable_flags"));
    FINDERS.set(command, finder = { rules: specs.map(ruleOf), isVariable });
  }
  return finder;
}

function ruleOf({ flags, begin_search: begin, find_keys: find }: KeySpec): Rule {
  const isCounted = find.type === "keynum";
  const range = find.type === "range" ? find.spec : { lastkey: 0, keystep: 1, limit: 0 };
  return {
    access: accessOf(flags),
    keyword: begin.type === "keyword" ? begin.spec.keyword.toLowerCase() : "",
    index: begin.type === "keyword"
      ? begin.spec.startfrom
      : begin.type === "index"
      ? begin.spec.index
      : 0,
    isCounted,
    isUnknown: begin.type === "unknown" || find.type === "unknown",
    isIncomplete: flags.includes("incomplete"),
    countOffset: isCounted ? find.spec.keynumidx : 0,
    firstOffset: isCounted ? find.spec.firstkey : 0,
    lastOffset: range.lastkey,
    step: isCounted ? find.spec.keystep : range.keystep,
    limit: range.limit,
  };
}

/** What key specifications of Redis 7 say at least; those of others say nothing of what is done. */
const SAID = ["RO", "RW", "OW", "RM"];

function accessOf(flags: readonly string[]): number {
  if (!flags.some((flag) => SAID.includes(flag))) return READ | WRITE;
  const isWritten = flags.some((flag) => ["insert", "delete", "update"].includes(flag));
  return (flags.includes("access") ? READ : 0) | (isWritten ? WRITE : 0);
}

/** Whether a command may name keys. */
export function hasKeys(command: Command): boolean {
  return finderOf(command).rules.length > 0;
}

/** Whether options decide what is done with the key. */
export function isAccessVariable(command: Command): boolean {
  return finderOf(command).isVariable;
}

/** All that is done with keys of a command, of whichever. */
export function accessOfAnyKey(command: Command): number {
  return finderOf(command).rules.reduce((all, { access }) => all | access, 0);
}

/** Writes the keys of a request to `out`. Borrows the arguments until it returns. */
export function findAccessedKeys(command: Command, args: Arguments, out: AccessedKeys): void {
  out.count = 0;
  const { rules, isVariable } = finderOf(command);
  if (!isVariable) {
    let isFound = true;
    for (const rule of rules) {
      if (!addKeys(rule, args, out)) {
        isFound = false;
        break;
      }
    }
    if (isFound) return;
    out.count = 0;
  }
  fallBack(command, rules, args, out);
}

/** Adds the keys of one rule; false when the arguments do not fit it. */
function addKeys(rule: Rule, args: Arguments, out: AccessedKeys): boolean {
  if (rule.isUnknown) return false;
  const { count } = args;
  let first = rule.index;
  if (rule.keyword !== "") {
    first = indexBehind(rule.keyword, args, rule.index);
    if (first === 0) return true; // an option that was not given
  }
  let last: number;
  if (rule.isCounted) {
    if (first + rule.countOffset >= count) return false;
    const keys = strictInteger(textOf(args, first + rule.countOffset));
    if (keys === null || keys < 0n) return false;
    first += rule.firstOffset;
    last = first + Number(BigInt.asIntN(32, keys)) - 1;
  } else if (rule.lastOffset >= 0) {
    last = first + rule.lastOffset;
  } else if (rule.limit === 0) {
    last = count + rule.lastOffset;
  } else {
    last = first + Math.trunc((count - first) / rule.limit) + rule.lastOffset;
  }
  if (last >= count || last < first || first >= count) return false;
  for (let i = first; i <= last; i += rule.step) out.add(i, rule.access);
  return !rule.isIncomplete;
}

/** The index behind a keyword; 0 when it is not there. Redis does not look at the last argument. */
function indexBehind(keyword: string, args: Arguments, from: number): number {
  const { count } = args;
  if (from > 0) {
    for (let i = from; i < count - 1; i++) if (isWord(args, i, keyword)) return i + 1;
    return 0;
  }
  for (let i = count + from; i > 1; i--) if (i < count && isWord(args, i, keyword)) return i + 1;
  return 0;
}

// -- what Redis falls back on ------------------------------------------------------------------

const READS_AND_WRITES = READ | WRITE;

function fallBack(
  { name }: Command,
  rules: readonly Rule[],
  args: Arguments,
  out: AccessedKeys,
): void {
  switch (name) {
    case "sort":
      return sortKeys(args, out);
    case "sort_ro":
      return out.add(1, READ);
    case "set":
      return out.add(1, hasOption(args, 3, "get") ? READS_AND_WRITES : WRITE);
    case "bitfield":
      return out.add(1, bitfieldOnlyReads(args) ? READ : READS_AND_WRITES);
    case "migrate":
      return migrateKeys(args, out);
    case "xread":
    case "xreadgroup":
      return; // where the rule does not fit, there is a syntax error and no key
  }
  const counted = rules.find(({ isCounted }) => isCounted);
  if (counted !== undefined) countedKeys(counted, rules[0] !== counted, args, out);
}

/** Keys behind a number that is read as loosely as C's atoi does; nothing is known of what is done with them. */
function countedKeys(
  rule: Rule,
  hasDestination: boolean,
  args: Arguments,
  out: AccessedKeys,
): void {
  const first = rule.index + rule.firstOffset;
  const digits = /^[ \t-\r]*([+-]?\d+)/.exec(textOf(args, rule.index + rule.countOffset));
  const keys = digits === null ? 0 : Number(BigInt.asIntN(32, BigInt(digits[1]!.replace("+", ""))));
  if (keys < 1 || keys > args.count - first) return;
  for (let i = 0; i < keys; i++) out.add(first + i, 0);
  if (hasDestination) out.add(1, 0);
}

function sortKeys(args: Arguments, out: AccessedKeys): void {
  out.add(1, READ);
  let store = 0;
  for (let i = 2; i < args.count; i++) {
    if (isWord(args, i, "limit")) i += 2;
    else if (isWord(args, i, "get") || isWord(args, i, "by")) i += 1;
    else if (i + 1 < args.count && isWord(args, i, "store")) store = i + 1;
  }
  if (store > 0) out.add(store, WRITE);
}

function bitfieldOnlyReads(args: Arguments): boolean {
  for (let i = 2; i < args.count; i++) {
    const left = args.count - i - 1;
    if (isWord(args, i, "get") && left >= 2) i += 2;
    else if (isWord(args, i, "overflow") && left >= 1) i += 1;
    else return false;
  }
  return true;
}

function migrateKeys(args: Arguments, out: AccessedKeys): void {
  let [first, last] = [3, 3];
  for (let i = 6; i < args.count; i++) {
    if (isWord(args, i, "keys")) {
      if (args.end(3) > args.start(3)) return; // a syntax error
      [first, last] = [i + 1, args.count - 1];
      break;
    }
    if (isWord(args, i, "auth")) i += 1;
    else if (isWord(args, i, "auth2")) i += 2;
  }
  for (let i = first; i <= last; i++) out.add(i, READS_AND_WRITES);
}

// -- arguments ---------------------------------------------------------------------------------

function hasOption(args: Arguments, from: number, word: string): boolean {
  for (let i = from; i < args.count; i++) if (isWord(args, i, word)) return true;
  return false;
}

/** Whether argument `i` is a word, given in lower case. */
export function isWord(args: Arguments, i: number, word: string): boolean {
  const start = args.start(i);
  if (args.end(i) - start !== word.length) return false;
  for (let at = 0; at < word.length; at++) {
    const byte = args.bytes[start + at]!;
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== word.charCodeAt(at)) return false;
  }
  return true;
}

/** Argument `i`, cut where no number is that long. */
function textOf(args: Arguments, i: number): string {
  const [start, end] = [args.start(i), args.end(i)];
  let text = "";
  for (let at = start; at < Math.min(end, start + 64); at++) {
    text += String.fromCharCode(args.bytes[at]!);
  }
  return text;
}

/** A number of 64 bits as strictly as Redis takes it; else null. */
function strictInteger(text: string): bigint | null {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return null;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? value : null;
}
