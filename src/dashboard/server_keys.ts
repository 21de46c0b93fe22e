/**
 * The keys of slots at a Redis server that knows nothing of slots: all its keys are looked at.
 *
 * @module
 */

import { slotIdOf } from "../hash/slot_id.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { databasesIn, readInfo } from "../redis/info.ts";
import { RedisError, textOf } from "../redis/reply.ts";
import { quoted } from "../resp/encoder.ts";

/** Keys that one SCAN looks at: the server is busy with it for a third of a millisecond. */
const SCAN_COUNT = 1_000;

/** A key and its slot. */
export interface SlotKey {
  readonly bytes: Uint8Array;
  readonly slotId: number;
}

/** Keys that one step of a look has found. */
export interface FoundKeys {
  readonly database: number;
  /** Of the wanted slots only. */
  readonly keys: readonly SlotKey[];
  /** How far the look is, 0 to 1. */
  readonly fraction: number;
}

/**
 * Looks at all keys of a server, in all databases. Each key that is there from beginning to end is
 * found at least once. The connection has the database of the last find selected; the next step is
 * asked for before the last find is handed out.
 *
 * @param slotIds The wanted slots; looked at again with every step.
 * @throws {RedisUnreachableError | RedisError}
 */
export async function* scanKeys(
  redis: RedisConnection,
  slotIds: ReadonlySet<number>,
): AsyncGenerator<FoundKeys> {
  const databases = databasesIn(await readInfo(redis, "keyspace"));
  const total = databases.reduce((sum, { keys }) => sum + keys, 0);
  let before = 0;
  for (const { database, keys: count } of databases) {
    await redis.call("SELECT", database);
    let next = scan(redis, "0");
    for (let cursor = ""; cursor !== "0";) {
      const step = await next;
      cursor = step.cursor;
      if (cursor !== "0") {
        next = scan(redis, cursor);
        next.catch(() => {}); // who stops reading does not hear of it
      }
      const keys: SlotKey[] = [];
      for (const bytes of step.keys) {
        const slotId = slotIdOf(bytes, 0, bytes.length);
        if (slotIds.has(slotId)) keys.push({ bytes, slotId });
      }
      const fraction = cursor === "0" ? 1 : fractionOf(cursor);
      yield { database, keys, fraction: (before + count * fraction) / Math.max(1, total) };
    }
    before += count;
  }
}

/**
 * The keys that a server has, of those in question. Leaves `database` selected.
 *
 * @throws {RedisUnreachableError | RedisError}
 */
export async function heldKeys(
  redis: RedisConnection,
  database: number,
  keys: readonly SlotKey[],
): Promise<SlotKey[]> {
  if (keys.length === 0) return [];
  await redis.call("SELECT", database);
  const replies = await redis.pipeline(keys.map(({ bytes }) => ["EXISTS", bytes]));
  return keys.filter((_, i) => replies[i] === 1);
}

/** Deletes keys of the selected database, without keeping the server busy where it can be helped. */
export async function dropKeys(redis: RedisConnection, keys: readonly SlotKey[]): Promise<void> {
  if (keys.length === 0) return;
  const names = keys.map(({ bytes }) => bytes);
  try {
    await redis.call("UNLINK", ...names);
  } catch (error) {
    // Redis 3.2 does not know it.
    if (!(error instanceof RedisError && /unknown command/i.test(error.message))) throw error;
    await redis.call("DEL", ...names);
  }
}

/** A key for a message: what is not printable is escaped, what is long is cut. */
export function textOfKey(bytes: Uint8Array): string {
  return quoted(bytes, 0, bytes.length);
}

interface ScanStep {
  readonly cursor: string;
  readonly keys: readonly Uint8Array[];
}

async function scan(redis: RedisConnection, cursor: string): Promise<ScanStep> {
  const reply = await redis.call("SCAN", cursor, "COUNT", SCAN_COUNT);
  const [next, keys] = reply as [Uint8Array, Uint8Array[]];
  return { cursor: textOf(next), keys };
}

/**
 * How far a SCAN is. Its cursor counts up from the highest bit of the table's size, so that, read
 * backwards, it is a share of the table.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(fractionOf("1"), 0.5);
 * ```
 */
export function fractionOf(cursor: string): number {
  let bits = BigInt(cursor);
  let fraction = 0;
  for (let share = 0.5; bits > 0n; share /= 2, bits >>= 1n) {
    if ((bits & 1n) === 1n) fraction += share;
  }
  return fraction;
}
