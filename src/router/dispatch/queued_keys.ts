/**
 * The keys of the requests that a transaction has queued.
 *
 * @module
 */

import { findCommand } from "../../command/command_table.ts";
import { KeyIndexes, keyIndexes } from "../../command/key.ts";
import { latin1 } from "../../resp/latin1.ts";
import { RequestParser } from "../../resp/request_parser.ts";

const KEYS = new KeyIndexes();

/** All keys of these requests, each once, one character for each byte. Borrows `bytes` until it returns. */
export function keysOfQueued(bytes: Uint8Array): string[] {
  const keys = new Set<string>();
  const parser = new RequestParser();
  for (let at = 0; at < bytes.length; at = parser.nextStart, parser.next()) {
    if (parser.parse(bytes, at, bytes.length) !== "request") {
      throw new Error("a queued request is not whole");
    }
    const count = keyIndexes(findCommand(parser)!, parser, KEYS);
    for (let i = 0; i < count; i++) {
      const key = KEYS.values[i]!;
      keys.add(latin1(parser.bytes, parser.start(key), parser.end(key)));
    }
  }
  return [...keys];
}
