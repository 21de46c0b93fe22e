/**
 * The client libraries people use, with the options they come with: they get from the proxy what they
 * get from a redis-server.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { createClient, createClientPool } from "redis";
import { answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RouterServer } from "../../support/router_server.ts";

/** A library as these tests use it: replies as the library hands them to its users. */
interface Library extends AsyncDisposable {
  call(...words: string[]): Promise<unknown>;
  /** Sends all at once; errors come as values. */
  pipeline(requests: string[][]): Promise<unknown[]>;
  /** The library's own methods, called by name. */
  method(name: string, ...args: unknown[]): Promise<unknown>;
}

type Connect = (port: number, password?: string) => Promise<Library>;

function ioredis(options: { protocol?: 2 | 3 }): Connect {
  return async (port, password) => {
    const client = new Redis({
      port,
      host: "127.0.0.1",
      lazyConnect: true,
      retryStrategy: null,
      ...(password === undefined ? {} : { password }),
      ...options,
    });
    client.on("error", () => {}); // what a call rejects with is enough
    await client.connect();
    return {
      call: (name, ...args) => client.call(name, ...args).catch(asValue),
      pipeline: async (requests) => {
        const pipeline = client.pipeline();
        for (const [name, ...args] of requests) pipeline.call(name!, ...args);
        return (await pipeline.exec())!.map(([error, value]) =>
          error === null ? value : asValue(error)
        );
      },
      method: (name, ...args) =>
        (client as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[
          name.toLowerCase()
        ]!(...args),
      [Symbol.asyncDispose]: async () => void await client.quit(),
    };
  };
}

function nodeRedis(options: { RESP?: 2 | 3 }): Connect {
  return async (port, password) => {
    const client = createClient({
      socket: { port, host: "127.0.0.1", reconnectStrategy: false },
      ...(password === undefined ? {} : { password }),
      ...options,
    });
    client.on("error", () => {});
    await client.connect();
    return {
      call: (...words) => client.sendCommand(words).catch(asValue),
      pipeline: (requests) =>
        Promise.all(requests.map((words) => client.sendCommand(words).catch(asValue))),
      method: (name, ...args) =>
        (client as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[name]!(
          ...args,
        ),
      [Symbol.asyncDispose]: async () => void await client.close(),
    };
  };
}

/** An error as a value to compare. */
function asValue(error: unknown): unknown {
  return { error: (error as Error).message };
}

const LIBRARIES: Readonly<Record<string, Connect>> = {
  "ioredis with default options": ioredis({}),
  "ioredis with RESP2": ioredis({ protocol: 2 }),
  "ioredis with RESP3": ioredis({ protocol: 3 }),
  "node-redis with default options": nodeRedis({}),
  "node-redis with RESP2": nodeRedis({ RESP: 2 }),
  "node-redis with RESP3": nodeRedis({ RESP: 3 }),
};

const resp3 = (value: string) => ["EVAL", `redis.setresp(3) return ${value}`, "1", "k"];

/** Requests whose replies are of every type there is, nested and alone. */
const REQUESTS: readonly string[][] = [
  ["SET", "k", "v"],
  ["GET", "k"],
  ["GET", "nothing"],
  ["SET", "k", "w", "GET"],
  ["SET", "n", "9007199254740993"],
  ["INCR", "n"],
  ["DECRBY", "n", "9007199254740994"],
  ["INCRBYFLOAT", "f", "3.25"],
  ["HSET", "h", "a", "1", "b", "2", "c", ""],
  ["HGETALL", "h"],
  ["HGETALL", "nothing"],
  ["HMGET", "h", "a", "x", "c"],
  ["HRANDFIELD", "h", "0"],
  ["HINCRBYFLOAT", "h", "a", "0.5"],
  ["SADD", "s", "x"],
  ["SMEMBERS", "s"],
  ["SMEMBERS", "nothing"],
  ["SISMEMBER", "s", "x"],
  ["SMISMEMBER", "s", "x", "y"],
  ["ZADD", "z", "1", "a", "2.5", "b", "inf", "c", "-inf", "d"],
  ["ZSCORE", "z", "b"],
  ["ZSCORE", "z", "c"],
  ["ZSCORE", "z", "nothing"],
  ["ZMSCORE", "z", "a", "nothing", "d"],
  ["ZRANGE", "z", "0", "-1"],
  ["ZRANGE", "z", "0", "-1", "WITHSCORES"],
  ["ZRANGEBYSCORE", "z", "-inf", "+inf", "WITHSCORES", "LIMIT", "1", "2"],
  ["ZADD", "z", "INCR", "1.5", "a"],
  ["ZPOPMIN", "z"],
  ["ZRANK", "z", "nothing"],
  ["RPUSH", "l", "a", "b", "c"],
  ["LRANGE", "l", "0", "-1"],
  ["LPOP", "l", "2"],
  ["LPOP", "nothing", "2"],
  ["LPOS", "l", "nothing"],
  ["XADD", "x", "1-1", "f", "v"],
  ["XRANGE", "x", "-", "+"],
  ["XREAD", "STREAMS", "x", "0"],
  ["XREAD", "STREAMS", "x", "9"],
  ["XINFO", "STREAM", "x"],
  ["GEOADD", "g", "13.361389", "38.115556", "Palermo"],
  ["GEOPOS", "g", "Palermo", "nothing"],
  ["GEODIST", "g", "Palermo", "nothing"],
  ["OBJECT", "ENCODING", "k"],
  ["TYPE", "h"],
  ["TTL", "nothing"],
  ["EXPIRE", "k", "1000"],
  [
    "BITFIELD",
    "b",
    "SET",
    "u8",
    "0",
    "255",
    "GET",
    "i8",
    "0",
    "OVERFLOW",
    "FAIL",
    "INCRBY",
    "u8",
    "0",
    "9",
  ],
  ["LCS", "k", "k", "IDX"],
  ["MGET", "k", "nothing", "h", "n"],
  ["MSET", "m1", "1", "m2", "2", "m3", "3"],
  ["MGET", "m1", "m2", "m3", "m4", "m1"],
  ["EXISTS", "m1", "m2", "m4"],
  ["DEL", "m1", "m2", "m4"],
  ["DBSIZE"],
  ["EVAL", "return {1, 'two', {3, {4}}, false, true}", "0"],
  ["EVAL", "return redis.error_reply('MY error')", "1", "k"],
  ["EVAL", "return redis.status_reply('FINE')", "1", "k"],
  ["EVAL", "return nil", "1", "k"],
  resp3("{map={a=1}}"),
  resp3("{map={a={map={b={double=1.5}}}}}"),
  resp3("{set={x=true}}"),
  resp3("{double=3.125}"),
  resp3("{double=math.huge}"),
  resp3("{double=-math.huge}"),
  resp3("true"),
  resp3("false"),
  resp3("nil"),
  resp3("{big_number='1234567999999999999999999999999999999'}"),
  resp3("{verbatim_string={format='txt', string='a text\\nof lines'}}"),
  resp3("{1, {double=0.1}, {map={}}, {set={}}, 'x', nil}"),
  resp3("redis.call('HGETALL', KEYS[1]..'')").with(3, "h"),
  resp3("redis.call('SMEMBERS', KEYS[1])").with(3, "s"),
  resp3("redis.call('ZSCORE', KEYS[1], 'b')").with(3, "z"),
  ["GET", "h"],
  ["NOSUCH", "command"],
  ["GET"],
  ["HSET", "k", "a", "b"],
  ["CLIENT", "GETNAME"],
  ["CLIENT", "SETNAME", "me"],
  ["CLIENT", "GETNAME"],
  ["ECHO", "hé\r\n"],
  ["PING"],
  ["SELECT", "1"],
  ["GET", "k"],
  ["SELECT", "0"],
  ["COMMAND", "INFO", "get", "nosuch"],
  ["COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"],
  ["SCRIPT", "LOAD", "return 1"],
  ["SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0".repeat(40)],
  ["FLUSHALL"],
  ["RANDOMKEY"],
  ["KEYS", "*"],
];

for (const [name, connect] of Object.entries(LIBRARIES)) {
  Deno.test(`${name} gets from the proxy what it gets from redis-server`, async () => {
    await using servers = await RedisServer.startMany(2);
    await using single = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers });
    await using ours = await connect(proxy.port);
    await using theirs = await connect(single.port);
    for (const words of REQUESTS) {
      assertEquals(await ours.call(...words), await theirs.call(...words), words.join(" "));
    }
    const [all, wanted] = [
      await ours.pipeline([...REQUESTS]),
      await theirs.pipeline([...REQUESTS]),
    ];
    for (const [i, words] of REQUESTS.entries()) {
      assertEquals(all[i], wanted[i], `in a pipeline: ${words.join(" ")}`);
    }
  });

  Deno.test(`${name} pipelines 10 000 commands and gets each reply in its place`, async () => {
    await using servers = await RedisServer.startMany(2);
    await using proxy = await RouterServer.start({ servers });
    await using library = await connect(proxy.port);
    const requests: string[][] = [];
    const expected: unknown[] = [];
    for (let i = 0; i < 2500; i++) {
      requests.push(["SET", `k${i}`, `v${i}`], ["GET", `k${i}`], ["INCR", "n"]);
      requests.push(["MGET", `k${i}`, `k${i - 1}`]);
      expected.push("OK", `v${i}`, i + 1, [`v${i}`, i === 0 ? null : `v${i - 1}`]);
    }
    assertEquals(await library.pipeline(requests), expected);
  });
}

/** Methods whose replies a library turns into something of its own, by library. */
const METHODS: Readonly<Record<string, readonly (readonly [name: string, ...args: unknown[]])[]>> =
  {
    ioredis: [
      ["hset", "h", { a: "1", b: "2" }],
      ["hgetall", "h"],
      ["sadd", "s", "x"],
      ["smembers", "s"],
      ["zadd", "z", 1, "a", 2.5, "b"],
      ["zscore", "z", "b"],
      ["zrange", "z", 0, -1, "WITHSCORES"],
      ["mget", "h1", "h2"],
      ["mset", { h1: "x", h2: "y" }],
      ["mget", ["h1", "nothing", "h2"]],
      ["exists", "h1", "h2"],
      ["config", "GET", "databases"],
      ["lpop", "nothing"],
      ["del", "h", "s", "z"],
      ["dbsize"],
    ],
    "node-redis": [
      ["hSet", "h", { a: "1", b: "2" }],
      ["hGetAll", "h"],
      ["sAdd", "s", "x"],
      ["sMembers", "s"],
      ["sIsMember", "s", "x"],
      ["zAdd", "z", [{ score: 1, value: "a" }, { score: 2.5, value: "b" }]],
      ["zScore", "z", "b"],
      ["zScore", "z", "nothing"],
      ["zRangeWithScores", "z", 0, -1],
      ["mSet", { h1: "x", h2: "y" }],
      ["mGet", ["h1", "nothing", "h2"]],
      ["exists", ["h1", "h2"]],
      ["configGet", "databases"],
      ["geoAdd", "g", { longitude: 13.361389, latitude: 38.115556, member: "P" }],
      ["geoPos", "g", ["P", "nothing"]],
      ["xAdd", "x", "1-1", { f: "v" }],
      ["xRange", "x", "-", "+"],
      ["expire", "h", 100],
      ["lPop", "nothing"],
      ["del", ["h", "s", "z"]],
      ["dbSize"],
    ],
  };

for (const [name, connect] of Object.entries(LIBRARIES)) {
  Deno.test(`${name} makes of the proxy's replies what it makes of redis-server's`, async () => {
    await using servers = await RedisServer.startMany(2);
    await using single = await RedisServer.start();
    await using proxy = await RouterServer.start({
      servers,
      options: { shownConfig: [["databases", "16"]] },
    });
    await using ours = await connect(proxy.port);
    await using theirs = await connect(single.port);
    for (const [method, ...args] of METHODS[name.split(" ")[0]!]!) {
      const what = `${method}(${args.map((arg) => JSON.stringify(arg)).join(", ")})`;
      assertEquals(await ours.method(method, ...args), await theirs.method(method, ...args), what);
    }
  });

  Deno.test(`${name} connects with a password and is told of a wrong one`, async () => {
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({
      servers: [redis],
      options: { password: "secret" },
    });
    await using library = await connect(proxy.port, "secret");
    assertEquals(await library.call("SET", "a", "1"), "OK");
    // ioredis resolves connect() and lets commands fail, node-redis rejects it.
    const refused = await connect(proxy.port, "wrong").then(
      async (wrong) => await wrong.call("GET", "a"),
      asValue,
    );
    assert(refused !== null && typeof refused === "object" && "error" in refused);
  });
}

Deno.test("node-redis's scan iterator finds every key of all servers", async () => {
  await using servers = await RedisServer.startMany(3);
  await using proxy = await RouterServer.start({ servers });
  const client = createClient({ socket: { port: proxy.port, host: "127.0.0.1" } });
  await client.connect();
  const keys = Array.from({ length: 1000 }, (_, i) => `key:${i}`);
  await client.mSet(Object.fromEntries(keys.map((key) => [key, "v"])));
  const found: string[] = [];
  for await (const batch of client.scanIterator({ MATCH: "key:*", COUNT: 50 })) {
    found.push(...batch);
  }
  assertEquals(found.sort(), keys.sort());
  await client.close();
});

Deno.test("ioredis's scan stream finds every key of all servers", async () => {
  await using servers = await RedisServer.startMany(3);
  await using proxy = await RouterServer.start({ servers });
  const client = new Redis({ port: proxy.port, host: "127.0.0.1" });
  const keys = Array.from({ length: 1000 }, (_, i) => `key:${i}`);
  await client.mset(Object.fromEntries(keys.map((key) => [key, "v"])));
  const found: string[] = [];
  for await (const batch of client.scanStream({ match: "key:*", count: 50 })) found.push(...batch);
  assertEquals(found.sort(), keys.sort());
  await client.quit();
});

Deno.test("a pool of node-redis clients works side by side", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const pool = createClientPool({ socket: { port: proxy.port, host: "127.0.0.1" } }, {
    minimum: 4,
    maximum: 8,
  });
  await pool.connect();
  const replies = await Promise.all(Array.from({ length: 500 }, (_, i) => pool.incr(`n${i % 10}`)));
  assertEquals(replies.reduce((sum, n) => sum + n, 0), 10 * 50 * 51 / 2);
  await pool.close();
});

/** A server of before Redis 6: it knows no HELLO. */
function oldRedis(): FakeRedis {
  return new FakeRedis((words) =>
    words[0] === "HELLO"
      ? `-ERR unknown command 'HELLO', with args beginning with: '${words[1]}' \r\n`
      : answerNothing(words)
  );
}

for (
  const name of ["ioredis with default options", "ioredis with RESP2", "node-redis with RESP2"]
) {
  Deno.test(`${name} works before servers that know no RESP3`, async () => {
    await using fake = oldRedis();
    await using proxy = await RouterServer.start({ servers: [fake] });
    await using library = await LIBRARIES[name]!(proxy.port);
    assertEquals(await library.call("GET", "a"), null);
  });
}

Deno.test("node-redis with default options is told by the server itself when that knows no RESP3", async () => {
  await using fake = oldRedis();
  await using proxy = await RouterServer.start({ servers: [fake] });
  const connect = LIBRARIES["node-redis with default options"]!;
  assertEquals(await connect(proxy.port).catch(asValue), {
    error: "ERR unknown command 'HELLO', with args beginning with: '3' ",
  });
});
