/**
 * The ACL commands that change users, and ACL LOG: what all workers of the proxy have together.
 *
 * @module
 */

import { type AclLogEntry, mergeAclLogs } from "../../acl/acl_log.ts";
import { DEFAULT_USER } from "../../acl/user.ts";
import type { UsersAnswer, UsersChange } from "../../acl/users_owner.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { Encoder, errorReply, type Protocol, utf8 } from "../../resp/encoder.ts";
import { latin1, latin1Bytes } from "../../resp/latin1.ts";
import { NOT_AN_INTEGER, wrongSubcommandForm } from "../errors.ts";
import {
  answerWhen,
  argumentText,
  argumentWord,
  integerOf,
  type LocalAnswer,
  type LocalCall,
} from "./local_call.ts";

const OK = utf8("+OK\r\n");
/** Entries that ACL LOG shows when it is not told how many. */
const LOG_SHOWN = 10n;

/** Answers by name. */
export const ACL_CHANGES: Readonly<Record<string, LocalAnswer>> = {
  "acl|setuser": (call) => {
    const [name, ...rules] = wordsFrom(call.args, 2);
    return change(call, { kind: "set", name: name!, rules }, () => OK);
  },
  "acl|deluser": (call) => {
    const names = wordsFrom(call.args, 2);
    if (names.includes(DEFAULT_USER)) {
      return errorReply("ERR The 'default' user cannot be removed");
    }
    return change(
      call,
      { kind: "delete", names },
      ({ deleted }) => new Encoder(2).integer(deleted).done(),
    );
  },
  "acl|load": (call) => change(call, { kind: "load" }, () => OK),
  "acl|save": (call) => change(call, { kind: "save" }, () => OK),
  "acl|log": log,
};

/** Arguments from one on, one character for each byte. */
function wordsFrom(args: Arguments, first: number): string[] {
  const words: string[] = [];
  for (let i = first; i < args.count; i++) {
    words.push(latin1(args.bytes, args.start(i), args.end(i)));
  }
  return words;
}

/** Changes the users of all workers, and answers when that is done. */
function change(
  call: LocalCall,
  wanted: UsersChange,
  reply: (answer: UsersAnswer) => Uint8Array,
): Uint8Array | null {
  const { client } = call;
  return answerWhen(call, (answer) => {
    client.shared.worker.changeUsers(wanted, client.id)
      .catch((error) => ({ error: `ERR ${(error as Error).message}`, deleted: 0 }))
      .then((done) => answer(done.error === "" ? reply(done) : errorReply(done.error)));
  });
}

// -- ACL LOG -----------------------------------------------------------------------------------

/** `ACL LOG [count | RESET]`. */
function log(call: LocalCall): Uint8Array | null {
  const { client, args } = call;
  const { aclLog, worker: { peers } } = client.shared;
  if (args.count > 3) return errorReply(wrongSubcommandForm("acl", args));
  const isReset = args.count === 3 && argumentWord(args, 2) === "reset";
  if (isReset) {
    aclLog.read(true);
    if (peers === null) return OK;
    return answerWhen(call, (answer) => void peers.aclLog(true).finally(() => answer(OK)));
  }
  const count = args.count === 2 ? LOG_SHOWN : integerOf(argumentText(args, 2));
  if (count === null) return errorReply(NOT_AN_INTEGER);
  const { protocol } = client;
  const reply = (logs: readonly (readonly AclLogEntry[])[]) => {
    const shown = count < 0n ? 0 : Number(count);
    return encodeLog(mergeAclLogs(logs).slice(0, shown), protocol);
  };
  if (peers === null) return reply([aclLog.read(false)]);
  return answerWhen(call, (answer) => {
    peers.aclLog(false).catch(() => [])
      .then((others) => answer(reply([aclLog.read(false), ...others])));
  });
}

function encodeLog(entries: readonly AclLogEntry[], protocol: Protocol): Uint8Array {
  const out = new Encoder(protocol).array(entries.length);
  for (const { count, reason, context, object, username, timeMs, clientInfo } of entries) {
    out.map(7).bulk("count").integer(count).bulk("reason").bulk(reason)
      .bulk("context").bulk(context).bulk("object").bulk(latin1Bytes(object))
      .bulk("username").bulk(latin1Bytes(username))
      .bulk("age-seconds").double((Date.now() - timeMs) / 1000)
      .bulk("client-info").bulk(clientInfo);
  }
  return out.done();
}
