/**
 * The keys of slots at a codis-server, which knows its slots.
 *
 * @module
 */

import type { RedisConnection, Word } from "../../redis/connection.ts";
import { RedisError, type RedisValue, replyText } from "../../redis/reply.ts";
import { BIG_ELEMENTS, SIZE_COMMANDS } from "../../resp/big_key.ts";

/** Keys of a slot that one step of a scan reads. */
const SCAN_COUNT = 200;

/**
 * The keys of a slot in one database, some at a time. Each key that is there from beginning to end is
 * found.
 *
 * @throws {RedisUnreachableError | RedisError}
 */
export async function* keysOfSlot(
  redis: RedisConnection,
  database: number,
  slotId: number,
): AsyncGenerator<Uint8Array[]> {
  for (let cursor = "0";;) {
    const [, reply] = await callAll(redis, [["SELECT", database], scanOf(slotId, cursor)]);
    const [next, keys] = reply as [Uint8Array, Uint8Array[]];
    cursor = replyText(next);
    if (keys.length > 0) yield keys;
    if (cursor === "0") return;
  }
}

/**
 * All keys of slots in one database, in as few round trips as there can be: clients wait meanwhile.
 *
 * @throws {RedisUnreachableError | RedisError}
 */
export async function keysOfSlots(
  redis: RedisConnection,
  database: number,
  slotIds: readonly number[],
): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  let open = slotIds.map((slotId) => ({ slotId, cursor: "0" }));
  while (open.length > 0) {
    const scans = open.map(({ slotId, cursor }) => scanOf(slotId, cursor));
    const [, ...replies] = await callAll(redis, [["SELECT", database], ...scans]);
    open = open.flatMap(({ slotId }, i) => {
      const [next, keys] = replies[i] as [Uint8Array, Uint8Array[]];
      for (const key of keys) found.push(key);
      const cursor = replyText(next);
      return cursor === "0" ? [] : [{ slotId, cursor }];
    });
  }
  return found;
}

/**
 * Separates keys with many elements from the others.
 *
 * @throws {RedisUnreachableError}
 */
export async function splitBySize(
  redis: RedisConnection,
  database: number,
  keys: readonly Uint8Array[],
): Promise<{ small: Uint8Array[]; big: Uint8Array[] }> {
  if (keys.length === 0) return { small: [], big: [] };
  const select = ["SELECT", database];
  const [, ...types] = await redis.pipeline([select, ...keys.map((key) => ["TYPE", key])]);
  const small: Uint8Array[] = [];
  const others: { key: Uint8Array; command: string }[] = [];
  for (const [i, key] of keys.entries()) {
    const command = SIZE_COMMANDS[String(types[i])];
    if (command === undefined) small.push(key);
    else others.push({ key, command });
  }
  if (others.length === 0) return { small, big: [] };
  const questions = others.map(({ key, command }) => [command, key]);
  const [, ...sizes] = await redis.pipeline([select, ...questions]);
  const big: Uint8Array[] = [];
  for (const [i, { key }] of others.entries()) {
    (Number(sizes[i]) >= BIG_ELEMENTS ? big : small).push(key);
  }
  return { small, big };
}

/**
 * How many keys each slot has in a database.
 *
 * @throws {RedisUnreachableError}
 * @throws {RedisError} When there is no such database, or the server refuses.
 */
export async function countsOfSlots(
  redis: RedisConnection,
  database: number,
): Promise<Map<number, number>> {
  const [, counts] = await callAll(redis, [["SELECT", database], ["SLOTSINFO"]]);
  return new Map(counts as [number, number][]);
}

/**
 * Sends commands together.
 *
 * @throws {RedisUnreachableError}
 * @throws {RedisError} The first error among the replies.
 */
export async function callAll(
  redis: RedisConnection,
  requests: readonly (readonly Word[])[],
): Promise<RedisValue[]> {
  const replies = await redis.pipeline(requests);
  for (const reply of replies) if (reply instanceof RedisError) throw reply;
  return replies;
}

function scanOf(slotId: number, cursor: string): Word[] {
  return ["SLOTSSCAN", slotId, cursor, "COUNT", SCAN_COUNT];
}
