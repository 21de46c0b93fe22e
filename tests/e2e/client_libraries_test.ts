/**
 * Today's client libraries, with their default options and with RESP2 asked for: through the proxy
 * they get exactly what they get from redis-server itself.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";

const PIPELINE = 10_000;

/** Commands whose replies are of every type that RESP3 knows, and some of RESP2's corners. */
const COMMANDS: readonly (readonly [name: string, ...args: string[]])[] = [
  ["SET", "text", "grüße\r\n\u0000"],
  ["GET", "text"],
  ["GET", "none"],
  ["HSET", "hash", "a", "1", "b", "2", "", "empty"],
  ["HGETALL", "hash"],
  ["HMGET", "hash", "a", "none", "b"],
  ["SADD", "set", "only"],
  ["SMEMBERS", "set"],
  ["SMEMBERS", "none"],
  ["ZADD", "zset", "1.5", "one", "-inf", "low", "3", "three"],
  ["ZSCORE", "zset", "one"],
  ["ZSCORE", "zset", "none"],
  ["ZMSCORE", "zset", "one", "none", "low"],
  ["ZRANGE", "zset", "0", "-1", "WITHSCORES"],
  ["ZINCRBY", "zset", "0.25", "one"],
  ["ZPOPMIN", "zset"],
  ["RPUSH", "list", "x", "y", "z"],
  ["LRANGE", "list", "0", "-1"],
  ["LPOP", "none"],
  ["LPOP", "list", "2"],
  ["MSET", "k1", "v1", "k2", "v2", "k3", "v3", "k4", "v4"],
  ["MGET", "k1", "none", "k2", "k3", "gone", "k4", "k1"],
  ["MGET", "none"],
  ["EXISTS", "k1", "k2", "none", "k3", "k1"],
  ["TOUCH", "k1", "k2", "none"],
  ["UNLINK", "k1", "none", "k3"],
  ["DEL", "k2", "k4", "none"],
  ["DBSIZE"],
  ["SCRIPT", "EXISTS", "0000000000000000000000000000000000000000"],
  ["SCRIPT", "LOAD", "return 1"],
  ["XADD", "stream", "1-1", "field", "value"],
  ["XRANGE", "stream", "-", "+"],
  ["XREAD", "STREAMS", "stream", "0"],
  ["XINFO", "STREAM", "stream"],
  ["GEOADD", "geo", "13.361389", "38.115556", "Palermo"],
  ["GEOPOS", "geo", "Palermo", "none"],
  ["LCS", "{l}a", "{l}b", "IDX"],
  ["TYPE", "hash"],
  ["OBJECT", "ENCODING", "hash"],
  ["INCR", "hash"],
  ["NOSUCHCOMMAND", "a", "b"],
  ["GET"],
  ["ECHO", "hello"],
  ["PING"],
  ["PING", "hi"],
  ["EVAL", "return {1, 'two', false, {3, {'four'}}}", "0"],
  ["EVAL", "return redis.error_reply('CUSTOM broken')", "0"],
  ...["map", "set", "double", "big", "true", "false", "null", "verbatim", "nested"].map((kind) =>
    ["EVAL", resp3Script(kind), "1", "any"] as const
  ),
];

/** A script whose reply is of one of the types that only RESP3 has. */
function resp3Script(kind: string): string {
  const values: Record<string, string> = {
    map: "{map={a=1}}",
    set: "{set={x=true}}",
    double: "{double=3.25}",
    big: "{big_number='1234567890123456789012345678901234567890'}",
    true: "true",
    false: "false",
    null: "nil",
    verbatim: "{verbatim_string={format='txt', string='some text'}}",
    nested: "{{map={k={double=0.5}}}, {set={y=true}}, false, {big_number='-7'}}",
  };
  return `redis.setresp(3) return ${values[kind]}`;
}

/** A library under test, reduced to what the test asks of it. */
interface Library {
  call(words: readonly string[]): Promise<unknown>;
  /** Sends many commands at once. */
  pipeline(commands: readonly (readonly string[])[]): Promise<unknown[]>;
  close(): void;
}

async function openIoredis(
  port: number,
  options: { protocol?: 2 | 3; replyMapping?: "resp3" },
): Promise<Library> {
  const redis = new Redis({ port, host: "127.0.0.1", lazyConnect: true, ...options });
  await redis.connect();
  return {
    call: ([name, ...args]) => redis.call(name!, ...args),
    pipeline: async (commands) => {
      const batch = redis.pipeline();
      for (const [name, ...args] of commands) batch.call(name!, ...args);
      const results = await batch.exec();
      return results!.map(([error, value]) => error ?? value);
    },
    close: () => redis.disconnect(),
  };
}

async function openNodeRedis(port: number, options: { RESP?: 2 | 3 }): Promise<Library> {
  const client = createClient({ socket: { host: "127.0.0.1", port }, ...options });
  await client.connect();
  return {
    call: (words) => client.sendCommand([...words]),
    pipeline: (commands) =>
      Promise.all(commands.map((words) => client.sendCommand([...words]).catch((e: Error) => e))),
    close: () => client.destroy(),
  };
}

const LIBRARIES: Readonly<Record<string, (port: number) => Promise<Library>>> = {
  "ioredis with default options": (port) => openIoredis(port, {}),
  "ioredis with RESP3 replies as they are": (port) =>
    openIoredis(port, { protocol: 3, replyMapping: "resp3" }),
  "ioredis with RESP2": (port) => openIoredis(port, { protocol: 2 }),
  "node-redis with default options": (port) => openNodeRedis(port, {}),
  "node-redis with RESP2": (port) => openNodeRedis(port, { RESP: 2 }),
};

/** A reply, or the message of the error it is. */
async function outcome(reply: Promise<unknown>): Promise<unknown> {
  try {
    return await reply;
  } catch (error) {
    return `error: ${(error as Error).message}`;
  }
}

for (const [name, open] of Object.entries(LIBRARIES)) {
  Deno.test(`${name}: replies through the proxy equal those of redis-server`, async () => {
    await using direct = await RedisServer.start();
    await using servers = await RedisServer.startMany(2);
    await using proxy = await ProxyProcess.start({ servers });
    const reference = await open(direct.port);
    const through = await open(proxy.port);
    try {
      for (const words of COMMANDS) {
        const expected = await outcome(reference.call(words));
        assertEquals(await outcome(through.call(words)), expected, words.join(" "));
      }
    } finally {
      reference.close();
      through.close();
    }
  });

  Deno.test(`${name}: a pipeline of ${PIPELINE} commands is answered in order`, async () => {
    await using servers = await RedisServer.startMany(2);
    await using proxy = await ProxyProcess.start({ servers });
    const library = await open(proxy.port);
    try {
      const commands = Array.from({ length: PIPELINE }, (_, i) => {
        const key = `key${i >> 1}`;
        return i % 2 === 0 ? ["SET", key, `value${i}`] : ["GET", key];
      });
      const expected = commands.map((_, i) => i % 2 === 0 ? "OK" : `value${i - 1}`);
      assertEquals(await library.pipeline(commands), expected);
    } finally {
      library.close();
    }
  });
}
