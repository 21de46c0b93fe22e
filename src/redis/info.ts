/**
 * INFO of a Redis server, as fields.
 *
 * @module
 */

import type { RedisConnection } from "./connection.ts";
import { RedisError, replyText } from "./reply.ts";

/** INFO's fields by name, all as text. */
export type RedisInfo = Readonly<Record<string, string>>;

/**
 * Asks for INFO, of all default sections or of one.
 *
 * @throws As `RedisConnection.call`.
 */
export async function readInfo(redis: RedisConnection, section?: string): Promise<RedisInfo> {
  return parseInfo(
    replyText(await redis.call("INFO", ...(section === undefined ? [] : [section]))),
  );
}

/**
 * Asks for INFO, and for `maxmemory`, which is not in it before Redis 3.2 and in codis-server 2.8. The field
 * is missing where CONFIG is refused.
 *
 * @throws As `RedisConnection.call`, but for a refused CONFIG.
 */
export async function readInfoWithMaxmemory(redis: RedisConnection): Promise<RedisInfo> {
  const info = await readInfo(redis);
  if (info["maxmemory"] !== undefined) return info;
  const maxmemory = await readSetting(redis, "maxmemory");
  return maxmemory === undefined ? info : { ...info, maxmemory };
}

/**
 * Asks for a setting of the server; undefined: it does not have it, or refuses CONFIG.
 *
 * @throws As `RedisConnection.call`, but for a refused CONFIG.
 */
export async function readSetting(
  redis: RedisConnection,
  name: string,
): Promise<string | undefined> {
  try {
    const [, value] = await redis.call("CONFIG", "GET", name) as Uint8Array[];
    return value === undefined ? undefined : replyText(value);
  } catch (error) {
    if (error instanceof RedisError) return undefined;
    throw error;
  }
}

/**
 * Splits the text of INFO into fields.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(parseInfo("# Server\r\nredis_version:7.0.15\r\n"), { redis_version: "7.0.15" });
 * ```
 */
export function parseInfo(text: string): RedisInfo {
  const fields: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon > 0 && !line.startsWith("#")) fields[line.slice(0, colon)] = line.slice(colon + 1);
  }
  return fields;
}

/**
 * The identity of a server, whatever its address: 40 hexadecimal digits, new with each start; `""` when
 * INFO has none.
 */
export function runIdIn(info: RedisInfo): string {
  return info["run_id"] ?? "";
}

/** Keys in all databases, by the `db<n>` fields. */
export function keysIn(info: RedisInfo): number {
  return databasesIn(info).reduce((sum, { keys }) => sum + keys, 0);
}

/** The databases that hold keys, by number. */
export function databasesIn(info: RedisInfo): { database: number; keys: number }[] {
  return Object.keys(info).filter((name) => /^db\d+$/.test(name)).map((name) => ({
    database: Number(name.slice("db".length)),
    keys: Number(/\bkeys=(\d+)/.exec(info[name]!)?.[1] ?? 0),
  })).sort((a, b) => a.database - b.database);
}
