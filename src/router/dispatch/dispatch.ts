/**
 * Decides what happens to a parsed request: the one place where all kinds of commands part ways.
 *
 *      plain? ── a command with one key, of a client that is in no special state ─► forward
 *      admitted? ─┬─ forward ─► keys ─► one slot ─► its server
 *                 ├─ split ──► parts by server ─► merge
 *                 ├─ fan out ► every server ────► merge
 *                 ├─ queue ──► between MULTI and EXEC
 *                 └─ local ──► answered here
 *
 * @module
 */

import { arityMatches, type Command } from "../../command/command.ts";
import { blocks } from "../../command/key.ts";
import { findCommand } from "../../command/command_table.ts";
import { errorReply } from "../../resp/encoder.ts";
import { ELEMENTS_MAX_BEFORE_7, type RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import { unwatchAll } from "../client/watched_slot.ts";
import { execAborted } from "../errors.ts";
import { answerLocally } from "../local/answer.ts";
import { block } from "../blocking/block.ts";
import { waitsForSubscriptions, whileSubscribed } from "../local/pubsub.ts";
import { admit } from "./admit.ts";
import { fanOut } from "./fan_out.ts";
import { forward, forwardByKey } from "./forward.ts";
import { fits, learnedCommand } from "./learn.ts";
import { waitsForMasters } from "./libraries.ts";
import { mayBeShown, refuseToMonitor, waitsForPause } from "./oversight.ts";
import { logRefusedAccess } from "./refused_access.ts";
import { publish } from "./publish.ts";
import { scanKey } from "./key_scan.ts";
import { split } from "./split.ts";
import { queueRequest, transactionCommand } from "./transact.ts";
import { untrackedKeys } from "./untracked_reads.ts";
import { waitsForFunctions } from "./undeclared_keys.ts";

/** Dispatches the request that `parser` found. Borrows its bytes until it returns. */
export function dispatch(client: Client, parser: RequestParser): void {
  const { shared } = client;
  const command = findCommand(parser);
  if (command !== undefined && command.isPlain && client.isPlain && shared.isPlain) {
    const { count } = parser;
    if (arityMatches(command, count) && count <= ELEMENTS_MAX_BEFORE_7) {
      client.lastCommand = command;
      return forwardByKey(client, command, parser);
    }
  }
  if (client.extras === null && !shared.isOverseen) dispatchCommand(client, command, parser);
  else dispatchOverseen(client, command, parser);
}

/**
 * Dispatches a request while all are paused or watched, or a script holds a server up, or of a client that has
 * asked for something extra.
 */
function dispatchOverseen(
  client: Client,
  found: Command | undefined,
  parser: RequestParser,
): void {
  const { shared, credit } = client;
  if (shared.longScripts.isActive && client.depth > 0) {
    credit.isRefused = true; // it is dispatched again
    return;
  }
  const known = fits(found, parser) ? found : shared.learned.find(parser) ?? found;
  if (shared.pause.isActive && waitsForPause(client, known, parser)) {
    credit.isRefused = true; // it is dispatched again
    return;
  }
  const { extras } = client;
  const refusal = extras?.isMonitor ? refuseToMonitor(shared.scripts, known, parser) : "";
  const isShown = refusal === "" && shared.monitors.isActive && mayBeShown(client, known, parser);
  extras?.dispatching();
  const untracked = untrackedKeys(client, known, parser);
  if (refusal === "") dispatchCommand(client, found, parser);
  else client.answer(errorReply(refusal));
  if (untracked.length > 0 && !credit.isRefused) extras?.tracking?.readUntracked(untracked);
  if (isShown && !credit.isRefused) {
    shared.monitors.saw(client, known!, parser);
  }
  extras?.dispatched();
}

/** Whether a command may write and not to slots of its keys: no read at a replica may be under way then. */
function mustBeAlone({ handling, isReadOnly, isWrite, isBlocking }: Command): boolean {
  return handling === "fanout" ? !isReadOnly : isWrite && (handling === "local" || isBlocking);
}

/**
 * Whether a command is about slots that have several connections to one server: nothing else of its client may
 * be under way on them.
 */
function isOfManySlots({ transaction }: Client, { handling, isWrite, name }: Command): boolean {
  if (name === "exec") {
    return transaction?.isSpread === true || transaction?.everywhere.length !== 0;
  }
  return handling === "fanout" || (isWrite && handling === "local");
}

function dispatchCommand(
  client: Client,
  known: Command | undefined,
  parser: RequestParser,
): void {
  const command = fits(known, parser) ? known : learnedCommand(client, known, parser);
  if (command === null) return; // it waits, or is answered
  if (command?.caution === "function" && waitsForFunctions(client, parser)) {
    client.credit.isRefused = true; // it is dispatched again
    return;
  }
  if (command?.merge === "all_succeeded" && waitsForMasters(client, command)) {
    client.credit.isRefused = true; // it is dispatched again
    return;
  }
  if (client.subscriptions !== null && waitsForSubscriptions(client, command)) {
    client.credit.isRefused = true; // it is dispatched again
    return;
  }
  if (command !== undefined) client.lastCommand = command;
  if (client.transaction !== null && queueRequest(client, client.transaction, command, parser)) {
    return;
  }
  let refusal = admit(client, command, parser, parser.count);
  if (client.subscriptions !== null && command !== undefined) {
    refusal = whileSubscribed(client, command, refusal);
  }
  if (refusal.startsWith("NOPERM ") && command !== undefined) {
    logRefusedAccess(client, command, parser);
  }
  if (refusal !== "" || command === undefined) {
    const isExec = command?.name === "exec"; // Redis's answer to it begins always so
    if (isExec) unwatchAll(client); // as in Redis: what is refused of EXEC ends the watching, too
    client.answer(errorReply(isExec ? execAborted(refusal) : refusal));
    if (command?.closesSession && refusal === command.refusal) client.drain();
    return;
  }
  if (client.shared.options.backendConnections > 1 && isOfManySlots(client, command)) {
    if (client.depth > 0) return client.credit.waitForReplies();
    client.isAtBarrier = true;
  }
  if (client.reads !== null && mustBeAlone(command)) {
    if (client.depth > 0) return client.credit.waitForReplies();
    client.reads.missed();
    client.isAtBarrier = true;
  }
  switch (command.handling) {
    case "forward":
      if (command.channelIndex > 0) return publish(client, command, parser);
      if (command.merge === "key_scan") return scanKey(client, command, parser);
      return command.isBlocking && blocks(command, parser)
        ? block(client, command, parser)
        : forward(client, command, parser);
    case "split":
      return split(client, command, parser);
    case "fanout":
      return fanOut(client, command, parser);
    case "local":
      return answerLocally(client, command, parser);
    case "transaction":
      return transactionCommand(client, command, parser);
    case "refuse":
      throw new Error(`"${command.name}" was admitted`);
  }
}
