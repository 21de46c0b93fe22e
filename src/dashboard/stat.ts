/**
 * What Codis 2.0's pages ask of Redis servers: INFO, and how many keys a slot has.
 *
 * @module
 */

import { slotIdOf } from "../hash/slot_id.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { readInfoWithMaxmemory, type RedisInfo } from "../redis/info.ts";
import { RedisError, replyText } from "../redis/reply.ts";
import { StoreError } from "../store/store.ts";
import type { Dashboard } from "./dashboard.ts";
import { InputError } from "../control/errors.ts";

/** Keys asked for by one SCAN. */
const SCAN_COUNT = 2_000;
/** Rest after a SCAN, in multiples of the time that it took. */
const REST = 2;
/** Longest time that counting the keys of a slot may take, in milliseconds. */
const COUNT_MS = 10_000;

/** `GET /api/overview`. */
export function overview({ poll, store }: Dashboard): unknown {
  const masters = poll.groups.flatMap(({ servers }) =>
    (servers ?? []).filter(({ type }) => type === "master")
  );
  const infos = masters.map(({ addr }) => {
    const info = poll.downMs(addr) > 0 ? undefined : poll.infoOf(addr);
    return info === undefined ? null : sorted(withMaxmemory(info));
  });
  return { ops: poll.ops, product: store.product, redis_infos: infos };
}

/**
 * INFO of one of the product's servers.
 *
 * @throws {StoreError} When it is none of them.
 */
export async function redisStat(dashboard: Dashboard, addr: string): Promise<RedisInfo> {
  using redis = await openKnown(dashboard, addr);
  return sorted(withMaxmemory(await readInfoWithMaxmemory(redis)));
}

/**
 * How many keys of a slot one of the product's servers has in database 0.
 *
 * @throws {StoreError} When it is none of them, or counting takes too long.
 */
export async function slotKeys(
  dashboard: Dashboard,
  addr: string,
  slotId: number,
): Promise<{ keys: number; slot_id: number }> {
  const counting = COUNTS.get(dashboard) ?? new Map<string, Count>();
  COUNTS.set(dashboard, counting);
  const running = counting.get(addr);
  if (running !== undefined && running.slotId !== slotId) {
    throw new StoreError(`keys of slot ${running.slotId} are being counted at ${addr}: try again`);
  }
  // Whoever asks meanwhile gets the same answer: a server is not scanned twice at once.
  const keys = running?.keys ?? count(dashboard, addr, slotId);
  if (running === undefined) {
    counting.set(addr, { slotId, keys });
    keys.catch(() => {}).finally(() => counting.delete(addr));
  }
  return { keys: await keys, slot_id: slotId };
}

/** Keys of a slot that are being counted. */
interface Count {
  readonly slotId: number;
  readonly keys: Promise<number>;
}

/** What each dashboard is counting, by the address of the server. */
const COUNTS = new WeakMap<Dashboard, Map<string, Count>>();

async function count(dashboard: Dashboard, addr: string, slotId: number): Promise<number> {
  using redis = await openKnown(dashboard, addr);
  return await countKeys(redis, addr, slotId);
}

async function openKnown(dashboard: Dashboard, addr: string): Promise<RedisConnection> {
  const isKnown = dashboard.poll.groups.some(({ servers }) =>
    servers?.some((server) => server.addr === addr)
  );
  if (!isKnown) throw new InputError("addr", "the address of a server of a group", addr);
  return await dashboard.redis(addr);
}

async function countKeys(redis: RedisConnection, addr: string, slotId: number): Promise<number> {
  try {
    const sizes = await redis.call("SLOTSINFO", slotId, 1) as number[][];
    return sizes[0]?.[1] ?? 0;
  } catch (error) {
    // Only codis-server keeps count.
    if (!(error instanceof RedisError)) throw error;
  }
  const deadlineMs = performance.now() + COUNT_MS;
  let count = 0;
  for (let cursor = "0";;) {
    const askedMs = performance.now();
    const [next, keys] = await redis.call("SCAN", cursor, "COUNT", SCAN_COUNT) as [
      Uint8Array,
      Uint8Array[],
    ];
    for (const key of keys) if (slotIdOf(key, 0, key.length) === slotId) count++;
    cursor = replyText(next);
    if (cursor === "0") return count;
    const nowMs = performance.now();
    if (nowMs > deadlineMs) {
      throw new StoreError(`counting the keys of slot ${slotId} at ${addr} takes too long`);
    }
    // Clients of the server come first.
    await new Promise((resolve) => setTimeout(resolve, REST * (nowMs - askedMs)));
  }
}

/** Codis 2.0 shows no limit as this sign. */
function withMaxmemory(info: RedisInfo): RedisInfo {
  const maxmemory = info["maxmemory"] ?? "0";
  return { ...info, maxmemory: maxmemory === "0" ? "∞" : maxmemory };
}

function sorted(info: RedisInfo): RedisInfo {
  return Object.fromEntries(Object.entries(info).sort(([a], [b]) => a < b ? -1 : 1));
}
