/**
 * Commands that concern every master: DBSIZE, FLUSHALL, KEYS, SCAN, SCRIPT LOAD and their like.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { errorReply } from "../../resp/encoder.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import { SLOT_NOT_READY } from "../errors.ts";
import { Gather, type MergeOrAsk } from "./gather.ts";
import { askKeySpace, isAboutKeys } from "./key_space.ts";
import { MERGES } from "./merge.ts";
import { requestKind } from "../client/reply_sizes.ts";
import type { Request } from "../request.ts";
import type { Master } from "../router.ts";
import { scan } from "./scan.ts";
import type { Session } from "../client/session.ts";

/** Sends a request to every master. Borrows the parser's bytes until it returns. */
export function fanOut(session: Session, command: Command, parser: RequestParser): void {
  const masters = session.router.masters();
  if (masters.length === 0) return session.answer(errorReply(SLOT_NOT_READY));
  if (command.merge === "scan") return scan(session, command, parser);
  const bytes = parser.bytes.subarray(parser.requestStart, parser.requestEnd);
  if (isAboutKeys(command)) return askKeySpace(session, command, bytes);
  const merge = MERGES[command.merge]!;
  if (command.merge === "one_succeeded") askAlone(session, command, masters, merge, bytes);
  else sendToAll(session, command, masters, merge, bytes);
}

/** Asks masters over connections of their own, which wait for nothing that a server is busy with. */
function askAlone(
  session: Session,
  command: Command,
  masters: readonly Master[],
  merge: MergeOrAsk,
  bytes: Uint8Array,
): void {
  const parent = session.enqueue(command);
  parent.state = "sent";
  const gather = new Gather(parent, masters.length, merge);
  for (const { server } of masters) {
    const part = gather.part();
    part.privateBackend = server.openAlone();
    part.privateBackend.push(part, bytes, 0, bytes.length);
  }
}

/**
 * Sends the same request to several masters and merges the replies, unless these may not be asked for
 * now. Copies `bytes`.
 *
 * @param command The client's command, whose reply this makes.
 */
export function sendToAll(
  session: Session,
  command: Command,
  masters: readonly Master[],
  merge: MergeOrAsk,
  bytes: Uint8Array,
): void {
  const { asking } = session;
  const kind = requestKind(command.id, masters.length, bytes.length);
  const expected = asking.mayAskEach(command, kind, masters.map(({ server }) => server));
  if (expected < 0) return;
  const parent = session.enqueue(command);
  parent.state = "sent";
  parent.kind = kind;
  session.charge(parent, bytes.length);
  askAll(parent, masters, merge, bytes, expected);
}

/**
 * As {@linkcode sendToAll}, for a request that is in its session's FIFO already.
 *
 * @param expectedBytes What each reply is expected to have.
 */
export function askAll(
  parent: Request,
  masters: readonly Master[],
  merge: MergeOrAsk,
  bytes: Uint8Array,
  expectedBytes = 0,
): void {
  const gather = new Gather(parent, masters.length, merge);
  for (const { server } of masters) {
    const part = gather.part();
    parent.session!.asking.expect(part, server, expectedBytes);
    server.backend(parent.database, parent.protocol).push(part, bytes, 0, bytes.length);
  }
}
