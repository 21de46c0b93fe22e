/**
 * The keys of the requests that a transaction has queued, by database.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { KeyIndexes, keyIndexes, otherDatabase } from "../../command/key.ts";
import { latin1 } from "../../resp/latin1.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import type { Transaction } from "../client/transaction.ts";
import { selectedDatabase } from "../local/connection.ts";
import { DATABASES } from "../options.ts";
import type { Request } from "../request.ts";
import type { SampledKey } from "../sampling/sample.ts";
import type { ScriptTexts } from "./script_texts.ts";
import { mayUseUnnamedKeys } from "./unnamed_keys.ts";
import type { DatabaseKeys } from "../slots/when_usable.ts";

const KEYS = new KeyIndexes();

/** Calls `visit` for each request that a transaction has queued for a server, with its database. */
function visitQueued(
  transaction: Transaction,
  database: number,
  visit: (command: Command, parser: RequestParser, database: number) => void,
): void {
  const bytes = transaction.queuedBytes;
  const sent = transaction.sent();
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
    visit(command, parser, inDatabase);
  }
}

/**
 * All keys of what a transaction has queued for a server, each once.
 *
 * @param database The one in which the first request is executed.
 */
export function keysOfQueued(transaction: Transaction, database: number): DatabaseKeys[] {
  const all = new Map<number, Set<string>>();
  visitQueued(transaction, database, (command, parser, inDatabase) => {
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
  });
  return [...all].map(([database, keys]) => ({ database, keys: [...keys] }));
}

/** Says which keys an EXEC that was sampled uses: those of what was queued. */
export function sampleQueued(
  { database, shared: { sampling } }: Client,
  request: Request,
  transaction: Transaction,
): void {
  if (request.sample === null) return;
  const keys: SampledKey[] = [];
  visitQueued(transaction, database, (command, parser, inDatabase) => {
    for (const key of sampling.keysOf(command, parser, inDatabase)) keys.push(key);
  });
  sampling.hasKeys(request, keys);
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
