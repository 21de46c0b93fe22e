/**
 * Keys of every type and encoding of a redis-server 7, small and large.
 *
 * @module
 */

import type { RespClient, Word } from "../../support/resp_client.ts";

const LONG = "x".repeat(300);
/** Does not compress. */
const RANDOM = Uint8Array.from({ length: 90 }, (_, i) => (i * 197 + 31 * (i % 7)) & 255);

function range(count: number, make: (i: number) => Word[]): Word[] {
  return Array.from({ length: count }, (_, i) => make(i)).flat();
}

/** Requests that make the keys, in the database that is selected. */
export function allValues(): Word[][] {
  return [
    ["SET", "string:text", "hello"],
    ["SET", "string:long", LONG],
    ["SET", "string:random", RANDOM],
    ["SET", "string:empty", ""],
    ...["7", "-300", "70000", "9007199254740993"].map((n) => ["SET", `string:${n}`, n]),
    ["SET", "12345", "a key that is a number"],
    ["SET", `a long key ${LONG}`, "v"],
    ["SET", Uint8Array.of(0, 13, 10, 255), "a key of bytes"],
    ["SETBIT", "bits", 500, 1],
    ["PFADD", "hll:sparse", "a", "b"],
    ["RPUSH", "list:small", ...range(5, (i) => [i * 100_000])],
    ["RPUSH", "list:large", ...range(200, (i) => [`${i}${LONG.slice(0, 60)}`])],
    ["RPUSH", "list:plain", "y".repeat(9_000), "z"],
    ["SADD", "set:intset", 1, 300, 70_000],
    ["SADD", "set:intset64", 1, 2 ** 40],
    ["SADD", "set:hashtable", "a", "b", RANDOM],
    ["ZADD", "zset:small", 1.5, "a", "-inf", "b", "inf", "c"],
    ["ZADD", "zset:large", ...range(150, (i) => [i / 3, `m${i}`])],
    ["HSET", "hash:small", "a", 1, "b", "two"],
    ["HSET", "hash:large", ...range(3, (i) => [`f${i}`, LONG])],
    ["GEOADD", "geo", 13.3, 38.1, "p"],
    ["XADD", "stream", "1-1", "a", "1"],
    ["XADD", "stream", "1-2", "a", "2", "b", RANDOM],
    ["XDEL", "stream", "1-1"],
    ["XGROUP", "CREATE", "stream", "g", "0"],
    ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">"],
    ["XGROUP", "CREATE", "stream:empty", "g", "$", "MKSTREAM"],
    ["SET", "expires", "soon", "PX", 5_000_000],
    ["HSET", "expires:hash", "a", "b"],
    ["PEXPIRE", "expires:hash", 9_000_000],
    ["SET", "expires:late", "never, nearly"],
    ["PEXPIREAT", "expires:late", "9223372036854775807"],
  ];
}

/** Sends them, and sees that none fails. */
export async function makeAllValues(client: RespClient): Promise<void> {
  for (const { raw } of await client.pipeline(allValues())) {
    if (raw[0] === 45) throw new Error(new TextDecoder().decode(raw));
  }
}
