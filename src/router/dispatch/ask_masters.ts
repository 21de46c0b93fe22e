/**
 * The same request to several masters, and one reply of theirs.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import type { Master } from "../backends/server.ts";
import type { Client } from "../client/client.ts";
import { requestKind } from "../client/reply_sizes.ts";
import type { Request } from "../request.ts";
import { sendTo } from "../slots/route.ts";
import { Gather, type MergeOrAsk } from "./gather.ts";

/**
 * Puts a command in its client's FIFO that asks each of these masters, unless their replies may not be
 * asked for now.
 *
 * @param bytes The request as it is asked.
 * @returns The request and what each reply is expected to have, in bytes; null when it is refused.
 */
export function parkForMasters(
  client: Client,
  command: Command,
  masters: readonly Master[],
  bytes: Uint8Array,
): { parent: Request; expectedBytes: number } | null {
  const { credit, replies } = client;
  const kind = requestKind(command.id, masters.length, bytes.length);
  const expectedBytes = credit.mayAskEach(command, kind, masters.map(({ server }) => server));
  if (expectedBytes < 0) return null;
  const parent = replies.park(command);
  parent.kind = kind;
  replies.charge(parent, bytes.length);
  return { parent, expectedBytes };
}

/**
 * Sends the same request to several masters and merges the replies, unless these may not be asked for
 * now. Copies `bytes`.
 *
 * @param command The client's command, whose reply this makes.
 */
export function sendToAll(
  client: Client,
  command: Command,
  masters: readonly Master[],
  merge: MergeOrAsk,
  bytes: Uint8Array,
): void {
  const parked = parkForMasters(client, command, masters, bytes);
  if (parked === null) return;
  const letGo = client.shared.slots.pool.keep(masters);
  askAll(client, parked.parent, masters, merge, bytes, parked.expectedBytes, letGo);
}

/**
 * As {@linkcode sendToAll}, for a request that is in its client's FIFO already.
 *
 * @param expectedBytes What each reply is expected to have.
 * @param settledAll Called once all have replied or failed.
 */
export function askAll(
  client: Client,
  parent: Request,
  masters: readonly Master[],
  merge: MergeOrAsk,
  bytes: Uint8Array,
  expectedBytes = 0,
  settledAll: (() => void) | null = null,
): void {
  const gather = new Gather(client, parent, masters.length, merge, settledAll);
  for (const { server } of masters) {
    const part = gather.part();
    client.credit.expect(part, server, expectedBytes);
    sendTo(server, part, bytes, 0, bytes.length);
  }
}
