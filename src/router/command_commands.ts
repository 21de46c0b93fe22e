/**
 * The COMMAND commands, answered from the proxy's own table in Redis's shapes.
 *
 * @module
 */

import { arityMatches, type Command, type KeySpec } from "../command/command.ts";
import { COMMANDS, findByName, findCommand } from "../command/command_table.ts";
import { KeyIndexes, keyIndexes } from "../command/key.ts";
import docs from "../command/docs.json" with { type: "json" };
import { ADDED_ROWS } from "../command/codis_commands.ts";
import type { Arguments } from "../resp/arguments.ts";
import { Encoder, errorReply } from "../resp/encoder.ts";
import { NO_KEYS_FOUND, SYNTAX_ERROR } from "./errors.ts";
import { globPattern, type LocalAnswer, type LocalCall, wordOf } from "./local_commands.ts";

/** Answers by name. */
export const COMMAND_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "command": ({ session }) => infoOf(new Encoder(session.protocol), TOP_LEVEL),
  "command|count": () => new Encoder(2).integer(TOP_LEVEL.length).done(),
  "command|info": ({ session, args }) => {
    const out = new Encoder(session.protocol);
    if (args.count === 2) return infoOf(out, TOP_LEVEL);
    const found: (Command | undefined)[] = [];
    for (let i = 2; i < args.count; i++) found.push(findByName(wordOf(args, i)));
    return infoOf(out, found);
  },
  "command|docs": commandDocs,
  "command|list": commandList,
  "command|getkeys": (call) => getKeys(call, false),
  "command|getkeysandflags": (call) => getKeys(call, true),
};

/** Commands that are no subcommands and that Redis or codis-server know. */
const TOP_LEVEL = COMMANDS.filter(({ name, origin }) => !name.includes("|") && origin !== "http");

// -- COMMAND INFO -----------------------------------------------------------------------------

function infoOf(out: Encoder, commands: readonly (Command | undefined)[]): Uint8Array {
  out.array(commands.length);
  for (const command of commands) putInfo(out, command);
  return out.done();
}

function putInfo(out: Encoder, command: Command | undefined): void {
  if (command === undefined) {
    if (out.protocol === 3) out.null();
    else out.array(-1);
    return;
  }
  out.array(10).bulk(command.name).integer(command.arity);
  putWords(out, command.flags);
  out.integer(command.firstKey).integer(command.lastKey).integer(command.keyStep);
  putWords(out, command.categories);
  out.set(command.tips.length);
  for (const tip of command.tips) out.bulk(tip);
  out.set(command.keySpecs.length);
  for (const spec of command.keySpecs) putKeySpec(out, spec);
  out.set(command.subcommands.length);
  for (const id of command.subcommands) putInfo(out, COMMANDS[id]);
}

function putWords(out: Encoder, words: readonly string[]): void {
  out.set(words.length);
  for (const word of words) out.simple(word);
}

function putKeySpec(out: Encoder, spec: KeySpec): void {
  out.map(spec.notes === undefined ? 3 : 4);
  if (spec.notes !== undefined) out.bulk("notes").bulk(spec.notes);
  out.bulk("flags");
  putWords(out, spec.flags);
  for (const name of ["begin_search", "find_keys"] as const) {
    const { type, spec: parameters } = spec[name];
    const entries = Object.entries(parameters) as [string, string | number][];
    out.bulk(name).map(2).bulk("type").bulk(type).bulk("spec").map(entries.length);
    for (const [key, value] of entries) {
      out.bulk(key);
      if (typeof value === "number") out.integer(value);
      else out.bulk(value);
    }
  }
}

// -- COMMAND DOCS -----------------------------------------------------------------------------

/** What docs.json holds for a command, a subcommand or an argument. */
interface Doc {
  readonly [field: string]: unknown;
}

/** Fields that are sets of words. */
const WORD_SETS = ["doc_flags", "flags"];

const DOCS: Readonly<Record<string, Doc>> = {
  ...docs as unknown as Record<string, Doc>,
  ...Object.fromEntries(
    ADDED_ROWS.filter(({ origin }) => origin === "codis").map((
      { row, summary, since, group },
    ) => [row[0], { summary, since, group }]),
  ),
};

function commandDocs({ session, args }: LocalCall): Uint8Array {
  const out = new Encoder(session.protocol);
  let names = TOP_LEVEL.map((command) => command.name);
  if (args.count > 2) {
    names = [];
    for (let i = 2; i < args.count; i++) names.push(wordOf(args, i));
  }
  const found = names.flatMap((name) => {
    const doc = docOf(name);
    return doc === undefined ? [] : [[name, doc] as const];
  });
  out.map(found.length);
  for (const [name, doc] of found) {
    out.bulk(name);
    putDoc(out, doc);
  }
  return out.done();
}

function docOf(name: string): Doc | undefined {
  const bar = name.indexOf("|");
  if (bar < 0) return Object.hasOwn(DOCS, name) ? DOCS[name] : undefined;
  const parent = docOf(name.slice(0, bar))?.["subcommands"] as Record<string, Doc> | undefined;
  return parent !== undefined && Object.hasOwn(parent, name) ? parent[name] : undefined;
}

function putDoc(out: Encoder, doc: Doc): void {
  const fields = Object.entries(doc);
  out.map(fields.length);
  for (const [field, value] of fields) {
    out.bulk(field);
    if (typeof value === "string") out.bulk(value);
    else if (typeof value === "number") out.integer(value);
    else if (WORD_SETS.includes(field)) putWords(out, value as string[]);
    else if (field === "history") putHistory(out, value as [string, string][]);
    else if (field === "arguments") {
      out.array((value as Doc[]).length);
      for (const argument of value as Doc[]) putDoc(out, argument);
    } else if (field === "subcommands") {
      const subcommands = Object.entries(value as Record<string, Doc>);
      out.map(subcommands.length);
      for (const [name, sub] of subcommands) {
        out.bulk(name);
        putDoc(out, sub);
      }
    } else {
      throw new TypeError(`docs.json has a field "${field}" of a kind nobody expects`);
    }
  }
}

function putHistory(out: Encoder, history: readonly [string, string][]): void {
  out.set(history.length);
  for (const [version, change] of history) out.array(2).bulk(version).bulk(change);
}

// -- COMMAND LIST, GETKEYS --------------------------------------------------------------------

function commandList({ args }: LocalCall): Uint8Array {
  let isListed: (command: Command) => boolean = () => true;
  if (args.count > 2) {
    if (args.count !== 5 || wordOf(args, 2) !== "filterby") return errorReply(SYNTAX_ERROR);
    const value = wordOf(args, 4);
    switch (wordOf(args, 3)) {
      case "aclcat":
        isListed = ({ categories }) => categories.includes(`@${value}`);
        break;
      case "pattern": {
        const pattern = globPattern(value);
        isListed = ({ name }) => pattern.test(name);
        break;
      }
      case "module":
        isListed = () => false;
        break;
      default:
        return errorReply(SYNTAX_ERROR);
    }
  }
  // A filter looks at subcommands as well, as in Redis.
  const all = args.count > 2 ? COMMANDS.filter(({ origin }) => origin !== "http") : TOP_LEVEL;
  const listed = all.filter(isListed);
  const out = new Encoder(2).array(listed.length);
  for (const { name } of listed) out.bulk(name);
  return out.done();
}

const KEYS = new KeyIndexes();

/** The arguments after the first `skipped`. */
class LaterArguments implements Arguments {
  constructor(readonly args: Arguments, readonly skipped: number) {}
  get bytes(): Uint8Array {
    return this.args.bytes;
  }
  get count(): number {
    return this.args.count - this.skipped;
  }
  start(i: number): number {
    return this.args.start(i + this.skipped);
  }
  end(i: number): number {
    return this.args.end(i + this.skipped);
  }
}

function getKeys({ session, args }: LocalCall, withFlags: boolean): Uint8Array {
  const request = new LaterArguments(args, 2);
  const command = findCommand(request);
  if (command === undefined) return errorReply("ERR Invalid command specified");
  if (command.keyPlaces === "none") return errorReply("ERR The command has no key arguments");
  if (!arityMatches(command, request.count)) {
    return errorReply("ERR Invalid number of arguments specified for command");
  }
  const count = keyIndexes(command, request, KEYS);
  if (count < 0) return errorReply(NO_KEYS_FOUND);
  if (count === 0 && !withFlags) return errorReply("ERR The command has no key arguments");
  const out = new Encoder(session.protocol).array(count);
  for (let i = 0; i < count; i++) {
    const index = KEYS.values[i]!;
    const key = request.bytes.subarray(request.start(index), request.end(index));
    if (!withFlags) {
      out.bulk(key);
      continue;
    }
    out.array(2).bulk(key);
    putWords(out, flagsOfKey(command, i));
  }
  return out.done();
}

/** The flags of key number `i`: those of its specification, the last one covering the rest. */
function flagsOfKey(command: Command, i: number): readonly string[] {
  const spec = command.keySpecs[Math.min(i, command.keySpecs.length - 1)];
  return spec?.flags ?? [];
}
