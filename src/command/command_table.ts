/**
 * All commands of the proxy, and the lookup of a row by the bytes of a request.
 *
 * @module
 */

import type { Arguments } from "../resp/arguments.ts";
import { ADDED_ROWS } from "./codis_commands.ts";
import type { Command, Origin } from "./command.ts";
import { buildCommand, type TableRow } from "./command_row.ts";
import { buildHandling } from "./handling.ts";
import redisRows from "./table.json" with { type: "json" };

/** Every row: Redis 7.0.15's in alphabetical order, then the added ones. */
export const COMMANDS: readonly Command[] = buildCommands();

const BY_NAME: ReadonlyMap<string, Command> = new Map(COMMANDS.map((row) => [row.name, row]));

/**
 * Finds a row by its name, as in `get` or `client|kill`.
 *
 * @param name The name in lower case.
 */
export function findByName(name: string): Command | undefined {
  return BY_NAME.get(name);
}

function buildCommands(): Command[] {
  const sources: [Origin, TableRow][] = [
    ...(redisRows as unknown as TableRow[]).map((row): [Origin, TableRow] => ["redis", row]),
    ...ADDED_ROWS.map(({ origin, row }): [Origin, TableRow] => [origin, row]),
  ];
  const children = new Map<string, number[]>();
  for (const [id, [, [name]]] of sources.entries()) {
    const bar = name.indexOf("|");
    if (bar < 0) continue;
    const container = name.slice(0, bar);
    children.set(container, [...(children.get(container) ?? []), id]);
  }
  const handling = buildHandling();
  return sources.map(([origin, row], id) =>
    buildCommand({ id, origin, row, subcommands: children.get(row[0]) ?? [] }, handling.get(row[0]))
  );
}

// -- lookup --

/** Entries of the open-addressed table: a power of two, at most a quarter filled. */
const LOOKUP_SIZE = 2048;
/** A row is kept as its id + 1; 0 is an empty entry. */
const LOOKUP = new Int16Array(LOOKUP_SIZE);
/** The word of each row (a subcommand's own one), one after the other. */
const WORDS: Uint8Array = new TextEncoder().encode(COMMANDS.map(wordOf).join(""));
/** Offset of each row's word in WORDS, and of the end of the last one. */
const WORD_START = new Int32Array(COMMANDS.length + 1);
/** The container's id + 1 of each row; 0 for a row that is no subcommand. */
const CONTAINER = new Int16Array(COMMANDS.length);

function wordOf({ name }: Command): string {
  return name.slice(name.indexOf("|") + 1);
}

fillLookup();

function fillLookup(): void {
  let offset = 0;
  for (const command of COMMANDS) {
    WORD_START[command.id] = offset;
    offset += wordOf(command).length;
    WORD_START[command.id + 1] = offset;
    for (const id of command.subcommands) CONTAINER[id] = command.id + 1;
  }
  for (const { id } of COMMANDS) {
    let at = hashWord(CONTAINER[id]!, WORDS, WORD_START[id]!, WORD_START[id + 1]!);
    while (LOOKUP[at] !== 0) at = (at + 1) & (LOOKUP_SIZE - 1);
    LOOKUP[at] = id + 1;
  }
}

/** FNV-1a over the word in lower case, seeded with the container; an index into LOOKUP. */
function hashWord(container: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ container;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ lowerCase(bytes[i]!), 0x01000193);
  return (hash ^ (hash >>> 15)) & (LOOKUP_SIZE - 1);
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

function isWordOf(id: number, bytes: Uint8Array, start: number, end: number): boolean {
  let at = WORD_START[id]!;
  if (WORD_START[id + 1]! - at !== end - start) return false;
  for (let i = start; i < end; i++) if (WORDS[at++] !== lowerCase(bytes[i]!)) return false;
  return true;
}

/** Returns the id of a row, or -1. */
function findWord(container: number, bytes: Uint8Array, start: number, end: number): number {
  let at = hashWord(container, bytes, start, end);
  for (let entry = LOOKUP[at]!; entry !== 0; entry = LOOKUP[at]!) {
    const id = entry - 1;
    if (CONTAINER[id] === container && isWordOf(id, bytes, start, end)) return id;
    at = (at + 1) & (LOOKUP_SIZE - 1);
  }
  return -1;
}

/** Longer names than this are not looked up, however long a client's first argument is. */
const NAME_MAX_BYTES = 32;

/**
 * Finds the row of a request, in any spelling of upper and lower case. A container with a known
 * subcommand gives the subcommand's row; with an unknown one, or none, its own row (`isContainer`).
 * Borrows the arguments until it returns; allocates nothing.
 */
export function findCommand(args: Arguments): Command | undefined {
  const bytes = args.bytes;
  const id = findArgument(0, bytes, args.start(0), args.end(0));
  if (id < 0) return undefined;
  const command = COMMANDS[id]!;
  if (!command.isContainer || args.count === 1) return command;
  const subcommand = findArgument(id + 1, bytes, args.start(1), args.end(1));
  return subcommand < 0 ? command : COMMANDS[subcommand];
}

function findArgument(container: number, bytes: Uint8Array, start: number, end: number): number {
  return end - start > NAME_MAX_BYTES ? -1 : findWord(container, bytes, start, end);
}
