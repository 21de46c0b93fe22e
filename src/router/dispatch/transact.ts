/**
 * MULTI, EXEC and DISCARD, and what happens to a command between them.
 *
 *      command ─► admitted? ─► keys in the transaction's slot? ─► queued, +QUEUED
 *                    └─ no ───────────┴─ no ─► error, and EXEC answers EXECABORT
 *
 *      EXEC ─► MULTI … EXEC in one piece, over the shared connection of the slot's server ─► array
 *
 * A transaction costs no connection of its own, since nothing of another client can come between the
 * requests of one piece.
 *
 * @module
 */

import { arityMatches, type Command } from "../../command/command.ts";
import { BAD_ARGUMENTS, KeyIndexes, keyIndexes } from "../../command/key.ts";
import type { Placement } from "../../hash/placement.ts";
import { encodeRequest, errorReply, utf8 } from "../../resp/encoder.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import { Transaction } from "../client/transaction.ts";
import { endTransaction, unwatchAll } from "../client/watched_slot.ts";
import {
  BUDGET_SPENT,
  CROSS_SLOT,
  execAborted,
  NO_SUCH_DATABASE,
  NOT_IN_TRANSACTION,
  notAllowed,
  TRANSACTION_CROSS_SLOT,
  transactionTooLarge,
} from "../errors.ts";
import { selectedDatabase } from "../local/connection.ts";
import { argumentText } from "../local/local_call.ts";
import { SUBSCRIPTION_KINDS } from "../pubsub/kinds.ts";
import { admit } from "./admit.ts";
import { exec } from "./exec.ts";
import { keylessBytes } from "./forward.ts";
import { mayWrite } from "./oversight.ts";
import { logRefusedAccess } from "./refused_access.ts";
import { watchKeys } from "./watch_keys.ts";

const OK = utf8("+OK\r\n");
const QUEUED = utf8("+QUEUED\r\n");
/** A database that no server has: its own words say so. */
const SELECT_NONE = encodeRequest(["SELECT", "-1"]);

const KEYS = new KeyIndexes();
/** What {@linkcode slotOf} says of a command without keys, and of one whose keys differ in slot. */
const NO_SLOT = -1;
const MANY_SLOTS = -2;

/** What is executed at once between MULTI and EXEC, as in Redis. */
const AT_ONCE = new Set(["multi", "exec", "discard", "watch", "quit", "reset"]);
/** What decides how the transaction's own commands are sent, or its replies, and how that is mended. */
const NEVER_QUEUED: Readonly<Record<string, string>> = {
  "client|reply": "it would break off EXEC's reply in the middle, send it before MULTI",
  "client|tracking": "the transaction's own reads are sent as before it, send it before MULTI",
  "client|caching": "it is about the whole transaction, send it right before MULTI",
};
/** What is executed after the server's part, so that the client would not hear its own messages. */
const SUBSCRIBING: ReadonlySet<string> = new Set(
  SUBSCRIPTION_KINDS.flatMap(({ subscribe, unsubscribe }) => [subscribe, unsubscribe]),
);
/** What the proxy answers itself elsewhere, and every server answers as well. */
const ANY_SERVER = new Set(["ping", "echo", "time", "unwatch"]);
/** Of its kind, the one command that Redis queues and then refuses. */
const SSUBSCRIBE_REFUSED = "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client";

// -- between MULTI and EXEC -------------------------------------------------------------------

/**
 * Queues a request of a client's open transaction, or refuses it.
 *
 * @returns False for what is executed at once: the caller does that.
 */
export function queueRequest(
  client: Client,
  transaction: Transaction,
  command: Command | undefined,
  parser: RequestParser,
): boolean {
  const refusal = refusalInTransaction(client, command, parser);
  if (refusal !== "" || command === undefined) {
    if (command?.name === "exec") {
      endTransaction(client);
      client.answer(errorReply(execAborted(refusal)));
    } else {
      abort(client, transaction, refusal);
      if (command?.closesSession) client.drain();
    }
    return true;
  }
  if (AT_ONCE.has(command.name)) return false;
  const error = transaction.isAborted ? "" : queue(client, transaction, command, parser);
  transaction.mayWrite ||= mayWrite(client.shared.scripts, command, parser);
  if (error === "") client.answer(QUEUED);
  else abort(client, transaction, error);
  return true;
}

function refusalInTransaction(
  client: Client,
  command: Command | undefined,
  parser: RequestParser,
): string {
  const isNever = command !== undefined && command.flags.includes("no_multi") &&
    arityMatches(command, parser.count) && client.isAuthenticated;
  if (isNever) return NOT_IN_TRANSACTION;
  const refusal = admit(client, command, parser, parser.count);
  if (refusal.startsWith("NOPERM ")) logRefusedAccess(client, command!, parser);
  return refusal;
}

function abort(client: Client, transaction: Transaction, text: string): void {
  transaction.abort(isOwn(text) ? text : "");
  client.answer(errorReply(text));
}

/** Whether one redis-server would not have answered this. */
function isOwn(text: string): boolean {
  return /^(CROSSSLOT|ERR handle request|ERR transaction|ERR request) /.test(
    text.replace(",", " "),
  );
}

/** Returns why a command cannot be queued; empty when it was. */
function queue(
  client: Client,
  transaction: Transaction,
  command: Command,
  parser: RequestParser,
): string {
  const { budget, options } = client.shared;
  const { bytes, requestStart, requestEnd } = parser;
  const size = transaction.heldBytes + requestEnd - requestStart;
  if (size > options.sessionBufferBytesMax) {
    return transactionTooLarge(size, options.sessionBufferBytesMax);
  }
  if (budget.isSpent && size > budget.fairShareBytes) return BUDGET_SPENT;
  if (command.name === "select") queueSelect(transaction, command, parser);
  else if (command.handling === "fanout" && command.merge === "all_succeeded") {
    const database = transaction.database < 0 ? client.database : transaction.database;
    transaction.pushEverywhere(command, bytes, requestStart, requestEnd, database);
  } else if (command.handling === "fanout") {
    const asks = command.merge === "one_master" ? "a server that it names" : "all servers";
    return notAllowed(command.name, `it asks ${asks}, and a transaction is executed by one`);
  } else if (command.name === "ssubscribe") {
    transaction.pushRefused(command, SSUBSCRIBE_REFUSED);
  } else if (isLocal(transaction, command)) {
    const refusal = refusalOfLocal(client, command, parser);
    if (refusal !== "") return notAllowed(command.name, refusal);
    transaction.isSubscribing ||= SUBSCRIBING.has(command.name);
    transaction.pushLater(command, bytes, requestStart, requestEnd);
  } else {
    return queueForSlot(client, transaction, command, parser);
  }
  return "";
}

/** Whether the proxy answers it, also in a transaction: PING of a subscriber, too, which Redis answers otherwise. */
function isLocal({ isSubscribing }: Transaction, { handling, name }: Command): boolean {
  return handling === "local" && (!ANY_SERVER.has(name) || (name === "ping" && isSubscribing));
}

/** Why a command that the proxy answers itself cannot be a part of a transaction; empty when it can. */
function refusalOfLocal({ protocol }: Client, { name }: Command, args: RequestParser): string {
  if (name === "hello") {
    const isOther = args.count > 1 && argumentText(args, 1) === (protocol === 2 ? "3" : "2");
    return isOther ? "it would change the protocol within EXEC's reply, send it before MULTI" : "";
  }
  return NEVER_QUEUED[name] ?? "";
}

function queueForSlot(
  client: Client,
  transaction: Transaction,
  command: Command,
  parser: RequestParser,
): string {
  const count = keyIndexes(command, parser, KEYS);
  if (count === BAD_ARGUMENTS) {
    const bytes = keylessBytes(command, parser);
    transaction.push(command, bytes, 0, bytes.length);
    return "";
  }
  const { options, slots } = client.shared;
  const { channelIndex } = command;
  if (channelIndex > 0) {
    if (transaction.isSubscribing) {
      return notAllowed(
        command.name,
        "subscriptions change after what the servers execute of a transaction, send it before them",
      );
    }
    const channel = slots.slotOf(
      parser.bytes,
      parser.start(channelIndex),
      parser.end(channelIndex),
    );
    transaction.channelSlots.push(channel.id);
  }
  const slotId = slotOf(slots.placement, parser, count);
  if (slotId !== NO_SLOT) {
    if (transaction.slotId < 0 && slotId !== MANY_SLOTS) transaction.slotId = slotId;
    if (slotId !== transaction.slotId) {
      if (!options.multiSlotTransactions) return TRANSACTION_CROSS_SLOT;
      if (slotId === MANY_SLOTS && command.handling !== "split") return CROSS_SLOT;
      transaction.isSpread = true;
    }
  }
  transaction.push(command, parser.bytes, parser.requestStart, parser.requestEnd);
  return "";
}

/** The slot that all keys share. */
function slotOf(placement: Placement, parser: RequestParser, count: number): number {
  let slotId = NO_SLOT;
  for (let i = 0; i < count; i++) {
    const key = KEYS.values[i]!;
    const id = placement.slotIdOf(parser.bytes, parser.start(key), parser.end(key));
    if (i > 0 && id !== slotId) return MANY_SLOTS;
    slotId = id;
  }
  return slotId;
}

function queueSelect(transaction: Transaction, command: Command, parser: RequestParser): void {
  const database = selectedDatabase(parser);
  if (typeof database === "number") transaction.database = database;
  // The server may have more databases than clients may use.
  if (database === NO_SUCH_DATABASE) transaction.push(command, SELECT_NONE, 0, SELECT_NONE.length);
  else transaction.push(command, parser.bytes, parser.requestStart, parser.requestEnd);
}

// -- MULTI, EXEC, DISCARD ---------------------------------------------------------------------

/** Executes a command of the table's `transaction` rows. Borrows the parser's bytes until it returns. */
export function transactionCommand(client: Client, command: Command, parser: RequestParser): void {
  switch (command.name) {
    case "multi":
      if (client.transaction !== null) return answer(client, "ERR MULTI calls can not be nested");
      begin(client);
      return client.answer(OK);
    case "discard":
      if (client.transaction === null) return answer(client, "ERR DISCARD without MULTI");
      endTransaction(client);
      return client.answer(OK);
    case "exec":
      return exec(client, command);
    case "watch":
      if (client.transaction !== null) {
        return answer(client, "ERR WATCH inside MULTI is not allowed");
      }
      return watchKeys(client, command, parser);
    case "unwatch":
      unwatchAll(client);
      return client.answer(OK);
  }
}

function begin(client: Client): void {
  const { budget, slots } = client.shared;
  client.transaction = new Transaction(budget, slots.placement.generation);
  client.transaction.userVersion = client.user.version;
  const watch = client.watches.find(({ isTouched }) => !isTouched);
  if (watch !== undefined) client.transaction.slotId = watch.slot.id;
}

function answer(client: Client, text: string): void {
  client.answer(errorReply(text));
}
