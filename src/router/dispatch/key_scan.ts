/**
 * HSCAN, SSCAN and ZSCAN: the cursor says which server it is of, since another one hashes in another order.
 *
 *      cursor  =  1 │ server, 20 bits │ the server's own, 32 bits          begin: 0, end: 0
 *
 * Redis looks at the lowest bits of a cursor only, as many as its table has, so a request goes to the
 * server as it is, in a transaction and in a script, too. A reply's cursor is marked with the server
 * that gave it. When the key has moved since, or its master has changed, the cursor means nothing there:
 * the walk begins anew at the new server, so that elements come twice and none is missed. A cursor stays
 * below 2^53, for clients in JavaScript.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { crc32 } from "../../hash/crc32.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import { utf8 } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import { requestKind } from "../client/reply_sizes.ts";
import type { Request } from "../request.ts";
import { Gather, type PartReply } from "./gather.ts";
import { badReply, firstError } from "./merge.ts";
import { readScanReply, scanReply } from "./scan.ts";

const OWN_BITS = 32n;
const SERVER_MASK = (1n << 20n) - 1n;
/** What tells a cursor with a server from a bare one, such as a transaction's replies have. */
const MARK = 1n << 52n;

/** The server of a cursor, as a number of 20 bits; null when it names none. */
function serverOf(cursor: bigint): bigint | null {
  return cursor >> 52n === 1n ? cursor >> OWN_BITS & SERVER_MASK : null;
}

function serverNumber(address: string): bigint {
  const bytes = utf8(address);
  return BigInt(crc32(bytes, 0, bytes.length)) & SERVER_MASK;
}

/**
 * The cursor for the client.
 *
 * @param asked The cursor that it sent.
 * @param own The cursor that the server has answered.
 * @param address The server.
 */
export function nextCursor(asked: bigint, own: bigint, address: string): bigint {
  const number = serverNumber(address);
  const before = serverOf(asked);
  const head = MARK | number << OWN_BITS;
  if (before !== null && before !== number) return head; // what it has skipped was never returned
  // A table of so many elements has no cursor that fits; it is given as it is.
  return own === 0n || own >> OWN_BITS !== 0n ? own : head | own;
}

/** What a cursor of the client's means at a server: 0 when it is another one's. */
export function ownCursor(asked: bigint, address: string): bigint {
  const number = serverOf(asked);
  if (number === null) return asked;
  return number === serverNumber(address) ? BigInt.asUintN(Number(OWN_BITS), asked) : 0n;
}

/** Sends one step of a walk. Borrows the parser's bytes until it returns. */
export function scanKey(client: Client, command: Command, parser: RequestParser): void {
  const { credit, replies } = client;
  const { all, placement } = client.shared.slots;
  const { bytes, requestStart, requestEnd } = parser;
  const start = parser.start(command.singleKey);
  const end = parser.end(command.singleKey);
  const hash = placement.hashOf(bytes, start, end);
  const slot = all[hash & (SLOT_COUNT - 1)]!;
  const server = slot.isOpen ? slot.server : null;
  const length = requestEnd - requestStart;
  const kind = requestKind(command.id, hash, length);
  const expected = credit.mayAskEach(command, kind, [server]);
  if (expected < 0) return; // it is dispatched again
  const parent = replies.park(command);
  parent.kind = kind;
  const asked = cursorIn(bytes, parser.start(2), parser.end(2));
  const gather = new Gather(client, parent, 1, ([reply]) => scanAnswer(reply!, asked, part));
  const part: Request = gather.part();
  replies.charge(parent, length);
  credit.expect(part, server, expected);
  if (server === null) part.keys = [latin1(bytes, start, end)];
  slot.send(part, bytes, requestStart, requestEnd);
}

/** The cursor of a request; one that is no number begins a walk, which the server refuses. */
export function cursorIn(bytes: Uint8Array, start: number, end: number): bigint {
  const text = latin1(bytes, start, end);
  return /^\d{1,20}$/.test(text) ? BigInt(text) : 0n;
}

/**
 * A server's reply with the cursor for the client.
 *
 * @param asked The cursor that the client sent.
 * @param part What was sent to the server.
 * @param shownOf Those of the found elements that the client gets.
 */
export function scanAnswer(
  reply: PartReply,
  asked: bigint,
  { backend }: Request,
  shownOf = (elements: Uint8Array) => elements,
): Uint8Array {
  const error = firstError([reply]);
  if (error !== undefined) return error;
  const found = readScanReply(reply.bytes);
  if (found === null || backend === null) return badReply(reply);
  const cursor = nextCursor(asked, found.cursor, backend.server.address);
  return scanReply(cursor, shownOf(found.elements));
}
