/**
 * Deletes what an earlier copy of a source has left in the product, before all keys are copied anew: what was
 * deleted at the source meanwhile would stay, and later changes would be made to it. Only where the product was
 * empty when the import began.
 *
 *     SCAN through a proxy ─► another source has it ─► stays
 *                          └► else ─► DEL
 *
 * @module
 */

import type { RedisConnection, Word } from "../redis/connection.ts";
import { RedisError, type RedisValue, replyText } from "../redis/reply.ts";
import type { KeyChoice } from "./key_choice.ts";
import type { SourceControl, SourceKey } from "./source/source_control.ts";

/** Another source, whose keys stay. */
export interface OtherSource {
  readonly control: SourceControl;
  /** Reads keys again. */
  reread(keys: readonly SourceKey[]): Promise<void>;
}

const SCAN_COUNT = 1_000;

/**
 * See the header.
 *
 * @param proxy A connection to a proxy.
 * @param databases Those that have keys.
 * @returns How many keys were deleted.
 * @throws {RedisError} When a proxy refuses that.
 */
export async function clearKeys(
  proxy: RedisConnection,
  databases: readonly number[],
  choice: KeyChoice,
  others: readonly OtherSource[],
): Promise<number> {
  let cleared = 0;
  for (const database of databases) {
    for await (const names of keysOfProduct(proxy, database)) {
      const keys = names.flatMap((name) => {
        const key = choice.original(name);
        return key !== undefined && choice.wants(database, key) ? [{ name, key, database }] : [];
      });
      const there = await Promise.all(others.map((other) => existing(other, keys)));
      const own = keys.filter((_, i) => !there.some((one) => one[i]));
      const requests = own.map(({ name }) => ["DEL", name]);
      const replies = await proxy.pipelineIn(database, requests);
      const failed = replies.find((reply) => reply instanceof RedisError);
      if (failed !== undefined) throw failed;
      cleared += own.length;
      // Another source may have made a key while it was deleted.
      for (const other of others) {
        const exists = await existing(other, own);
        const made = own.filter((_, i) => exists[i]);
        if (made.length > 0) await other.reread(made);
      }
    }
  }
  return cleared;
}

/** The names of all keys in a database of the product. */
export function keysOfProduct(
  proxy: RedisConnection,
  database: number,
): AsyncGenerator<Uint8Array[]> {
  return scanned((requests) => proxy.pipelineIn(database, requests), SCAN_COUNT);
}

/**
 * The names of all keys in a database, some at a time.
 *
 * @param ask Sends commands to the database.
 * @param count Keys of one SCAN.
 */
export async function* scanned(
  ask: (requests: readonly (readonly Word[])[]) => Promise<RedisValue[]>,
  count: number,
): AsyncGenerator<Uint8Array[]> {
  let cursor = "0";
  do {
    const [reply] = await ask([["SCAN", cursor, "COUNT", count]]);
    if (reply instanceof RedisError) throw reply;
    const [next, keys] = reply as [RedisValue, Uint8Array[]];
    cursor = replyText(next);
    if (keys.length > 0) yield keys;
  } while (cursor !== "0");
}

/** Whether each key exists at a source; in a cluster, keys of other nodes do not. */
export async function existing(
  other: Pick<OtherSource, "control">,
  keys: readonly SourceKey[],
): Promise<boolean[]> {
  const [first] = keys;
  if (first === undefined) return [];
  const requests = keys.map(({ key }) => ["EXISTS", key]);
  const replies = await other.control.pipeline(first.database, requests);
  return replies.map((reply) => reply === 1);
}
