/**
 * Deletes what an earlier copy of a source has left at the target, before all keys are copied anew: what was
 * deleted at the source meanwhile would stay, and later changes would be made to it. Only where the target was
 * empty in the beginning.
 *
 *     SCAN ─► another source has it, or may have it ─► stays
 *          └► else ─► DEL
 *
 * @module
 */

import type { RedisConnection, Word } from "../redis/connection.ts";
import { RedisError, type RedisValue, replyText } from "../redis/reply.ts";
import type { KeyChoice } from "./key_choice.ts";
import type { SourceControl, SourceKey } from "./source/source_control.ts";

/** Which keys stay. */
export interface KeptKeys {
  /** Whether each key belongs to another source. */
  areOthers(keys: readonly SourceKey[]): Promise<boolean[]>;
  /** Keys were deleted: one may belong to another source since then, and must be written again. */
  deleted(keys: readonly SourceKey[]): Promise<void>;
}

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
 * @param target A connection to a proxy, or to the server.
 * @param databases Those that have keys.
 * @returns How many keys were deleted.
 * @throws {RedisError} When it refuses that.
 */
export async function clearKeys(
  target: RedisConnection,
  databases: readonly number[],
  choice: KeyChoice,
  kept: KeptKeys,
): Promise<number> {
  let cleared = 0;
  for (const database of databases) {
    for await (const names of keysOfTarget(target, database)) {
      const keys = names.flatMap((name) => {
        const key = choice.original(name);
        return key !== undefined && choice.wants(database, key) ? [{ name, key, database }] : [];
      });
      const areOthers = await kept.areOthers(keys);
      const own = keys.filter((_, i) => !areOthers[i]);
      const requests = own.map(({ name }) => ["DEL", name]);
      const replies = await target.pipelineIn(database, requests);
      const failed = replies.find((reply) => reply instanceof RedisError);
      if (failed !== undefined) throw failed;
      cleared += own.length;
      await kept.deleted(own);
    }
  }
  return cleared;
}

/** Keys that exist at other sources stay; which of them are whose, nobody says. */
export function keptByOthers(others: readonly OtherSource[]): KeptKeys {
  return {
    areOthers: async (keys) => {
      const there = await Promise.all(others.map((other) => existing(other, keys)));
      return keys.map((_, i) => there.some((one) => one[i]!));
    },
    deleted: async (keys) => {
      // Another source may have made a key while it was deleted.
      for (const other of others) {
        const exists = await existing(other, keys);
        const made = keys.filter((_, i) => exists[i]);
        if (made.length > 0) await other.reread(made);
      }
    },
  };
}

/** The names of all keys in a database of the target. */
export function keysOfTarget(
  target: RedisConnection,
  database: number,
): AsyncGenerator<Uint8Array[]> {
  return scanned((requests) => target.pipelineIn(database, requests), SCAN_COUNT);
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
