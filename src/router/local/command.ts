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
} from "../../command/describe.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { Encoder, errorReply } from "../../resp/encoder.ts";
import { NO_KEYS_FOUND, SYNTAX_ERROR } from "../errors.ts";
import {
  answerWhen,
  argumentWord,
  globPattern,
  type LocalAnswer,
  type LocalCall,
} from "./local_call.ts";

/** Answers by name. */
export const COMMAND_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "command": (call) =>
    withVersion(call, (version) => {
      return encodeCommandInfo(listedCommands(version), call.client.protocol, version);
    }),
  "command|count": (call) =>
    withVersion(call, (version) => new Encoder(2).integer(listedCommands(version).length).done()),
  "command|info": commandInfo,
  "command|docs": commandDocs,
  "command|list": commandList,
  "command|getkeys": (call) => getKeys(call, false),
  "command|getkeysandflags": (call) => getKeys(call, true),
};

/** Answers with what servers of the lowest version among them know. */
function withVersion(
  call: LocalCall,
  reply: (version: string) => Uint8Array,
): Uint8Array | null {
  return answerWhen(call, (answer) => {
    call.client.shared.version.ask((version) => answer(reply(version)));
  });
}

function commandInfo(call: LocalCall): Uint8Array | null {
  const { client: { protocol }, args } = call;
  const named = args.count === 2 ? null : namedBy(args);
  return withVersion(call, (version) => {
    const rows = named?.map((row) => row && isKnownTo(version, row) ? row : undefined);
    return encodeCommandInfo(rows ?? listedCommands(version), protocol, version);
  });
}

function commandDocs(call: LocalCall): Uint8Array | null {
  const { client: { protocol }, args } = call;
  const named = args.count === 2 ? null : namedBy(args).filter((command) => command !== undefined);
  return withVersion(call, (version) => {
    const rows = named?.filter((row) => isKnownTo(version, row)) ?? listedCommands(version);
    return encodeCommandDocs(rows, protocol, version);
  });
}

/** The rows that the arguments after the subcommand name. */
function namedBy(args: Arguments): (Command | undefined)[] {
  const rows: (Command | undefined)[] = [];
  for (let i = 2; i < args.count; i++) rows.push(findByName(argumentWord(args, i)));
  return rows;
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
        isListed = () => false;
        break;
      default:
        return errorReply(SYNTAX_ERROR);
    }
  }
  // A filter looks at subcommands as well, as in Redis.
  const isAll = args.count > 2;
  return withVersion(call, (version) => {
    const all = isAll
      ? COMMANDS.filter((row) => row.origin !== "http" && isKnownTo(version, row))
      : listedCommands(version);
    const listed = all.filter(isListed);
    const out = new Encoder(2).array(listed.length);
    for (const { name } of listed) out.bulk(name);
    return out.done();
  });
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

function getKeys({ client, args }: LocalCall, withFlags: boolean): Uint8Array {
  const request = new LaterArguments(args, 2);
  const command = findCommand(request);
  if (command === undefined) return errorReply("ERR Invalid command specified");
  if (command.keyPlaces === "none") return errorReply("ERR The command has no key arguments");
  if (!arityMatches(command, request.count)) {
    return errorReply("ERR Invalid number of arguments specified for command");
  }
  const count = keyIndexes(command, request, KEYS);
  if (count <= 0) {
    return command.flags.includes("no_mandatory_keys")
      ? new Encoder(client.protocol).array(0).done()
      : errorReply(NO_KEYS_FOUND);
  }
  const out = new Encoder(client.protocol).array(count);
  for (let i = 0; i < count; i++) {
    const index = KEYS.values[i]!;
    const key = request.bytes.subarray(request.start(index), request.end(index));
    if (!withFlags) {
      out.bulk(key);
      continue;
    }
    const flags = flagsOfKey(command, i);
    out.array(2).bulk(key).set(flags.length);
    for (const flag of flags) out.simple(flag);
  }
  return out.done();
}

/** The flags of key number `i`: those of its specification, the last one covering the rest. */
function flagsOfKey(command: Command, i: number): readonly string[] {
  return command.keySpecs[Math.min(i, command.keySpecs.length - 1)]?.flags ?? [];
}
