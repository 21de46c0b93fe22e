/**
 * Keys of every type and encoding of a redis-server 7, as many as are wanted, and changes of them.
 *
 * @module
 */

import type { SilentClient } from "./silent_client.ts";

/** Whom the requests of a key are given to. */
export type ClientOf = (key: string) => SilentClient;

/** Incompressible text, of which values are pieces. */
const NOISE = (() => {
  let [text, seed] = ["", 1];
  while (text.length < 64 * 1024) {
    seed = Math.imul(seed, 1664525) + 1013904223 | 0;
    text += (seed >>> 0).toString(36);
  }
  return text;
})();
const LIVES_MS = 40_000_000;
/** Keys in a row that are in one database. */
const BLOCK_KEYS = 1_000;
/** Databases of ten blocks. */
const DATABASES: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 1, 1, 9];
const LONG_BYTES = 80;

function noise(i: number, length: number): string {
  const at = (i * 7919) % (NOISE.length - length);
  return NOISE.slice(at, at + length);
}

function list<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, (_, n) => make(n));
}

/** How a key is made. */
type Maker = (client: SilentClient, key: string, i: number) => void;

function makeStream(client: SilentClient, key: string, i: number): void {
  for (let n = 1; n <= 4; n++) {
    client.add("XADD", key, `${n}-0`, "a", `${i}`, "b", noise(i + n, 20));
  }
  client.add("XDEL", key, "1-0");
}

/** Kinds of keys, by name. */
const MAKERS: Readonly<Record<string, Maker>> = {
  embstr: (client, key, i) => client.add("SET", key, noise(i, 20)),
  int: (client, key, i) => client.add("SET", key, `${i}`),
  raw: (client, key, i) => client.add("SET", key, noise(i, 150)),
  lzf: (client, key, i) => client.add("SET", key, `${i} `.repeat(60)),
  lives: (client, key, i) =>
    client.add("SET", key, noise(i, 12), "PXAT", `${Date.now() + LIVES_MS + i}`),
  list: (client, key, i) => client.add("RPUSH", key, ...list(5, (n) => noise(i + n, 10))),
  quicklist: (client, key, i) =>
    i % 25 === 6
      ? client.add("RPUSH", key, ...list(200, (n) => noise(i + n, 60)), noise(i, 9_000))
      : client.add("RPUSH", key, ...list(3, (n) => `${i + n}`)),
  intset: (client, key, i) => client.add("SADD", key, ...list(8, (n) => `${i * n}`)),
  set: (client, key, i) => client.add("SADD", key, ...list(4, (n) => noise(i + 99 * n, 8))),
  zset: (client, key, i) =>
    client.add("ZADD", key, ...list(4, (n) => [`${i / (n + 1)}`, noise(i + n, 9)]).flat()),
  skiplist: (client, key, i) =>
    client.add("ZADD", key, ...list(3, (n) => [`${i + n}`, noise(i + n, LONG_BYTES)]).flat()),
  hash: (client, key, i) =>
    client.add("HSET", key, "n", `${i}`, ...list(4, (n) => [`f${n}`, noise(i + n, 9)]).flat()),
  hashtable: (client, key, i) =>
    client.add("HSET", key, "n", `${i}`, "long", noise(i, LONG_BYTES), "x", "y"),
  livehash: (client, key, i) => {
    client.add("HSET", key, "n", `${i}`, "f", noise(i, 9));
    client.add("PEXPIREAT", key, `${Date.now() + LIVES_MS + i}`);
  },
  stream: makeStream,
  group: (client, key, i) => {
    makeStream(client, key, i);
    client.add("XGROUP", "CREATE", key, "g", "0");
    client.add("XREADGROUP", "GROUP", "g", "c1", "COUNT", "2", "STREAMS", key, ">");
    client.add("XACK", key, "g", "2-0");
  },
};
const KINDS = Object.keys(MAKERS);

/** The kind of the `i`-th key. */
function kindOf(i: number): string {
  return KINDS[i % KINDS.length]!;
}

/** The name of the `i`-th key. */
function nameOf(i: number): string {
  return `${kindOf(i)}:${i}`;
}

/** The database of the `i`-th key. */
function databaseOf(i: number): number {
  return DATABASES[Math.floor(i / BLOCK_KEYS) % DATABASES.length]!;
}

const LIBRARY = "redis.register_function('NAME', function(keys) return #keys end)";

/**
 * Makes keys.
 *
 * @param clientOf Whom a key's requests are given to.
 * @param clients All of them; functions are loaded at each.
 * @param oneDatabase Whether all keys are in database 0.
 */
export async function makeKeys(
  keys: number,
  clientOf: ClientOf,
  clients: readonly SilentClient[],
  oneDatabase: boolean,
): Promise<void> {
  for (const client of clients) {
    for (const name of ["one", "two"]) {
      client.add("FUNCTION", "LOAD", `#!lua name=${name}\n${LIBRARY.replace("NAME", name)}`);
    }
  }
  for (let i = 0; i < keys; i++) {
    const name = nameOf(i);
    const client = clientOf(name);
    if (!oneDatabase) client.select(databaseOf(i));
    MAKERS[kindOf(i)]!(client, name, i);
    if (client.isFull) await client.flush();
  }
  for (const client of clients) await client.settle();
}

/** Makes keys of about so many bytes each: a string, a list, a set, a hash, a sorted set, a stream. */
export async function makeBigKeys(bytes: number, clientOf: ClientOf): Promise<void> {
  if (bytes === 0) return;
  const string = clientOf("big:string");
  string.add("SET", "big:string", NOISE.repeat(Math.ceil(bytes / NOISE.length)).slice(0, bytes));
  await string.flush();
  const [chunk, many] = [100, 100];
  for (let n = 0; n < bytes / chunk; n += many) {
    const value = (m: number) => `${n + m}:${noise(n + m, chunk - 8)}`;
    const [all, pairs] = [list(many, value), list(many, (m) => [`${n + m}`, value(m)]).flat()];
    clientOf("big:list").add("RPUSH", "big:list", ...all);
    clientOf("big:set").add("SADD", "big:set", ...all);
    clientOf("big:hash").add("HSET", "big:hash", ...pairs);
    clientOf("big:zset").add("ZADD", "big:zset", ...pairs);
    clientOf("big:stream").add("XADD", "big:stream", `${n + 1}-0`, ...pairs);
    for (const type of ["list", "set", "hash", "zset", "stream"]) {
      const client = clientOf(`big:${type}`);
      if (client.isFull) await client.flush();
    }
  }
}

/** How a key is changed. */
type Change = (client: SilentClient, key: string, i: number) => void;

const CHANGES: Readonly<Record<string, readonly Change[]>> = {
  embstr: [
    (client, key, i) => client.add("SET", key, noise(i, 30)),
    (client, key, i) => client.add("APPEND", key, noise(i, 3)),
    (client, key) => client.add("DEL", key),
    (client, key, i) => client.add("SETRANGE", key, "5", `${i}`),
    (client, key, i) => client.add("SET", `{${key}}:short`, "1", "PX", `${500 + i % 4_000}`),
  ],
  int: [
    (client, key) => client.add("INCR", key),
    (client, key, i) => client.add("DECRBY", key, `${i % 9}`),
  ],
  raw: [(client, key, i) => client.add("GETSET", key, noise(i + 1, 100))],
  lzf: [(client, key) => client.add("SETBIT", key, "77", "1")],
  lives: [
    (client, key, i) => client.add("SET", key, noise(i, 9), "KEEPTTL"),
    (client, key, i) => client.add("PEXPIRE", key, `${LIVES_MS + i}`),
    (client, key) => client.add("PERSIST", key),
    (client, key, i) => client.add("SET", key, `${i}`, "EX", "30000"),
  ],
  list: [
    (client, key, i) => client.add("LPUSH", key, noise(i, 7)),
    (client, key) => client.add("RPOP", key),
    (client, key, i) => client.add("LSET", key, "0", `${i}`),
  ],
  quicklist: [
    (client, key, i) => client.add("RPUSH", key, noise(i, 50)),
    (client, key) => client.add("LTRIM", key, "0", "100"),
  ],
  intset: [
    (client, key, i) => client.add("SADD", key, `${i % 977}`),
    (client, key) => client.add("SPOP", key),
  ],
  set: [
    (client, key, i) => client.add("SADD", key, noise(i, 6)),
    (client, key, i) => client.add("SREM", key, noise(i, 8)),
  ],
  zset: [
    (client, key, i) => client.add("ZADD", key, `${i}`, noise(i, 5)),
    (client, key, i) => client.add("ZINCRBY", key, "1.5", noise(i, 5)),
    (client, key) => client.add("ZPOPMIN", key),
  ],
  skiplist: [(client, key, i) => client.add("ZADD", key, `${i % 7}`, noise(i, LONG_BYTES))],
  hash: [
    (client, key, i) => client.add("HSET", key, `f${i % 9}`, noise(i, 9)),
    (client, key) => client.add("HINCRBY", key, "n", "2"),
    (client, key, i) => client.add("HDEL", key, `f${i % 5}`),
  ],
  hashtable: [(client, key) => client.add("HINCRBYFLOAT", key, "n", "0.5")],
  livehash: [(client, key) => client.add("HINCRBY", key, "n", "1")],
  stream: [
    (client, key, i) => client.add("XADD", key, "MAXLEN", "~", "20", "*", "v", noise(i, 9)),
  ],
  group: [
    (client, key, i) => client.add("XADD", key, "*", "v", noise(i, 9)),
    (client, key) =>
      client.add("XREADGROUP", "GROUP", "g", "c2", "COUNT", "1", "STREAMS", key, ">"),
    (client, key) => client.add("XACK", key, "g", "3-0"),
  ],
};

/** Changes of keys in several slots, which only a server that is no cluster can make. */
const WIDE: readonly Change[] = [
  (client, _, i) => client.add("MSET", `load:a${i}`, "1", `load:b${i}`, "2", `load:c${i}`, "3"),
  (client, _, i) => client.add("DEL", `load:a${i - 1}`, `load:b${i - 2}`),
  (client, _, i) => client.add("RENAME", `load:c${i}`, `load:d${i}`),
  (client, _, i) =>
    client.add("LMOVE", nameOf(i - i % 16 + 5), `load:list${i % 50}`, "LEFT", "LEFT"),
  (client, _, i) => client.add("LTRIM", `load:list${i % 50}`, "0", "30"),
  (client, _, i) => {
    client.add("MULTI");
    client.add("INCR", `load:m${i % 500}`);
    client.add("INCR", `load:n${i % 300}`);
    client.add("EXEC");
  },
  (client, key, i) =>
    client.add(
      ...["EVAL", "redis.call('INCR', KEYS[1]); redis.call('HSET', KEYS[2], ARGV[1], 'x')", "2"],
      ...[`load:e${i % 99}`, `load:h${i % 77}`, key.slice(-2)],
    ),
];
/** One of so many changes is one of these. */
const WIDE_ONE_OF = 20;

/**
 * Adds changes of keys that are near each other.
 *
 * @param count How many.
 * @param keys How many keys there are.
 * @param isCluster Whether each change must be of one key.
 */
export function addChanges(
  count: number,
  keys: number,
  clientOf: ClientOf,
  isCluster: boolean,
): void {
  const dice = (below: number) => Math.floor(Math.random() * below);
  const block = dice(Math.ceil(keys / BLOCK_KEYS)) * BLOCK_KEYS;
  for (let n = 0; n < count; n++) {
    const i = block + dice(Math.min(BLOCK_KEYS, keys - block));
    const name = nameOf(i);
    const client = clientOf(name);
    if (!isCluster) client.select(databaseOf(i));
    const some = !isCluster && dice(WIDE_ONE_OF) === 0 ? WIDE : CHANGES[kindOf(i)]!;
    some[dice(some.length)]!(client, name, i);
  }
}
