/**
 * Which data a Redis server reads: an RDB, as a replica gets it and as DUMP writes it, has a version.
 *
 * @module
 */

import { isOlder } from "../base/version.ts";
import type { RedisInfo } from "./info.ts";

/** RDB versions by the first version of Redis that writes them, newest first. */
const RDB_VERSIONS: readonly (readonly [redis: string, rdb: number])[] = [
  ["7.4", 12],
  ["7.2", 11],
  ["7.0", 10],
  ["5.0", 9],
  ["4.0", 8],
  ["3.2", 7],
  ["2.6", 6],
];

/** RDB version of Redis 2.6 and 2.8: no server behind a proxy is older. */
export const RDB_VERSION_MIN = 6;

/**
 * The newest RDB version that a server reads.
 *
 * @param info Its INFO.
 */
export function rdbVersionOf(info: RedisInfo): number {
  // It has no fields that expire before version 9.
  if (info["server_name"] === "valkey") return 11;
  const version = info["redis_version"] ?? "";
  return RDB_VERSIONS.find(([first]) => !isOlder(version, first))?.[1] ?? RDB_VERSION_MIN - 1;
}

/** What a server is: `Redis 7.0.15`, `Valkey 8.0.1`. */
export function serverName(info: RedisInfo): string {
  const valkey = info["valkey_version"];
  return valkey === undefined ? `Redis ${info["redis_version"] ?? ""}` : `Valkey ${valkey}`;
}
