/**
 * Commands that go whole to the server of their keys' slot.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { BAD_ARGUMENTS, KeyIndexes, looseCountIndex } from "../../command/key.ts";
import type { Placement } from "../../hash/placement.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { errorReply } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import { chooseLane, waitsForLane } from "../client/lane.ts";
import { requestKind } from "../client/reply_sizes.ts";
import { CROSS_SLOT, keysNotFound, wrongArity } from "../errors.ts";
import type { Request } from "../request.ts";
import { NOTICED_BYTES_MIN } from "../sampling/sampling.ts";
import { mayUseUnnamedKeys } from "./unnamed_keys.ts";
import type { Slot } from "../slots/slot.ts";
import { keyIndexesByRules } from "./script_keys.ts";

/** Key positions of the request being dispatched. */
const KEYS = new KeyIndexes();
const MANY_SLOTS = -2;

/** Sends a request whole to the server of its keys' slot. Borrows the parser's bytes until it returns. */
export function forward(client: Client, command: Command, parser: RequestParser): void {
  if (command.singleKey > 0) return forwardByKey(client, command, parser);
  const { all: slots, placement } = client.shared.slots;
  const { bytes, requestStart, requestEnd } = parser;
  if (command.keyStep > 1 && (parser.count - command.firstKey) % command.keyStep !== 0) {
    return client.answer(errorReply(wrongArity(command.name)));
  }
  const count = keyIndexesByRules(command, parser, placement, KEYS);
  if (count === BAD_ARGUMENTS && command.origin === "learned") {
    return client.answer(errorReply(keysNotFound(command.name)));
  }
  if (count === BAD_ARGUMENTS) return forwardKeyless(client, command, parser);
  const slotId = commonSlot(placement, parser, count);
  if (slotId === MANY_SLOTS) return client.answer(errorReply(CROSS_SLOT));
  const slot = slots[slotId]!;
  const keys = slot.isOpen ? null : keyTexts(parser, count);
  const request = enqueueFor(client, command, slot, slotId, requestEnd - requestStart);
  if (request === null) return;
  if (requestEnd - requestStart >= NOTICED_BYTES_MIN) {
    client.replies.notice(request);
  }
  request.keys = keys;
  if (keys !== null) {
    request.usesUnnamedKeys = mayUseUnnamedKeys(client.shared.scripts, command, parser);
  }
  if (command.caution !== "") client.shared.longScripts.sent();
  slot.send(request, bytes, requestStart, requestEnd);
}

/** As {@linkcode forward}, for a command whose only key has a fixed place. */
export function forwardByKey(client: Client, command: Command, parser: RequestParser): void {
  const { all: slots, placement } = client.shared.slots;
  const { bytes, requestStart, requestEnd } = parser;
  const start = parser.start(command.singleKey);
  const end = parser.end(command.singleKey);
  const keyHash = placement.hashOf(bytes, start, end);
  const slot = slots[keyHash & (SLOT_COUNT - 1)]!;
  const keys = slot.isOpen ? null : [latin1(bytes, start, end)];
  sendToSlot(client, command, slot, keyHash, keys, bytes, requestStart, requestEnd);
}

/** No server can find the keys either: any of them says what is wrong with the request. */
function forwardKeyless(client: Client, command: Command, parser: RequestParser): void {
  const bytes = keylessBytes(command, parser);
  sendToSlot(client, command, client.shared.slots.all[0]!, 0, null, bytes, 0, bytes.length);
}

/**
 * A copy of a request whose keys cannot be found, so that any server says what is wrong with it, in its
 * own words: one that is not strict about numbers must not take it for a good one.
 */
export function keylessBytes(command: Command, parser: RequestParser): Uint8Array {
  const bytes = parser.bytes.slice(parser.requestStart, parser.requestEnd);
  const loose = looseCountIndex(command, parser);
  if (loose > 0) {
    const start = parser.start(loose) - parser.requestStart;
    bytes.fill(120, /* x */ start, parser.end(loose) - parser.requestStart);
  }
  return bytes;
}

/** The slot that all keys share; slot 0, as in Codis, for a command without keys. */
function commonSlot(placement: Placement, args: Arguments, count: number): number {
  let slotId = 0;
  for (let i = 0; i < count; i++) {
    const key = KEYS.values[i]!;
    const id = placement.slotIdOf(args.bytes, args.start(key), args.end(key));
    if (i > 0 && id !== slotId) return MANY_SLOTS;
    slotId = id;
  }
  return slotId;
}

function keyTexts(args: Arguments, count: number): string[] {
  const keys = new Set<string>();
  for (let i = 0; i < count; i++) {
    const key = KEYS.values[i]!;
    keys.add(latin1(args.bytes, args.start(key), args.end(key)));
  }
  return [...keys];
}

/**
 * Sends one request to a slot, unless its reply may not be asked for now. Copies `bytes[start, end)`.
 *
 * @param keyHash Hash of its key, or of what stands for it.
 * @param keys Its keys; null where the slot is open, or there are none.
 */
export function sendToSlot(
  client: Client,
  command: Command,
  slot: Slot,
  keyHash: number,
  keys: readonly string[] | null,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const request = enqueueFor(client, command, slot, keyHash, end - start);
  if (request === null) return;
  if (keys !== null) request.keys = keys;
  slot.send(request, bytes, start, end);
}

/**
 * Puts a request to a slot in its client's FIFO.
 *
 * @param length How many bytes it has.
 * @returns Null when its reply may not be asked for now: the client is refused, and dispatches it again.
 */
export function enqueueFor(
  client: Client,
  command: Command,
  slot: Slot,
  keyHash: number,
  length: number,
): Request | null {
  const { credit, replies, reads } = client;
  if (reads !== null && !command.isReadOnly && reads.isReading(slot.id, command)) {
    credit.waitForReplies(); // reads at replicas would see it
    return null;
  }
  const kind = requestKind(command.id, keyHash, length);
  const expected = credit.expectedOf(command, kind);
  if (!credit.isUncounted(command, expected)) {
    return enqueueCounted(client, command, slot, kind, expected, length);
  }
  const request = replies.enqueue(command);
  request.kind = kind;
  replies.charge(request, length);
  credit.expectUncounted(request, expected);
  return request;
}

/** As {@linkcode enqueueFor}, for one of the few whose replies are counted. */
function enqueueCounted(
  client: Client,
  command: Command,
  slot: Slot,
  kind: number,
  expected: number,
  length: number,
): Request | null {
  const { credit, replies } = client;
  const server = slot.isOpen ? slot.server : null;
  if (!credit.mayAsk(command, server, expected)) return null;
  if (waitsForLane(client, command, expected)) return null;
  const request = replies.enqueue(command);
  request.kind = kind;
  replies.charge(request, length);
  credit.expect(request, server, expected);
  if (expected >= NOTICED_BYTES_MIN) replies.notice(request);
  chooseLane(client, request, expected);
  return request;
}
