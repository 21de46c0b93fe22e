/**
 * The keys of slots at a Redis server that knows nothing of slots: all its keys are scanned.
 *
 * @module
 */

import type { Placement } from "../../hash/placement.ts";
import type { RedisConnection } from "../../redis/connection.ts";
import { databasesIn, readInfo } from "../../redis/info.ts";
import { RedisError } from "../../redis/reply.ts";
import { quoted } from "../../resp/encoder.ts";

/** Keys of one SCAN by default, which keeps the server busy for about 0.3 ms. */
const SCAN_COUNT = 250;

/** A key and its slot. */
export interface SlotKey {
  readonly bytes: Uint8Array;
  readonly slotId: number;
}

/** The slots whose keys are wanted. */
export type WantedSlots = Pick<ReadonlySet<number>, "has">;

/** Keys that one step of a scan has found. */
export interface FoundKeys {
  readonly database: number;
  /** Of the wanted slots only. */
  readonly keys: readonly SlotKey[];
  /** How far the scan is, 0 to 1. */
  readonly fraction: number;
}

/**
 * Scans all keys of a server, in all databases. Each key that is there from beginning to end is found at
 * least once. The next step is requested before the last one is handed out.
 *
 * @param slots The wanted ones; read again with every step.
 * @param placement Says which slot a key is in.
 * @param count Keys of the next SCAN, about.
 * @throws {RedisUnreachableError | RedisError}
 */
export async function* scanKeys(
  redis: RedisConnection,
  slots: WantedSlots,
  placement: Placement,
  count = () => SCAN_COUNT,
): AsyncGenerator<FoundKeys> {
  const databases = databasesIn(await readInfo(redis, "keyspace"));
  const total = databases.reduce((sum, { keys }) => sum + keys, 0);
  let before = 0;
  const scan = async (cursor: string): Promise<ScanStep> =>
    readScan(await redis.callRaw("SCAN", cursor, "COUNT", count()), slots, placement);
  for (const { database, keys: held } of databases) {
    await redis.call("SELECT", database);
    let next = scan("0");
    for (let cursor = ""; cursor !== "0";) {
      const step = await next;
      cursor = step.cursor;
      if (cursor !== "0") {
        next = scan(cursor);
        next.catch(() => {}); // a caller that stops reading ignores it
      }
      const fraction = cursor === "0" ? 1 : fractionOf(cursor);
      const all = (before + held * fraction) / Math.max(1, total);
      yield { database, keys: step.keys, fraction: all };
    }
    before += held;
  }
}

/**
 * The keys that a server has, of those in question.
 *
 * @throws {RedisUnreachableError | RedisError}
 */
export async function heldKeys(
  redis: RedisConnection,
  database: number,
  keys: readonly SlotKey[],
): Promise<SlotKey[]> {
  if (keys.length === 0) return [];
  const replies = await redis.pipelineIn(database, keys.map(({ bytes }) => ["EXISTS", bytes]));
  return keys.filter((_, i) => replies[i] === 1);
}

/**
 * Deletes keys, in the background where the server can.
 *
 * @throws {RedisUnreachableError | RedisError}
 */
export async function dropKeys(
  redis: RedisConnection,
  database: number,
  keys: readonly SlotKey[],
): Promise<void> {
  if (keys.length === 0) return;
  const names = keys.map(({ bytes }) => bytes);
  for (const command of ["UNLINK", "DEL"]) {
    const replies = await redis.pipeline([["SELECT", database], [command, ...names]]);
    const error = replies.find((reply) => reply instanceof RedisError);
    if (error === undefined) return;
    // Redis 3.2 does not know UNLINK.
    if (command === "DEL" || !/unknown command/i.test(error.message)) throw error;
  }
}

/** A key for a message: bytes that are no text are escaped, long keys are cut. */
export function textOfKey(bytes: Uint8Array): string {
  return quoted(bytes, 0, bytes.length);
}

interface ScanStep {
  readonly cursor: string;
  readonly keys: readonly SlotKey[];
}

/**
 * Reads a reply of SCAN. Copies the keys of the wanted slots; most keys are skipped without a copy.
 *
 * @param bytes `*2`, the cursor as a bulk, the keys as an array of bulks.
 */
export function readScan(
  bytes: Uint8Array,
  slots: WantedSlots,
  placement: Placement,
): ScanStep {
  let at = lineAfter(bytes, 0);
  const cursorAt = lineAfter(bytes, at);
  const cursorEnd = cursorAt + numberAt(bytes, at + 1);
  const cursor = decoder.decode(bytes.subarray(cursorAt, cursorEnd));
  at = lineAfter(bytes, cursorEnd + 2);
  const keys: SlotKey[] = [];
  while (at < bytes.length) {
    const start = lineAfter(bytes, at);
    const end = start + numberAt(bytes, at + 1);
    const slotId = placement.slotIdOf(bytes, start, end);
    if (slots.has(slotId)) keys.push({ bytes: bytes.slice(start, end), slotId });
    at = end + 2;
  }
  return { cursor, keys };
}

const decoder = new TextDecoder();

function lineAfter(bytes: Uint8Array, at: number): number {
  while (bytes[at] !== 10) at++;
  return at + 1;
}

function numberAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (; bytes[at] !== 13; at++) value = value * 10 + bytes[at]! - 48;
  return value;
}

/**
 * How far a SCAN is. Its cursor counts from the highest bit of the table's size on: its bits, reversed,
 * are a share of the table.
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
