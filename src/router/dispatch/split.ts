/**
 * Commands of many keys that may live on many servers: MGET, MSET, DEL, UNLINK, EXISTS, TOUCH.
 *
 *      keys ─► slot ─► group (one per server, or connection to it; one per slot that is being changed)
 *      group ─► one request with the group's keys, in the client's own order and bytes
 *
 * One request per server, not one per key; a command whose keys all live on one server goes there
 * as it is.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { arrayHeader, errorReply } from "../../resp/encoder.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import { SLOT_NOT_READY, wrongArity } from "../errors.ts";
import { Gather, type ReplyMerge } from "./gather.ts";
import { mergeInOrder, MERGES } from "./merge.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { Server } from "../backends/server.ts";
import type { Client } from "../client/client.ts";
import { chooseLane, waitsForLane } from "../client/lane.ts";
import { requestKind } from "../client/reply_sizes.ts";
import type { Request } from "../request.ts";
import { NOTICED_BYTES_MIN } from "../sampling/sampling.ts";
import { beginAt, sendTo } from "../slots/route.ts";
import type { Slot } from "../slots/slot.ts";
import { sendToSlot } from "./forward.ts";

/** The keys of one command that travel together. */
interface Group {
  /** Where they go: a server, or a slot that is being changed and decides later. */
  readonly server: Server | null;
  /** Which of the server's connections its slots have. */
  readonly connection: number;
  readonly changing: Slot | null;
  /** Every slot of the group, once. */
  readonly slots: Slot[];
  /** How many keys it has. */
  keys: number;
}

/** Numbers the splits, so that a slot knows whether it has been in this one. */
let lastSplit = 0;

/** Requests with more keys have memory of their own for their groups. */
const POOLED_KEYS_MAX = 128;
/** Memories that are kept for re-use. */
const FREE_GROUPS_MAX = 1_024;
const freeGroups: Uint16Array[] = [];

/** Memory for the group of each key of a request. A new one would cost as much as three keys. */
function takeGroups(keys: number): Uint16Array {
  if (keys > POOLED_KEYS_MAX) return new Uint16Array(keys);
  return freeGroups.pop() ?? new Uint16Array(POOLED_KEYS_MAX);
}

function giveGroupsBack(groupOf: Uint16Array): void {
  if (groupOf.length > POOLED_KEYS_MAX || freeGroups.length >= FREE_GROUPS_MAX) return;
  freeGroups.push(groupOf);
}

/** Splits a request by server. Borrows the parser's bytes until it returns. */
export function split(client: Client, command: Command, parser: RequestParser): void {
  const step = command.keyStep;
  if ((parser.count - 1) % step !== 0) {
    return client.answer(errorReply(wrongArity(command.name)));
  }
  const { all: slots, placement } = client.shared.slots;
  if (parser.count - 1 === step) {
    const { bytes, requestStart, requestEnd } = parser;
    const hash = placement.hashOf(bytes, parser.start(1), parser.end(1));
    const slot = slots[hash & (SLOT_COUNT - 1)]!;
    const keys = slot.isOpen ? null : [latin1(bytes, parser.start(1), parser.end(1))];
    return sendToSlot(client, command, slot, hash, keys, bytes, requestStart, requestEnd);
  }
  if (!command.isReadOnly && client.reads?.isBusy === true) return client.credit.waitForReplies();
  const groupOf = takeGroups((parser.count - 1) / step);
  const isKept = splitByServer(client, command, parser, groupOf);
  if (!isKept) giveGroupsBack(groupOf);
}

/**
 * Finds the group of each key, and sends each group its request.
 *
 * @param groupOf Gets the group of each key.
 * @returns Whether `groupOf` is kept until the reply is whole.
 */
function splitByServer(
  client: Client,
  command: Command,
  parser: RequestParser,
  groupOf: Uint16Array,
): boolean {
  const { all: slots, placement } = client.shared.slots;
  const step = command.keyStep;
  const groups: Group[] = [];
  let keysHash = 0;
  const id = ++lastSplit;
  for (let i = 0, arg = 1; arg < parser.count; i++, arg += step) {
    const hash = placement.hashOf(parser.bytes, parser.start(arg), parser.end(arg));
    const slot = slots[hash & (SLOT_COUNT - 1)]!;
    keysHash = Math.imul(keysHash, 31) + hash | 0;
    if (slot.state === "offline") {
      client.answer(errorReply(SLOT_NOT_READY));
      return false;
    }
    if (slot.splitId !== id) {
      slot.splitId = id;
      slot.splitGroup = findGroup(groups, slot);
      groups[slot.splitGroup]!.slots.push(slot);
    }
    groups[slot.splitGroup]!.keys++;
    groupOf[i] = slot.splitGroup;
  }
  if (groups.length > 1) return sendParts(client, command, parser, groups, groupOf, keysHash);
  sendWhole(client, command, parser, groups[0]!, groupOf, keysHash);
  return false;
}

/** The group that a slot's keys join, made when it is the first of its kind. */
function findGroup(groups: Group[], slot: Slot): number {
  const server = slot.isOpen ? slot.server : null;
  const connection = server === null ? 0 : server.connectionOf(slot.id);
  if (server !== null) {
    for (let g = 0; g < groups.length; g++) {
      if (groups[g]!.server === server && groups[g]!.connection === connection) return g;
    }
  }
  groups.push({ server, connection, changing: server === null ? slot : null, slots: [], keys: 0 });
  return groups.length - 1;
}

/** All keys have one server: the client's request is sent as it is. */
function sendWhole(
  client: Client,
  command: Command,
  parser: RequestParser,
  group: Group,
  groupOf: Uint16Array,
  keysHash: number,
): void {
  const { bytes, requestStart, requestEnd } = parser;
  const { changing, server } = group;
  if (changing !== null) {
    const keys = keysOf(parser, groupOf, 0, command.keyStep);
    return sendToSlot(client, command, changing, keysHash, keys, bytes, requestStart, requestEnd);
  }
  const { credit, replies } = client;
  const kind = requestKind(command.id, keysHash, requestEnd - requestStart);
  const expected = credit.expectedOf(command, kind);
  if (!credit.mayAsk(command, server, expected)) return;
  if (waitsForLane(client, command, expected)) return;
  const request = replies.enqueue(command);
  request.kind = kind;
  request.slots = group.slots;
  replies.charge(request, requestEnd - requestStart);
  credit.expect(request, server, expected);
  noticeLarge(client, request, requestEnd - requestStart, expected);
  chooseLane(client, request, expected);
  sendTo(server!, request, bytes, requestStart, requestEnd);
}

/** Each server gets a request for its keys; the rest is as with {@linkcode splitByServer}. */
function sendParts(
  client: Client,
  command: Command,
  parser: RequestParser,
  groups: readonly Group[],
  groupOf: Uint16Array,
  keysHash: number,
): boolean {
  const { credit, replies } = client;
  const step = command.keyStep;
  const kind = requestKind(command.id, keysHash, parser.requestEnd - parser.requestStart);
  const expected = credit.mayAskEach(command, kind, groups.map(({ server }) => server));
  if (expected < 0 || waitsForLane(client, command, expected)) return false;
  const parent = replies.park(command);
  parent.kind = kind;
  chooseLane(client, parent, expected);
  const isOrdered = command.merge === "concat";
  const merge = isOrdered ? inOrderOf(groupOf, (parser.count - 1) / step) : MERGES[command.merge]!;
  const gather = new Gather(client, parent, groups.length, merge);
  replies.charge(parent, parser.requestEnd - parser.requestStart);
  noticeLarge(client, parent, parser.requestEnd - parser.requestStart, expected * groups.length);
  for (let g = 0; g < groups.length; g++) {
    const { server, changing, slots, keys } = groups[g]!;
    const part = gather.part();
    credit.expect(part, server, expected);
    const header = arrayHeader(1 + keys * step);
    if (changing !== null) {
      part.keys = keysOf(parser, groupOf, g, step);
      const own = new PartBytes();
      appendPart(own, header, parser, groupOf, g, step);
      changing.send(part, own.bytes, 0, own.length);
      continue;
    }
    part.slots = slots;
    const backend = beginAt(server!, part);
    if (backend !== null) appendPart(backend, header, parser, groupOf, g, step);
  }
  return isOrdered;
}

/** Puts the replies into the order of the keys. Takes `groupOf`. */
function inOrderOf(groupOf: Uint16Array, keys: number): ReplyMerge {
  return (replies) => {
    const reply = mergeInOrder(replies, groupOf, keys);
    giveGroupsBack(groupOf);
    return reply;
  };
}

/** Shows a large request, or one that will have a large reply, to those who look at such. */
function noticeLarge(client: Client, request: Request, bytes: number, expected: number): void {
  if (Math.max(bytes, expected) >= NOTICED_BYTES_MIN) client.replies.notice(request);
}

/** The keys of group `g`, each once. */
function keysOf(args: Arguments, groupOf: Uint16Array, g: number, step: number): string[] {
  const keys = new Set<string>();
  for (let i = 0, arg = 1; arg < args.count; i++, arg += step) {
    if (groupOf[i] === g) keys.add(latin1(args.bytes, args.start(arg), args.end(arg)));
  }
  return [...keys];
}

/** Something bytes are appended to. */
interface Appender {
  append(bytes: Uint8Array, start: number, end: number): void;
}

/** The bytes of a part that must wait for its slot. */
export class PartBytes implements Appender {
  bytes = new Uint8Array(1024);
  length = 0;

  append(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.length + end - start;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(bytes.subarray(start, end), this.length);
    this.length = needed;
  }
}

/** Appends a request for the keys of group `g`: the command's name, then the keys, neighbours in one piece. */
export function appendPart(
  to: Appender,
  header: Uint8Array,
  args: Arguments,
  groupOf: Uint16Array,
  g: number,
  step: number,
): void {
  to.append(header, 0, header.length);
  to.append(args.bytes, bulkStart(args, 0), args.end(0) + 2);
  const keys = (args.count - 1) / step;
  for (let i = 0; i < keys; i++) {
    if (groupOf[i] !== g) continue;
    const from = bulkStart(args, 1 + i * step);
    while (i + 1 < keys && groupOf[i + 1] === g) i++;
    to.append(args.bytes, from, args.end(i * step + step) + 2);
  }
}

/** Where argument `i` begins, its `$length` line included. */
function bulkStart(args: Arguments, i: number): number {
  let at = args.start(i) - 3;
  while (args.bytes[at] !== 36 /* $ */) at--;
  return at;
}
