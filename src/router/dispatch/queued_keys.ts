/**
 * The keys of the requests that a transaction has queued, by database.
 *
 * @module
 */

import { KeyIndexes, keyIndexes, otherDatabase } from "../../command/key.ts";
import { latin1 } from "../../resp/latin1.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import type { Transaction } from "../client/transaction.ts";
import { selectedDatabase } from "../local/connection.ts";
import { DATABASES } from "../options.ts";
import type { ScriptTexts } from "./script_texts.ts";
import { mayUseUnnamedKeys } from "./unnamed_keys.ts";
import type { DatabaseKeys } from "../slots/when_usable.ts";

const KEYS = new KeyIndexes();

/**
 * All keys of what a transaction has queued for a server, each once.
 *
 * @param database The one in which the first request is executed.
 */
export function keysOfQueued(transaction: Transaction, database: number): DatabaseKeys[] {
  const bytes = transaction.queuedBytes;
  const sent = transaction.sent();
  const all = new Map<number, Set<string>>();
  const parser = new RequestParser();
  let inDatabase = database;
  for (let at = 0; at < bytes.length; at = parser.nextStart, parser.next()) {
    if (parser.parse(bytes, at, bytes.length) !== "request") {
      throw new Error("a queued request is not whole");
    }
    const command = sent.shift()!;
    if (command.name === "select") {
      const selected = selectedDatabase(parser);
      if (typeof selected === "number") inDatabase = selected;
    }
    const count = keyIndexes(command, parser, KEYS);
    for (const used of [inDatabase, otherDatabase(command, parser)]) {
      if (used < 0 || used >= DATABASES) continue;
      let keys = all.get(used);
      if (keys === undefined) all.set(used, keys = new Set());
      for (let i = 0; i < count; i++) {
        const key = KEYS.values[i]!;
        keys.add(latin1(parser.bytes, parser.start(key), parser.end(key)));
      }
    }
  }
  return [...all].map(([database, keys]) => ({ database, keys: [...keys] }));
}

/** Whether something that a transaction has queued may use keys that it does not name. */
export function queuesUnnamedKeys(transaction: Transaction, texts: ScriptTexts): boolean {
  const sent = transaction.sent();
  if (sent.every(({ caution }) => caution === "")) return false;
  const bytes = transaction.queuedBytes;
  const parser = new RequestParser();
  let at = 0;
  return sent.some((command) => {
    parser.parse(bytes, at, bytes.length);
    const isSo = mayUseUnnamedKeys(texts, command, parser);
    at = parser.nextStart;
    parser.next();
    return isSo;
  });
}
