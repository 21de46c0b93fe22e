/**
 * Commands that concern every master: DBSIZE, FLUSHALL, KEYS, SCAN, SCRIPT LOAD and their like; and those that
 * name one.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { errorReply } from "../../resp/encoder.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Master } from "../backends/server.ts";
import { askEach } from "../backends/ask_each.ts";
import { ReplyFailure } from "../../resp/reply_value.ts";
import type { Client } from "../client/client.ts";
import type { EverywhereCommand } from "../client/transaction.ts";
import { notDoneByAll } from "../local/masters.ts";
import type { RouterShared } from "../shared.ts";
import { SLOT_NOT_READY } from "../errors.ts";
import { sendOn } from "../slots/route.ts";
import { sendToAll } from "./ask_masters.ts";
import { Gather, type MergeOrAsk } from "./gather.ts";
import { askKeySpace, isAboutKeys } from "./key_space.ts";
import { MERGES } from "./merge.ts";
import { askOneMaster } from "./one_master.ts";
import { scan } from "./scan.ts";

const MINUS = 45;

/** Sends a request to every master. Borrows the parser's bytes until it returns. */
export function fanOut(client: Client, command: Command, parser: RequestParser): void {
  const masters = client.shared.slots.masters();
  if (masters.length === 0) return client.answer(errorReply(SLOT_NOT_READY));
  if (command.merge === "one_master") return askOneMaster(client, command, parser);
  if (command.merge === "scan") return scan(client, command, parser);
  const bytes = parser.bytes.subarray(parser.requestStart, parser.requestEnd);
  if (isAboutKeys(command)) return askKeySpace(client, command, bytes);
  noteScripts(client.shared, command, parser);
  const merge = MERGES[command.merge]!;
  if (command.merge === "one_succeeded") askAlone(client, command, masters, merge, bytes);
  else sendToAll(client, command, masters, merge, bytes);
}

/** Scripts and functions that servers get are looked at, for when they are called. */
function noteScripts({ scripts }: RouterShared, command: Command, args: RequestParser): void {
  if (command.name.startsWith("function|")) scripts.functionsChange();
  else if (command.name === "script|load") {
    scripts.learn(args.bytes.subarray(args.start(2), args.end(2)));
  }
}

/**
 * Lets all masters but one execute a command that this one has executed in a transaction.
 *
 * @param own What that one has replied.
 * @param done Called once with the reply to the command: that one's, or which masters have not done it.
 */
export function executeElsewhere(
  { shared, protocol }: Client,
  { command, bytes, database }: EverywhereCommand,
  args: RequestParser,
  except: object | undefined,
  own: Uint8Array,
  done: (reply: Uint8Array) => void,
): void {
  if (own[0] === MINUS) return done(own);
  noteScripts(shared, command, args);
  const masters = shared.slots.masters().filter(({ server }) => server !== except);
  askEach(masters, bytes, { database, protocol }, (answers) => {
    const hasFailed = answers.some(({ value }) => value instanceof ReplyFailure);
    done(hasFailed ? notDoneByAll(command, answers, answers.length + 1) : own);
  });
}

/** Asks masters over connections of their own, which wait for nothing that a server is busy with. */
function askAlone(
  client: Client,
  command: Command,
  masters: readonly Master[],
  merge: MergeOrAsk,
  bytes: Uint8Array,
): void {
  const parent = client.replies.park(command);
  const backends = masters.map(({ server }) => server.openAlone());
  const gather = new Gather(client, parent, masters.length, merge, () => {
    for (const backend of backends) backend.close();
  });
  for (const backend of backends) sendOn(backend, gather.part(), bytes, 0, bytes.length);
}
