/**
 * Commands that concern every master: DBSIZE, FLUSHALL, KEYS, SCAN, SCRIPT LOAD and their like.
 *
 * @module
 */

import type { Command } from "../command/command.ts";
import type { Arguments } from "../resp/arguments.ts";
import { Encoder, encodeRequest, errorReply } from "../resp/encoder.ts";
import type { RequestParser } from "../resp/request_parser.ts";
import { SLOT_NOT_READY } from "./errors.ts";
import { Gather, type Merge, type PartReply } from "./gather.ts";
import { badReply, elementsOf, firstError, MERGES } from "./merge.ts";
import type { Request } from "./request.ts";
import type { Master } from "./router.ts";
import type { Session } from "./session.ts";

/**
 * Masters that a SCAN can walk; a cursor is the server's own cursor × this + the master's place.
 * Servers' cursors stay below their table size, so the product stays below 2^63.
 */
const SCAN_MASTERS_MAX = 4096n;
const CURSOR_MAX = 2n ** 63n;

/** Sends a request to every master. Borrows the parser's bytes until it returns. */
export function fanOut(session: Session, command: Command, parser: RequestParser): void {
  const masters = session.router.masters();
  if (masters.length === 0) return session.answer(errorReply(SLOT_NOT_READY));
  if (command.merge === "scan") return scan(session, command, parser, masters);
  const { bytes, requestStart, requestEnd } = parser;
  sendToAll(
    session,
    command,
    masters,
    MERGES[command.merge]!,
    bytes.subarray(requestStart, requestEnd),
  );
}

/**
 * Sends the same request to several masters and merges the replies. Copies `bytes`.
 *
 * @param command The client's command, whose reply this makes.
 */
export function sendToAll(
  session: Session,
  command: Command,
  masters: readonly Master[],
  merge: Merge,
  bytes: Uint8Array,
): void {
  const parent = session.enqueue(command);
  parent.state = "sent";
  session.charge(parent, bytes.length);
  askAll(parent, masters, merge, bytes);
}

/** As {@linkcode sendToAll}, for a request that is in its session's FIFO already. */
export function askAll(
  parent: Request,
  masters: readonly Master[],
  merge: Merge,
  bytes: Uint8Array,
): void {
  const gather = new Gather(parent, masters.length, merge);
  for (const { server } of masters) {
    const part = gather.part();
    server.backend(parent.database, parent.protocol).push(part, bytes, 0, bytes.length);
  }
}

/** One step of a walk over all masters, one after the other. */
function scan(
  session: Session,
  command: Command,
  args: Arguments,
  masters: readonly Master[],
): void {
  const words: Uint8Array[] = [];
  for (let i = 0; i < args.count; i++) words.push(args.bytes.slice(args.start(i), args.end(i)));
  const text = new TextDecoder().decode(words[1]!);
  const cursor = /^\d{1,19}$/.test(text) ? BigInt(text) : CURSOR_MAX;
  if (cursor >= CURSOR_MAX) return session.answer(errorReply("ERR invalid cursor"));
  const place = Number(cursor % SCAN_MASTERS_MAX);
  const master = masters[place];
  // The walk was begun when there were more masters: what is left of it is gone.
  if (master === undefined) return session.answer(scanReply("0", EMPTY_ARRAY));
  words[1] = new TextEncoder().encode(String(cursor / SCAN_MASTERS_MAX));
  sendToAll(session, command, [master], ([reply]) => {
    return firstError([reply!]) ?? stepReply(reply!, place, masters.length);
  }, encodeRequest(words));
}

/** Turns a server's cursor into ours: its next step, or the next master's first. */
function stepReply(reply: PartReply, place: number, masters: number): Uint8Array {
  const [cursorBulk, keys] = elementsOf(reply.bytes) ?? [];
  const cursorText = cursorBulk === undefined ? "" : new TextDecoder().decode(cursorBulk);
  const match = /^\$\d+\r\n(\d+)\r\n$/.exec(cursorText);
  if (match === null || keys === undefined) return badReply(reply);
  const own = BigInt(match[1]!);
  if (own !== 0n) {
    const next = own * SCAN_MASTERS_MAX + BigInt(place);
    if (next >= CURSOR_MAX) {
      return errorReply("ERR handle response, a server's cursor is too large");
    }
    return scanReply(String(next), keys);
  }
  return scanReply(place + 1 < masters ? String(place + 1) : "0", keys);
}

const EMPTY_ARRAY = new Encoder(2).array(0).done();

function scanReply(cursor: string, keys: Uint8Array): Uint8Array {
  return new Encoder(2).array(2).bulk(cursor).raw(keys).done();
}
