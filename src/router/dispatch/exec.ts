/**
 * EXEC: sends a client's queued transaction in one piece.
 *
 *      nothing for a server ─► executed here
 *      nothing watched ──────► the shared connection of the slot's server
 *      keys watched ─────────► all earlier settled ─► the link over which they are watched
 *      keys in many slots ───► each server its part (exec_spread.ts)
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import { encodeRequest, errorReply, utf8 } from "../../resp/encoder.ts";
import type { Client } from "../client/client.ts";
import type { Transaction } from "../client/transaction.ts";
import { endTransaction, NO_WATCHES, type WatchedSlot } from "../client/watched_slot.ts";
import { EXEC_ABORT, execAborted, notAllowed, RULES_CHANGED } from "../errors.ts";
import { isToldOfWrites, whenHeard } from "../local/tracking.ts";
import type { Request } from "../request.ts";
import type { Slot } from "../slots/slot.ts";
import { type DatabaseKeys, whenUsable } from "../slots/when_usable.ts";
import { ExecReply } from "./exec_reply.ts";
import { execSpread } from "./exec_spread.ts";
import { enqueueFor } from "./forward.ts";
import { isAboutKeys } from "./key_space.ts";
import { recheckQueued } from "./recheck_queued.ts";
import { keysOfQueued, queuesUnnamedKeys, sampleQueued } from "./queued_keys.ts";

const NOTHING = new Uint8Array(0);
const NULL_RESP2 = utf8("*-1\r\n");
const NULL_RESP3 = utf8("_\r\n");

/** Executes a client's transaction, unless the client must wait and asks again. */
export function exec(client: Client, command: Command): void {
  const { watches, shared } = client;
  if (client.transaction === null) return client.answer(errorReply("ERR EXEC without MULTI"));
  const transaction = client.transaction = recheckQueued(client, client.transaction);
  const isForServer = transaction.sentCommands > 0 || watches.length > 0;
  const refusal = transaction.isAborted
    ? transaction.cause === "" ? EXEC_ABORT : execAborted(transaction.cause)
    : isForServer && shared.refusal !== ""
    ? execAborted(shared.refusal)
    : transaction.slotId >= 0 && transaction.placedBy !== shared.slots.placement.generation
    ? execAborted(RULES_CHANGED)
    : refusedEverywhere(client, transaction);
  if (refusal !== "") {
    endTransaction(client);
    return client.answer(errorReply(refusal));
  }
  if (watches.some(({ isTouched }) => isTouched)) {
    endTransaction(client);
    return client.answer(nullOf(client));
  }
  const { channelSlots } = transaction;
  if (channelSlots.length > 0 && shared.subscribing.holds(client, channelSlots)) {
    client.credit.isRefused = true; // it is dispatched again
    return;
  }
  if (transaction.isSubscribing && client.depth > 0) {
    client.credit.isRefused = true; // acknowledgements and messages have one order
    return;
  }
  if (waitsToHear(client, transaction)) return;
  if (!isForServer) return execHere(client, command, transaction);
  if (client.reads !== null && waitsForReads(client, transaction)) return;
  if (transaction.runsScript) shared.longScripts.sent();
  if (transaction.isSpread || watches.length > 1) {
    return execSpread(client, command, transaction, nullOf(client));
  }
  const [watch] = watches;
  if (watch !== undefined) return execWatched(client, command, transaction, watch);
  const { all } = shared.slots;
  const { slotId } = transaction;
  const slot = slotId < 0 ? all.find(({ isOpen }) => isOpen) ?? all[0]! : all[slotId]!;
  execShared(client, command, transaction, slot);
}

/**
 * Whether a transaction with a PING waits until its client has what the servers have told: its PING is answered
 * behind that, as one alone is. The client is resumed then, and EXEC dispatched again.
 */
function waitsToHear(client: Client, transaction: Transaction): boolean {
  if (!isToldOfWrites(client) || transaction.hearing === "done") return false;
  if (!transaction.commands.some(({ name }) => name === "ping")) return false;
  client.credit.isRefused = true;
  if (transaction.hearing === "waits") return true;
  transaction.hearing = "waits";
  let isNow = true;
  whenHeard(client, () => {
    transaction.hearing = "done";
    if (isNow) client.credit.isRefused = false;
    else client.resume();
  });
  isNow = false;
  return client.credit.isRefused;
}

/** Whether a transaction waits for reads at replicas, which would see what it writes. */
function waitsForReads(client: Client, { everywhere, runsScript }: Transaction): boolean {
  const isSeen = everywhere.length === 0 && client.watches.length === 0 && !runsScript;
  if (isSeen ? client.reads!.isBusy : client.depth > 0) {
    client.credit.waitForReplies();
    return true;
  }
  if (!isSeen) {
    client.reads!.missed();
    client.isAtBarrier = true;
  }
  return false;
}

/** Why what a transaction wants of all servers cannot be had now, as EXEC's error; empty when it can. */
function refusedEverywhere({ shared }: Client, transaction: Transaction): string {
  const { everywhere, isSpread } = transaction;
  const [first] = everywhere;
  if (first === undefined) return "";
  const { name } = first.command;
  if (isSpread) {
    return execAborted(
      notAllowed(name, "the keys of the transaction are in several slots, send it alone"),
    );
  }
  const moving = shared.slots.all.find(({ isOpen, state }) => !isOpen && state !== "offline");
  if (moving === undefined || !flushes(transaction)) return "";
  return execAborted(
    notAllowed(
      name,
      `slot ${moving.id} is being changed, and keys that move would be left; try again, or send it alone`,
    ),
  );
}

/** Whether it empties all servers: keys that move meanwhile would be left. */
function flushes({ everywhere }: Transaction): boolean {
  return everywhere.some(({ command }) => isAboutKeys(command));
}

/** Lets no slot change servers until all servers are empty; `own` is counted anyway. */
function holdSlots(
  { shared }: Client,
  transaction: Transaction,
  request: Request,
  own: Slot,
): void {
  if (own.isOpen && flushes(transaction)) {
    request.slots = shared.slots.all.filter((slot) => slot !== own);
  }
}

/** What EXEC answers when a watched key was touched. */
function nullOf(client: Client): Uint8Array {
  return client.protocol === 3 ? NULL_RESP3 : NULL_RESP2;
}

function execHere(client: Client, command: Command, transaction: Transaction): void {
  const parked = client.replies.park(command);
  client.isAtBarrier = true;
  client.transaction = null;
  transaction.end();
  new ExecReply(client, transaction).executed(parked);
}

/** The bytes of a transaction that leaves the connection in the database in which it was. */
function pieceOf(client: Client, transaction: Transaction): Uint8Array {
  const isSelecting = transaction.database >= 0;
  return transaction.piece(
    isSelecting ? encodeRequest(["SELECT", `${client.database}`]) : NOTHING,
  );
}

/** Puts EXEC into its client's FIFO; null when the client must ask again later. */
function enqueueExec(
  client: Client,
  command: Command,
  transaction: Transaction,
  slot: Slot,
  length: number,
): Request | null {
  const keyHash = slot.id + SLOT_COUNT * transaction.sentCommands;
  const request = enqueueFor(client, command, slot, keyHash, length);
  if (request !== null) sampleQueued(client, request, transaction);
  return request;
}

function execShared(
  client: Client,
  command: Command,
  transaction: Transaction,
  slot: Slot,
): void {
  const piece = pieceOf(client, transaction);
  const request = enqueueExec(client, command, transaction, slot, piece.length);
  if (request === null) return;
  const reply = new ExecReply(client, transaction);
  request.owner = reply;
  request.leads = reply.leads;
  holdSlots(client, transaction, request, slot);
  client.transaction = null;
  if (reply.isRewritten) client.isAtBarrier = true;
  const keys = slot.isOpen ? null : keysOfQueued(transaction, client.database);
  if (keys !== null && keys.length > 1) {
    return sendWhenUsable(client, transaction, request, slot, keys, () => {
      slot.sendToOwner(request, piece, 0, piece.length);
    });
  }
  if (keys !== null) {
    request.keys = keys[0]?.keys ?? null;
    request.usesUnnamedKeys = queuesUnnamedKeys(transaction, client.shared.scripts);
  }
  slot.send(request, piece, 0, piece.length);
  transaction.end();
}

function execWatched(
  client: Client,
  command: Command,
  transaction: Transaction,
  watch: WatchedSlot,
): void {
  if (client.depth > 0) {
    client.credit.isRefused = true; // it is dispatched again
    return;
  }
  const { slot } = watch;
  const piece = pieceOf(client, transaction);
  const request = enqueueExec(client, command, transaction, slot, piece.length);
  if (request === null) return;
  const { replies } = client;
  request.state = "sent";
  const reply = new ExecReply(client, transaction, (isFailure) => {
    if (isFailure) watch.cancel(); // the server may watch still
    else watch.end();
  });
  request.owner = reply;
  request.leads = reply.leads;
  client.transaction = null;
  client.watches = NO_WATCHES;
  client.isAtBarrier = true; // what follows goes over other connections
  const keys = slot.isOpen ? [] : keysOfQueued(transaction, client.database);
  const send = () => {
    const { link } = watch;
    if (link === null || watch.isTouched) {
      watch.end();
      request.owner = replies;
      return replies.completed(request, nullOf(client));
    }
    const refusal = refusedEverywhere(client, transaction);
    if (refusal !== "") {
      watch.cancel();
      request.owner = replies;
      return replies.completed(request, errorReply(refusal));
    }
    request.slot = slot;
    holdSlots(client, transaction, request, slot);
    link.send(request, piece, 0, piece.length);
  };
  watch.adapt(client, (error) => {
    if (error === "") return sendWhenUsable(client, transaction, request, slot, keys, send);
    transaction.end();
    request.owner.failed(request, error);
  });
}

/** Sends a transaction of a migrating slot when its keys are at the new server. */
function sendWhenUsable(
  client: Client,
  transaction: Transaction,
  request: Request,
  slot: Slot,
  keys: readonly DatabaseKeys[],
  send: () => void,
): void {
  request.state = "sent";
  const { options, scripts } = client.shared;
  const usesUnnamedKeys = !slot.isOpen && queuesUnnamedKeys(transaction, scripts);
  whenUsable(slot, keys, options.slotWaitMs, (error) => {
    if (error === "" && !client.replies.isGone) send();
    else request.owner.failed(request, error);
    transaction.end();
  }, usesUnnamedKeys);
}
