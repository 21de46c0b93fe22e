/**
 * EXEC of a transaction whose keys are in several slots, where `multi_slot_transactions` allows it.
 *
 *      watched? ─► each link but one: MULTI EXEC ─► touched? ─ yes ─► nil
 *         │                                            └─ no ─┐
 *         └─ no ──────────────────────────────────────────────┴─► each server: MULTI part EXEC ─► joined
 *
 * It is atomic for each server, not over all of them: other clients may see one server's part executed
 * and another's not yet. The part of the server with watched keys goes first, over their link; when it
 * finds them touched, nothing is executed at all.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import type { Command } from "../../command/command.ts";
import { elementsOf } from "../../resp/elements.ts";
import { arrayHeader, encodeRequest, errorReply } from "../../resp/encoder.ts";
import type { Link } from "../backends/link.ts";
import { LinkCall } from "../backends/link_call.ts";
import type { Client } from "../client/client.ts";
import type { Transaction } from "../client/transaction.ts";
import { NO_WATCHES, type WatchedSlot } from "../client/watched_slot.ts";
import { mayBeExecuted, SLOT_NOT_READY } from "../errors.ts";
import { acquireRequest, failRequest, type Request } from "../request.ts";
import { sendTo } from "../slots/route.ts";
import type { Slot } from "../slots/slot.ts";
import { whenUsable } from "../slots/when_usable.ts";
import { queuesUnnamedKeys, sampleQueued } from "./queued_keys.ts";
import { errorText, ExecLeads } from "./exec_leads.ts";
import { ExecReply } from "./exec_reply.ts";
import { Gather, PartReply } from "./gather.ts";
import { Spread, type SpreadPart } from "./spread_parts.ts";

const CHECK = encodeRequest(["EXEC"]);
const MULTI = encodeRequest(["MULTI"]);
const MINUS = 45;
/** What `*-1` and a line end have, which no array with or without elements has. */
const NULL_ARRAY_BYTES = 5;

/** Executes a client's transaction, unless the client must wait and asks again. */
export function execSpread(
  client: Client,
  command: Command,
  transaction: Transaction,
  nil: Uint8Array,
): void {
  const { watches, replies } = client;
  if (watches.length > 0 && client.depth > 0) {
    client.credit.isRefused = true; // it is dispatched again
    return;
  }
  const parent = replies.park(command);
  sampleQueued(client, parent, transaction);
  replies.charge(parent, transaction.heldBytes);
  client.isAtBarrier = true;
  client.transaction = null;
  client.watches = NO_WATCHES;
  const end = (reply: Uint8Array) => {
    transaction.end();
    replies.completed(parent, reply);
  };
  const [main, ...others] = watches;
  whenUntouched(client, others, (isTouched, error) => {
    if (error !== "" || isTouched) {
      main?.cancel();
      return end(error === "" ? nil : errorReply(error));
    }
    if (main === undefined) return sendParts(client, transaction, parent);
    main.adapt(client, (error) => {
      if (error !== "" || main.link === null || main.isTouched) {
        main.cancel();
        return end(error === "" ? nil : errorReply(error));
      }
      sendWhenUsable(client, transaction, parent, main, end, nil);
    });
  });
}

/** Asks over the links of watched slots whether one was touched, and gives them back. */
function whenUntouched(
  client: Client,
  watches: readonly WatchedSlot[],
  done: (isTouched: boolean, error: string) => void,
): void {
  let [isTouched, firstError, left] = [false, "", watches.length];
  if (left === 0) return done(false, "");
  for (const watch of watches) {
    const settled = (reply: Uint8Array, error: string) => {
      const wasLost = watch.isTouched || watch.link === null;
      if (wasLost || isNil(reply)) isTouched = true;
      else if (error !== "") firstError ||= error;
      watch.end();
      if (--left === 0) done(isTouched, isTouched ? "" : firstError);
    };
    if (watch.link === null || client.replies.isGone) settled(NOTHING, "");
    else {
      new LinkCall(watch.slot, () => {}).send(watch.link, MULTI);
      new LinkCall(watch.slot, settled).send(watch.link, CHECK);
    }
  }
}

/** Whether EXEC was answered with nil, in RESP2 or RESP3. */
function isNil(reply: Uint8Array): boolean {
  return reply[0] === 95 /* _ */ || (reply[0] === 42 /* * */ && reply[1] === 45 /* - */);
}

/** Sends the parts when the slot of the watched keys can be used. */
function sendWhenUsable(
  client: Client,
  transaction: Transaction,
  parent: Request,
  watch: WatchedSlot,
  end: (reply: Uint8Array) => void,
  nil: Uint8Array,
): void {
  const { shared: { slots, options, scripts }, database } = client;
  // Keys of a slot that was migrating when they were watched come to its new server first.
  const keys = watch.slot.isMigrating
    ? new Spread(transaction, slots, database, watch.slot).parts[0]!.keys
    : [];
  const usesUnnamedKeys = watch.slot.isMigrating && queuesUnnamedKeys(transaction, scripts);
  whenUsable(watch.slot, keys, options.slotWaitMs, (error) => {
    if (error === "" && watch.link !== null && !watch.isTouched) {
      return sendWatched(client, transaction, parent, watch, watch.link, nil);
    }
    watch.cancel();
    end(error === "" ? nil : errorReply(error));
  }, usesUnnamedKeys);
}

/** Sends the part of the server with the watched keys over their link; then the others. */
function sendWatched(
  client: Client,
  transaction: Transaction,
  parent: Request,
  watch: WatchedSlot,
  link: Link,
  nil: Uint8Array,
): void {
  const { shared: { slots }, database } = client;
  const spread = new Spread(transaction, slots, database, watch.slot);
  const [own, ...others] = spread.parts;
  // Until all parts are sent, their slots stay where they are; the watched one is followed anyway.
  const letGo = keepSlots(spread.parts, watch.slot);
  const gather = new Gather(client, parent, 1, ([reply]) => {
    const { bytes, isError, isFailure } = explained(reply!, part);
    if (isExecuted(part)) {
      const copy = new PartReply(bytes.slice(), isError, isFailure);
      sendRest(client, transaction, parent, spread, others, [copy]);
      letGo();
      return null;
    }
    return isError ? bytes.slice() : nil;
  }, () => {
    if (part.replyType === MINUS) watch.cancel(); // the server may watch still
    else watch.end();
    const isOn = isExecuted(part);
    if (isOn && !client.replies.isGone) return;
    if (isOn) breakOffIfUnusable(part, "");
    if (isOn && others.length > 0) sendUnheard(client, transaction, parent, spread, others);
    else transaction.end();
    letGo();
  });
  const part = partOf(gather, own!);
  part.slots = [...new Set([...own!.slots, watch.slot])];
  const bytes = own!.finish();
  link.send(part, bytes, 0, bytes.length);
}

/** The client is gone after the first part: the other parts are executed all the same. */
function sendUnheard(
  client: Client,
  transaction: Transaction,
  parent: Request,
  spread: Spread,
  parts: readonly SpreadPart[],
): void {
  const unheard = acquireRequest(client.replies);
  unheard.client = parent.client;
  unheard.ways = parent.ways;
  unheard.database = parent.database;
  unheard.protocol = parent.protocol;
  sendRest(client, transaction, unheard, spread, parts, []);
}

/** Whether EXEC has executed a part that is settled: neither an error nor nil, nor was everything refused before. */
function isExecuted({ leads, replyType, replyBytes }: Request): boolean {
  if (leads instanceof ExecLeads && leads.hasQueuedNothing) return false;
  const isNull = replyType === 95 /* _ */ ||
    (replyType === 42 /* * */ && replyBytes === NULL_ARRAY_BYTES);
  return replyType !== MINUS && !isNull;
}

/**
 * Makes changes of the parts' slots wait, but for one slot.
 *
 * @returns Ends that.
 */
function keepSlots(parts: readonly SpreadPart[], except: Slot): () => void {
  const kept = parts.filter(({ server }) => server !== null)
    .flatMap(({ slots }) => [...slots]).filter((slot) => slot !== except);
  for (const slot of kept) slot.enter();
  return () => {
    for (const slot of kept) slot.leave();
  };
}

function sendParts(client: Client, transaction: Transaction, parent: Request): void {
  const { shared: { slots }, database } = client;
  const spread = new Spread(transaction, slots, database);
  sendRest(client, transaction, parent, spread, spread.parts, []);
}

/** Sends parts over shared connections, and answers when all are executed. */
function sendRest(
  client: Client,
  transaction: Transaction,
  parent: Request,
  spread: Spread,
  parts: readonly SpreadPart[],
  before: readonly PartReply[],
): void {
  const reply = new ExecReply(client, transaction);
  const answer = (replies: readonly PartReply[]) => {
    const all = [...before, ...replies];
    const refusal = all.length === replies.length && all.every(({ isError }) => isError);
    if (refusal) return (all.find(isPartInDoubt) ?? all[0]!).bytes.slice(); // nothing is known to be executed
    reply.executed(parent, spread.answers(all));
    return null;
  };
  if (parts.length === 0) {
    transaction.end();
    answer([]);
    return;
  }
  const sent: Request[] = [];
  const gather = new Gather(
    client,
    parent,
    parts.length,
    (replies) => answer(replies.map((reply, i) => explained(reply, sent[i]!))),
    () => {
      transaction.end();
      if (client.replies.isGone) { for (const part of sent) breakOffIfUnusable(part, ""); }
    },
  );
  for (const each of parts) {
    const part = partOf(gather, each);
    sent.push(part);
    sendPart(client, transaction, each, part);
  }
}

function partOf(gather: Gather, { commands, selects }: SpreadPart): Request {
  const part = gather.part();
  part.leads = new ExecLeads(commands, selects);
  return part;
}

/** Whether a part that has no reply may have been executed: who sends it all again may do that twice. */
function isPartInDoubt({ bytes }: PartReply): boolean {
  return mayBeExecuted(errorText(bytes));
}

/** With the errors because of which a part was not executed, or not wholly, or not as a transaction. */
function explained(reply: PartReply, part: Request): PartReply {
  const { leads } = part;
  if (reply.isFailure || !(leads instanceof ExecLeads)) return reply;
  if (reply.isError) {
    const text = errorText(reply.bytes);
    breakOffIfUnusable(part, text);
    return errorPart(leads.shown(text));
  }
  const executed = leads.hasRefused ? elementsOf(reply.bytes) : null;
  if (executed === null) return reply; // all of it was executed, or nothing, since a watched key was touched
  if (leads.hasQueuedNothing) return errorPart(leads.shown(""));
  const elements = leads.inPlace(executed);
  if (elements === null) {
    part.backend?.breakOff(leads.unfitting);
    return errorPart(leads.unfitting);
  }
  return new PartReply(concat([arrayHeader(elements.length), ...elements]), false, false);
}

function errorPart(text: string): PartReply {
  return new PartReply(errorReply(text), true, false);
}

/** Else all that follows on the connection would be queued, or might be done in another database. */
function breakOffIfUnusable({ leads, backend, replyType }: Request, text: string): void {
  if (!(leads instanceof ExecLeads)) return;
  if (replyType !== MINUS) {
    if (leads.hasRefusedSelect) backend?.breakOff(leads.unfitting);
  } else if (leads.isOpen(text)) backend?.breakOff(`EXEC was refused: ${text}`);
}

function sendPart(
  client: Client,
  transaction: Transaction,
  each: SpreadPart,
  part: Request,
): void {
  const { server, changing, keys } = each;
  const bytes = each.finish();
  if (server !== null) {
    // A change that could not wait any longer may have been made meanwhile.
    const isThere = [...each.slots].every((slot) =>
      slot.server === server && (slot.isOpen || slot.state === "draining")
    );
    if (!isThere) return failRequest(part, SLOT_NOT_READY);
    part.slots = [...each.slots];
    return sendTo(server, part, bytes, 0, bytes.length);
  }
  const slot = changing!;
  const { options, scripts } = client.shared;
  const usesUnnamedKeys = queuesUnnamedKeys(transaction, scripts);
  if (keys.length <= 1) {
    part.keys = keys[0]?.keys ?? [];
    part.usesUnnamedKeys = usesUnnamedKeys;
    return slot.send(part, bytes, 0, bytes.length);
  }
  whenUsable(slot, keys, options.slotWaitMs, (error) => {
    if (error !== "") failRequest(part, error);
    else slot.sendToOwner(part, bytes, 0, bytes.length);
  }, usesUnnamedKeys);
}

const NOTHING = new Uint8Array(0);
