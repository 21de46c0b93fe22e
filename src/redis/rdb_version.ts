/**
 * Which data a Redis server reads: an RDB, as a replica gets it and as DUMP writes it, has a version.
 *
 * @module
 */

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
const OLDEST = 6;

/**
 * The newest RDB version that a server reads.
 *
 * @param version `redis_version` in INFO.
 * @param isValkey Whether it is a Valkey: it has no fields that expire before version 9.
 */
export function rdbVersionOf(version: string, isValkey: boolean): number {
  if (isValkey) return 11;
  const number = (text: string) => {
    const [major = 0, minor = 0] = text.split(".").map((part) => parseInt(part));
    return major * 1000 + minor;
  };
  const row = RDB_VERSIONS.find(([first]) => number(version) >= number(first));
  return row === undefined ? OLDEST - 1 : row[1];
}
