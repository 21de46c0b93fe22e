/**
 * The COMMAND commands, answered from the proxy's own table in Redis's shapes.
 *
 * @module
 */

import { arityMatches, type Command } from "../../command/command.ts";
import { COMMANDS, findByName, findCommand } from "../../command/command_table.ts";
import { KeyIndexes, keyIndexes } from "../../command/key.ts";
import {
  encodeCommandDocs,
  encodeCommandInfo,
  isKnownTo,
  listedCommands,
  NO_DOCS,
  type ServerDocs,
} from "../../command/describe.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { Encoder, encodeRequest, errorReply, type Protocol } from "../../resp/encoder.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import { askServer } from "../backends/question.ts";
import { fits } from "../dispatch/learn.ts";
import { NO_KEYS_FOUND, SYNTAX_ERROR } from "../errors.ts";
import {
  answerWhen,
  argumentText,
  argumentWord,
  globPattern,
  type LocalAnswer,
  type LocalCall,
} from "./local_call.ts";

/** Answers by name. */
export const COMMAND_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "command": (call) => withKnown(call, (known) => infoOf(call, known.listed, known)),
  "command|count": (call) =>
    withKnown(call, ({ listed }) => new Encoder(2).integer(listed.length).done()),
  "command|info": commandInfo,
  "command|docs": commandDocs,
  "command|list": commandList,
  "command|getkeys": (call) => getKeys(call, false),
  "command|getkeysandflags": (call) => getKeys(call, true),
};

/** What all servers know. */
interface Known {
  /** Of the lowest version among them. */
  readonly version: string;
  /** Commands that the table has not. */
  readonly learned: readonly Command[];
  /** All commands, without subcommands. */
  readonly listed: readonly Command[];
  /** The row of a name, unless not all servers know it. */
  find(name: string): Command | undefined;
}

/** Answers with what all servers know. */
function withKnown(call: LocalCall, reply: (known: Known) => Uint8Array): Uint8Array | null {
  return answerWhen(call, (answer) => askKnown(call, (known) => answer(reply(known))));
}

function askKnown({ client: { shared } }: LocalCall, answer: (known: Known) => void): void {
  shared.version.ask((version) =>
    shared.learned.ask(() => {
      const learned = shared.learned.all;
      answer({
        version,
        learned,
        listed: [...listedCommands(version), ...learned.filter(({ name }) => !name.includes("|"))],
        find(name) {
          const row = findByName(name);
          if (row === undefined) return learned.find((each) => each.name === name);
          // Its servers may take more arguments.
          return isKnownTo(version, row) ? shared.learned.byName(name) ?? row : undefined;
        },
      });
    })
  );
}

function infoOf(
  { client: { protocol } }: LocalCall,
  rows: readonly (Command | undefined)[],
  { version, learned }: Known,
): Uint8Array {
  return encodeCommandInfo(rows, protocol, version, learned);
}

function commandInfo(call: LocalCall): Uint8Array | null {
  const names = call.args.count === 2 ? null : namesIn(call.args);
  return withKnown(call, (known) => infoOf(call, names?.map(known.find) ?? known.listed, known));
}

function commandDocs(call: LocalCall): Uint8Array | null {
  const { client: { protocol, shared }, args } = call;
  const names = args.count === 2 ? null : namesIn(args);
  return answerWhen(call, (answer) =>
    askKnown(call, (known) => {
      const rows = names?.map(known.find).filter((row) => row !== undefined) ?? known.listed;
      const own = rows.filter(({ origin }) => origin !== "learned");
      const theirs = rows.filter(({ origin }) => origin === "learned").map(({ name }) => name);
      const done = (docs: ServerDocs) =>
        answer(encodeCommandDocs(own, protocol, known.version, docs));
      const server = shared.learned.anyServer;
      if (theirs.length === 0 || server === undefined) return done(NO_DOCS);
      const question = encodeRequest(["COMMAND", "DOCS", ...theirs]);
      askServer(server.backend(0, protocol), question, (text) => done(docsIn(text)));
    }));
}

/** What a server's reply documents; nothing when it does not know COMMAND DOCS, as before Redis 7. */
function docsIn(reply: string): ServerDocs {
  const [header, type, count] = /^([*%])(\d+)\r\n/.exec(reply) ?? [];
  if (header === undefined) return NO_DOCS;
  return {
    count: type === "%" ? Number(count) : Number(count) / 2,
    entries: latin1Bytes(reply.slice(header.length)),
  };
}

/** The names after the subcommand, in lower case. */
function namesIn(args: Arguments): string[] {
  return Array.from({ length: args.count - 2 }, (_, i) => argumentWord(args, i + 2));
}

// -- COMMAND LIST, GETKEYS --------------------------------------------------------------------

function commandList(call: LocalCall): Uint8Array | null {
  const { args } = call;
  let isListed: (command: Command) => boolean = () => true;
  if (args.count > 2) {
    if (args.count !== 5 || argumentWord(args, 2) !== "filterby") return errorReply(SYNTAX_ERROR);
    const value = argumentWord(args, 4);
    switch (argumentWord(args, 3)) {
      case "aclcat":
        isListed = ({ categories }) => categories.includes(`@${value}`);
        break;
      case "pattern": {
        const pattern = globPattern(value);
        isListed = ({ name }) => pattern.test(name);
        break;
      }
      case "module":
        return listModule(call, argumentText(args, 4));
      default:
        return errorReply(SYNTAX_ERROR);
    }
  }
  return withKnown(call, ({ version, learned }) => {
    const all = [
      ...COMMANDS.filter((row) => row.origin !== "http" && isKnownTo(version, row)),
      ...learned,
    ];
    return listOf(all.filter(isListed).map(({ name }) => name));
  });
}

function listOf(names: readonly string[]): Uint8Array {
  const out = new Encoder(2).array(names.length);
  for (const name of names) out.bulk(name);
  return out.done();
}

/** Lists what all servers know of a module's commands. */
function listModule(call: LocalCall, module: string): Uint8Array | null {
  return answerWhen(call, (answer) =>
    askKnown(call, ({ learned }) => {
      const server = call.client.shared.learned.anyServer;
      if (learned.length === 0 || server === undefined) return answer(listOf([]));
      const question = encodeRequest(["COMMAND", "LIST", "FILTERBY", "MODULE", module]);
      askServer(server.backend(0, 2), question, (text) => {
        const names = new Set(text.toLowerCase().split("\r\n"));
        answer(listOf(learned.map(({ name }) => name).filter((name) => names.has(name))));
      });
    }));
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

function getKeys(call: LocalCall, withFlags: boolean): Uint8Array | null {
  const { client: { shared, protocol }, args } = call;
  const request = new LaterArguments(args, 2);
  const known = findCommand(request);
  if (fits(known, request)) return keysOf(known, request, protocol, withFlags);
  // What waits for the servers needs arguments of its own.
  const words = Array.from(
    { length: request.count },
    (_, i) => request.bytes.slice(request.start(i), request.end(i)),
  );
  return answerWhen(call, (answer) =>
    shared.learned.ask(() => {
      const kept = new RequestParser();
      const bytes = encodeRequest(words);
      kept.parse(bytes, 0, bytes.length);
      answer(keysOf(shared.learned.find(kept) ?? known, kept, protocol, withFlags));
    }));
}

function keysOf(
  command: Command | undefined,
  request: Arguments,
  protocol: Protocol,
  withFlags: boolean,
): Uint8Array {
  if (command === undefined) return errorReply("ERR Invalid command specified");
  if (command.keyPlaces === "none") return errorReply("ERR The command has no key arguments");
  if (!arityMatches(command, request.count)) {
    return errorReply("ERR Invalid number of arguments specified for command");
  }
  const count = keyIndexes(command, request, KEYS);
  if (count <= 0) {
    return command.flags.includes("no_mandatory_keys")
      ? new Encoder(protocol).array(0).done()
      : errorReply(NO_KEYS_FOUND);
  }
  const out = new Encoder(protocol).array(count);
  for (let i = 0; i < count; i++) {
    const index = KEYS.values[i]!;
    const key = request.bytes.subarray(request.start(index), request.end(index));
    if (!withFlags) {
      out.bulk(key);
      continue;
    }
    const flags = flagsOfKey(command, i, request);
    out.array(2).bulk(key).set(flags.length);
    for (const flag of flags) out.simple(flag);
  }
  return out.done();
}

/** What Redis itself does where options decide (setGetKeys, bitfieldGetKeys and sortGetKeys in db.c). */
const VARIABLE_FLAGS: Readonly<
  Record<string, (request: Arguments, key: number) => readonly string[]>
> = {
  sort: (_request, key) => key === 0 ? ["RO", "access"] : ["OW", "update"],
  set: (request) => {
    for (let i = 3; i < request.count; i++) {
      if (argumentWord(request, i) === "get") return ["RW", "access", "update"];
    }
    return ["OW", "update"];
  },
  bitfield: (request) => isBitfieldRead(request) ? ["RO", "access"] : ["RW", "access", "update"],
};

function isBitfieldRead(request: Arguments): boolean {
  for (let i = 2; i < request.count; i++) {
    const left = request.count - i - 1;
    const word = argumentWord(request, i);
    if (word === "get" && left >= 2) i += 2;
    else if (word === "overflow" && left >= 1) i += 1;
    else return false;
  }
  return true;
}

/** The flags of key number `i`: those of its specification, the last one covering the rest. */
function flagsOfKey(command: Command, i: number, request: Arguments): readonly string[] {
  const ofOptions = VARIABLE_FLAGS[command.name];
  if (ofOptions !== undefined) return ofOptions(request, i);
  return command.keySpecs[Math.min(i, command.keySpecs.length - 1)]?.flags ?? [];
}
