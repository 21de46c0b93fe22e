/**
 * Dispatches commands that block: each goes to its slot alone, when all that its client has asked before is answered.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { BAD_ARGUMENTS, KeyIndexes, keyIndexes } from "../../command/key.ts";
import { errorReply } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import { forward } from "../dispatch/forward.ts";
import { CROSS_SLOT } from "../errors.ts";
import { BlockForm } from "./block_form.ts";
import { BlockedCommand } from "./blocked_command.ts";

const KEYS = new KeyIndexes();

/** Dispatches a command that blocks. Borrows the parser's bytes until it returns. */
export function block(client: Client, command: Command, parser: RequestParser): void {
  if (client.depth > 0) {
    // What was asked before goes over another connection, and comes first.
    client.isAtBarrier = true;
    client.credit.isRefused = true;
    return;
  }
  const count = keyIndexes(command, parser, KEYS);
  if (count === BAD_ARGUMENTS) return forward(client, command, parser);
  const { placement } = client.shared.slots;
  const keys = new Set<string>();
  const slots = new Set<number>();
  for (const key of KEYS.values.subarray(0, count)) {
    keys.add(latin1(parser.bytes, parser.start(key), parser.end(key)));
    slots.add(placement.slotIdOf(parser.bytes, parser.start(key), parser.end(key)));
  }
  if (slots.size > 1) return client.answer(errorReply(CROSS_SLOT));
  const slot = client.shared.slots.all[[...slots][0] ?? 0]!;
  const bytes = parser.requestEnd - parser.requestStart;
  new BlockedCommand(client, command, slot, [...keys], new BlockForm(command, parser), bytes);
}
