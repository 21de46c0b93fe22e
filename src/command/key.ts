/**
 * Where the keys of a request are: Redis's key specifications, applied to its arguments.
 *
 * @module
 */

import type { Arguments } from "../resp/arguments.ts";
import { latin1 } from "../resp/latin1.ts";
import type { Command, KeyRule } from "./command.ts";

/** Argument indexes of a request's keys; one object serves request after request. */
export class KeyIndexes {
  /** The indexes; only as many as `keyIndexes` returned are meant. Replaced when it grows. */
  values: Int32Array = new Int32Array(64);

  /** Grows to `count` indexes and keeps the existing ones. */
  reserve(count: number): void {
    if (count <= this.values.length) return;
    const grown = new Int32Array(Math.max(count, this.values.length * 2));
    grown.set(this.values);
    this.values = grown;
  }
}

/** Returned by {@linkcode keyIndexes} for arguments whose keys cannot be found. */
export const BAD_ARGUMENTS = -1;

/**
 * Writes the argument indexes of a request's keys to `out`, in the order Redis gives them. The
 * arity must have been checked. Borrows the arguments until it returns; allocates only when `out`
 * has to grow.
 *
 * @returns How many keys there are, or {@linkcode BAD_ARGUMENTS} when the arguments do not parse,
 * such as a key count that is no number or more than there are arguments; Redis answers such a
 * request with an error.
 */
export function keyIndexes(command: Command, args: Arguments, out: KeyIndexes): number {
  if (command.keyPlaces === "none") return 0;
  if (command.keyPlaces === "static") return staticKeys(command, args, out);
  const incomplete = INCOMPLETE[command.name];
  if (incomplete !== undefined) return incomplete(args, out);
  let count = 0;
  for (const rule of command.keyRules) {
    count = movableKeys(rule, args, out, count);
    if (count < 0) return BAD_ARGUMENTS;
  }
  return count;
}

function staticKeys(command: Command, args: Arguments, out: KeyIndexes): number {
  const last = command.lastKey < 0 ? args.count + command.lastKey : command.lastKey;
  if (last >= args.count) return BAD_ARGUMENTS;
  out.reserve(args.count);
  let count = 0;
  for (let i = command.firstKey; i <= last; i += command.keyStep) out.values[count++] = i;
  return count;
}

// -- movable keys --

/** Appends the keys of one rule after the `count` that are there; returns the new count. */
function movableKeys(rule: KeyRule, args: Arguments, out: KeyIndexes, count: number): number {
  let first = rule.index;
  if (rule.keyword.length > 0) {
    first = indexAfter(rule.keyword, args, rule.index);
    if (first < 0) return count; // an option that was not given
  }
  let last: number;
  if (rule.isCounted) {
    const keyCount = readCount(args, first + rule.countOffset);
    if (keyCount < 0) return BAD_ARGUMENTS;
    first += rule.firstOffset;
    last = first + (keyCount - 1) * rule.step;
  } else if (rule.lastOffset >= 0) {
    last = first + rule.lastOffset;
  } else if (rule.limit <= 1) {
    last = args.count + rule.lastOffset;
  } else {
    last = first + Math.floor((args.count - first) / rule.limit) + rule.lastOffset;
  }
  if (last >= args.count) return BAD_ARGUMENTS;
  out.reserve(count + Math.max(0, last - first + 1));
  for (let i = first; i <= last; i += rule.step) out.values[count++] = i;
  return count;
}

/**
 * The argument with the number of keys, if it is invalid for Redis 7 but valid for earlier servers, such as
 * `+1` or `01`; else 0. Borrows the arguments until it returns.
 */
export function looseCountIndex(command: Command, args: Arguments): number {
  const rule = command.keyRules.find(({ isCounted }) => isCounted);
  const i = rule === undefined ? 0 : rule.index + rule.countOffset;
  if (i === 0 || i >= args.count || readCount(args, i) >= 0) return 0;
  const text = new TextDecoder().decode(args.bytes.subarray(args.start(i), args.end(i)));
  return /^\s*[+-]?0*\d{1,9}$/.test(text) && Number(text) >= 0 ? i : 0;
}

function indexAfter(word: Uint8Array, args: Arguments, from: number): number {
  for (let i = from; i < args.count; i++) if (isArgument(args, i, word)) return i + 1;
  return -1;
}

/** Whether argument `i` is this word, given in lower case. */
function isArgument(args: Arguments, i: number, word: Uint8Array): boolean {
  const start = args.start(i);
  if (args.end(i) - start !== word.length) return false;
  for (let at = 0; at < word.length; at++) {
    const byte = args.bytes[start + at]!;
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== word[at]) return false;
  }
  return true;
}

/** Reads a key count as strictly as Redis does: digits without sign or leading zero; else -1. */
function readCount(args: Arguments, i: number): number {
  if (i >= args.count) return -1;
  const start = args.start(i);
  const length = args.end(i) - start;
  if (length === 0 || length > 9) return -1; // a request cannot have that many arguments
  let count = 0;
  for (let at = start; at < start + length; at++) {
    const digit = args.bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    count = count * 10 + digit;
  }
  return length > 1 && args.bytes[start] === 0x30 ? -1 : count;
}

// -- commands whose specifications are incomplete --

const word = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What Redis itself does for SORT, SORT_RO and MIGRATE (sortGetKeys and so on in db.c). */
const INCOMPLETE: Readonly<Record<string, (args: Arguments, out: KeyIndexes) => number>> = {
  sort: sortKeys,
  sort_ro: (_args, out) => oneKey(1, out),
  migrate: migrateKeys,
};

function oneKey(index: number, out: KeyIndexes): number {
  out.values[0] = index;
  return 1;
}

const LIMIT = word("limit");
const GET = word("get");
const BY = word("by");
const STORE = word("store");

function sortKeys(args: Arguments, out: KeyIndexes): number {
  let count = oneKey(1, out);
  for (let i = 2; i < args.count; i++) {
    if (isArgument(args, i, LIMIT)) i += 2;
    else if (isArgument(args, i, GET) || isArgument(args, i, BY)) i += 1;
    else if (i + 1 < args.count && isArgument(args, i, STORE)) {
      out.values[1] = i + 1; // SORT uses the last STORE when there are several
      count = 2;
    }
  }
  return count;
}

const KEYS = word("keys");
const AUTH = word("auth");
const AUTH2 = word("auth2");

function migrateKeys(args: Arguments, out: KeyIndexes): number {
  for (let i = 6; i < args.count; i++) {
    if (isArgument(args, i, AUTH)) i += 1;
    else if (isArgument(args, i, AUTH2)) i += 2;
    else if (isArgument(args, i, KEYS)) {
      if (args.end(3) > args.start(3)) return BAD_ARGUMENTS; // KEYS wants an empty key argument
      out.reserve(args.count);
      let count = 0;
      for (let key = i + 1; key < args.count; key++) out.values[count++] = key;
      return count;
    }
  }
  return oneKey(3, out);
}

// -- other databases --

const DB = word("db");

/**
 * The database in which a request uses its keys, too: where MOVE, and COPY with DB, put one. -1: there is
 * none, or the server will refuse the number. Borrows the arguments until it returns.
 */
export function otherDatabase({ name }: Pick<Command, "name">, args: Arguments): number {
  if (name === "move") return databaseAt(args, 2);
  if (name !== "copy") return -1;
  let database = -1;
  for (let i = 3; i + 1 < args.count; i++) {
    if (isArgument(args, i, DB)) database = databaseAt(args, ++i);
  }
  return database;
}

function databaseAt(args: Arguments, index: number): number {
  const text = latin1(args.bytes, args.start(index), args.end(index));
  return /^\d{1,3}$/.test(text) ? Number(text) : -1;
}

// -- options that block --

const STREAMS = word("streams");
const COUNT = word("count");
const GROUP = word("group");
const BLOCK = word("block");

/** Whether a request of a command that `isBlocking` blocks: always, or with its option. */
export function blocks(command: Command, args: Arguments): boolean {
  return command.blockingOption === "" || givesBlockingOption(command, args);
}

/**
 * Whether a request of a command with a `blockingOption` has that option: XREAD and XREADGROUP with BLOCK.
 * Borrows the arguments until it returns; allocates nothing.
 */
export function givesBlockingOption(command: Command, args: Arguments): boolean {
  if (command.blockingOption === "") return false;
  for (let i = 1; i < args.count; i++) {
    if (isArgument(args, i, BLOCK)) return true;
    if (isArgument(args, i, STREAMS)) return false; // what follows are keys and ids
    if (isArgument(args, i, COUNT)) i += 1;
    else if (isArgument(args, i, GROUP)) i += 2;
  }
  return false;
}
