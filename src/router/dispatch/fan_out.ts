/**
 * Commands that concern every master: DBSIZE, FLUSHALL, KEYS, SCAN, SCRIPT LOAD and their like.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { errorReply } from "../../resp/encoder.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Master } from "../backends/server.ts";
import type { Client } from "../client/client.ts";
import { SLOT_NOT_READY } from "../errors.ts";
import { sendOn } from "../slots/route.ts";
import { sendToAll } from "./ask_masters.ts";
import { Gather, type MergeOrAsk } from "./gather.ts";
import { askKeySpace, isAboutKeys } from "./key_space.ts";
import { MERGES } from "./merge.ts";
import { scan } from "./scan.ts";

/** Sends a request to every master. Borrows the parser's bytes until it returns. */
export function fanOut(client: Client, command: Command, parser: RequestParser): void {
  const masters = client.shared.slots.masters();
  if (masters.length === 0) return client.answer(errorReply(SLOT_NOT_READY));
  if (command.merge === "scan") return scan(client, command, parser);
  const bytes = parser.bytes.subarray(parser.requestStart, parser.requestEnd);
  if (isAboutKeys(command)) return askKeySpace(client, command, bytes);
  noteScripts(client, command, parser);
  const merge = MERGES[command.merge]!;
  if (command.merge === "one_succeeded") askAlone(client, command, masters, merge, bytes);
  else sendToAll(client, command, masters, merge, bytes);
}

/** Scripts and functions that servers get are looked at, for when they are called. */
function noteScripts(client: Client, command: Command, args: RequestParser): void {
  const { scripts } = client.shared;
  if (command.name.startsWith("function|")) scripts.functionsChange();
  else if (command.name === "script|load") {
    scripts.learn(args.bytes.subarray(args.start(2), args.end(2)));
  }
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
