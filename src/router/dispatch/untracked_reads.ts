/**
 * What a client of CLIENT TRACKING reads over a link that does not track: a guarded transaction, whose link is
 * that of WATCH, and XREAD that blocks. It is told at once, behind the reply, that these keys have changed.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { KeyIndexes, keyIndexes } from "../../command/key.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import { keysOfQueued } from "./queued_keys.ts";

const KEYS = new KeyIndexes();

/** The keys that a command will read so; asked before it is dispatched. */
export function untrackedKeys(
  client: Client,
  command: Command | undefined,
  parser: RequestParser,
): readonly string[] {
  const { transaction, watches, database } = client;
  if (command === undefined || !client.extras?.tracking) return [];
  if (command.name === "exec") {
    if (transaction === null || watches.length === 0) return [];
    return keysOfQueued(transaction, database).flatMap(({ keys }) => keys);
  }
  if (transaction !== null || !command.isBlocking || !command.isReadOnly) return [];
  const keys: string[] = [];
  const count = keyIndexes(command, parser, KEYS);
  for (let i = 0; i < count; i++) {
    const key = KEYS.values[i]!;
    keys.push(latin1(parser.bytes, parser.start(key), parser.end(key)));
  }
  return keys;
}
