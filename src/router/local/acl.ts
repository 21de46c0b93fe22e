/**
 * The ACL commands that show something: users, categories, verdicts; and passwords made up.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { CATEGORIES, commandsOf, lowerCase } from "../../acl/command_rights.ts";
import type { Selector } from "../../acl/selector.ts";
import { ALLOWED, DENIED_CHANNEL, DENIED_COMMAND, verdictOn } from "../../acl/verdict.ts";
import { arityMatches } from "../../command/command.ts";
import { findCommand } from "../../command/command_table.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { asSent, Encoder, errorReply, utf8 } from "../../resp/encoder.ts";
import { latin1, latin1Bytes } from "../../resp/latin1.ts";
import { wrongArity, wrongSubcommandForm } from "../errors.ts";
import { ACL_CHANGES } from "./acl_changes.ts";
import { argumentText, integerOf, type LocalAnswer, type LocalCall } from "./local_call.ts";

const OK = utf8("+OK\r\n");
/** Redis's limit. */
const GENPASS_BITS_MAX = 4_096;
/** Redis's default. */
const GENPASS_BITS = 256;

/** Answers by name. */
export const ACL_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  ...ACL_CHANGES,
  "acl|whoami": ({ client }) => bulkOf(new Encoder(2), client.user.name).done(),
  "acl|users": ({ client }) => listOf(client.shared.users.all().map(({ name }) => name)),
  "acl|list": ({ client }) => listOf(client.shared.users.list()),
  "acl|getuser": getUser,
  "acl|cat": cat,
  "acl|genpass": generatePassword,
  "acl|dryrun": dryRun,
};

/** Appends a text of one character for each byte. */
function bulkOf(out: Encoder, text: string): Encoder {
  return out.bulk(latin1Bytes(text));
}

function listOf(texts: readonly string[]): Uint8Array {
  const out = new Encoder(2).array(texts.length);
  for (const text of texts) bulkOf(out, text);
  return out.done();
}

function getUser({ client, args }: LocalCall): Uint8Array {
  const out = new Encoder(client.protocol);
  const user = client.shared.users.get(bytesOf(args, 2));
  if (user === undefined) return out.null().done();
  const { flags, passwords, selectors } = user;
  out.map(6).bulk("flags").set(flags.length);
  for (const flag of flags) out.bulk(flag);
  out.bulk("passwords").array(passwords.length);
  for (const hash of passwords) out.bulk(hash);
  const [root, ...more] = selectors;
  addSelector(out, root!).bulk("selectors").array(more.length);
  for (const selector of more) addSelector(out.map(3), selector);
  return out.done();
}

/** Appends the three fields of a selector. */
function addSelector(out: Encoder, selector: Selector): Encoder {
  bulkOf(out.bulk("commands"), selector.commands.rules().join(" "));
  bulkOf(out.bulk("keys"), selector.keyRules().join(" "));
  return bulkOf(out.bulk("channels"), selector.channelRules().join(" "));
}

function cat({ args }: LocalCall): Uint8Array {
  if (args.count === 2) return listOf(CATEGORIES);
  if (args.count > 3) return errorReply(wrongSubcommandForm("acl", args));
  const names = commandsOf(lowerCase(bytesOf(args, 2)));
  if (names !== undefined) return listOf(names);
  return errorReply(`ERR Unknown category '${asSent(args.bytes, args.start(2), args.end(2))}'`);
}

function generatePassword({ args }: LocalCall): Uint8Array {
  if (args.count > 3) return errorReply(wrongSubcommandForm("acl", args));
  let bits = BigInt(GENPASS_BITS);
  if (args.count === 3) {
    const given = integerOf(argumentText(args, 2));
    if (given === null) return errorReply("ERR value is not an integer or out of range");
    bits = given;
  }
  if (bits <= 0n || bits > BigInt(GENPASS_BITS_MAX)) {
    return errorReply(
      "ERR ACL GENPASS argument must be the number of bits for the output password, a positive " +
        `number up to ${GENPASS_BITS_MAX}`,
    );
  }
  const digits = Math.floor((Number(bits) + 3) / 4);
  return new Encoder(2).bulk(randomBytes(Math.ceil(digits / 2)).toString("hex").slice(0, digits))
    .done();
}

// -- ACL DRYRUN --------------------------------------------------------------------------------

/** Arguments behind the first ones. */
class LaterArguments implements Arguments {
  readonly #args: Arguments;
  readonly #skipped: number;

  constructor(args: Arguments, skipped: number) {
    this.#args = args;
    this.#skipped = skipped;
  }

  get bytes(): Uint8Array {
    return this.#args.bytes;
  }

  get count(): number {
    return this.#args.count - this.#skipped;
  }

  start(i: number): number {
    return this.#args.start(i + this.#skipped);
  }

  end(i: number): number {
    return this.#args.end(i + this.#skipped);
  }
}

/** `ACL DRYRUN user command [argument …]`. */
function dryRun({ client, args }: LocalCall): Uint8Array {
  const { users, learned } = client.shared;
  const user = users.get(bytesOf(args, 2));
  if (user === undefined) return errorReply(`ERR User '${bytesOf(args, 2)}' not found`);
  const request = new LaterArguments(args, 3);
  const command = learned.find(request) ?? findCommand(request);
  if (command === undefined || (command.isContainer && request.count > 1)) {
    return errorReply(`ERR Command '${bytesOf(args, 3)}' not found`);
  }
  if (!arityMatches(command, request.count)) return errorReply(wrongArity(command.name));
  const { reason, index } = verdictOn(user, command, request);
  if (reason === ALLOWED) return OK;
  const what = reason === DENIED_COMMAND
    ? `run the '${command.name}' command`
    : `access the '${bytesOf(request, index)}' ${reason === DENIED_CHANNEL ? "channel" : "key"}`;
  return bulkOf(new Encoder(2), `This user has no permissions to ${what}`).done();
}

function bytesOf(args: Arguments, i: number): string {
  return latin1(args.bytes, args.start(i), args.end(i));
}
