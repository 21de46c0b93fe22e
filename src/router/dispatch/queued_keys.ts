/**
 * The keys of the requests that a transaction has queued.
 *
 * @module
 */

import { findCommand } from "../../command/command_table.ts";
import { KeyIndexes, keyIndexes } from "../../command/key.ts";
import { latin1 } from "../../resp/latin1.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import { fits } from "./learn.ts";
import type { LearnedCommands } from "../learned_commands.ts";

const KEYS = new KeyIndexes();

/** All keys of these requests, each once, one character for each byte. Borrows `bytes` until it returns. */
export function keysOfQueued(bytes: Uint8Array, learned: LearnedCommands): string[] {
  const keys = new Set<string>();
  const parser = new RequestParser();
  for (let at = 0; at < bytes.length; at = parser.nextStart, parser.next()) {
    if (parser.parse(bytes, at, bytes.length) !== "request") {
      throw new Error("a queued request is not whole");
    }
    const known = findCommand(parser);
    const command = fits(known, parser) ? known : learned.find(parser);
    const count = command === undefined ? 0 : keyIndexes(command, parser, KEYS);
    for (let i = 0; i < count; i++) {
      const key = KEYS.values[i]!;
      keys.add(latin1(parser.bytes, parser.start(key), parser.end(key)));
    }
  }
  return [...keys];
}
