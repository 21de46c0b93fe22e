/**
 * Commands about the whole key space, which every server has a part of.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { answerLikeCodis, answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { RouterServer } from "../../support/router_server.ts";

function assertError(reply: RespValue, text: RegExp): void {
  assert(reply instanceof ReplyError, `an error was expected, not ${reply}`);
  assertMatch(reply.message, text);
}

/** Fills keys `prefix0 …` and returns them. */
async function fillKeys(client: RespClient, count: number, prefix = "key:"): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  await client.call("MSET", ...keys.flatMap((key) => [key, "v"]));
  return keys;
}

/** Walks all keys as clients do; returns every key seen and every cursor given. */
async function walk(client: RespClient, ...options: Word[]) {
  const keys: string[] = [];
  const cursors: string[] = [];
  let cursor = "0";
  do {
    const [next, found] = await client.call("SCAN", cursor, ...options) as [string, string[]];
    keys.push(...found);
    cursors.push(next);
    cursor = next;
    assert(cursors.length < 100_000, "the walk has no end");
  } while (cursor !== "0");
  return { keys, cursors };
}

for (const count of [1, 2, 3, 5]) {
  Deno.test(`SCAN over ${count} servers finds every key once, with cursors that fit 63 bits`, async () => {
    await using servers = await RedisServer.startMany(count);
    await using proxy = await RouterServer.start({ servers });
    using client = await proxy.client();
    const all = await fillKeys(client, 5000);
    for (const options of [[], ["COUNT", 7], ["COUNT", 1000]]) {
      const { keys, cursors } = await walk(client, ...options);
      assertEquals(keys.length, 5000);
      assertEquals([...new Set(keys)].sort(), [...all].sort());
      for (const cursor of cursors) assert(BigInt(cursor) < 2n ** 63n && /^\d+$/.test(cursor));
    }
  });
}

Deno.test("SCAN answers no empty page for a server that holds nothing of what is asked for", async () => {
  await using servers = await RedisServer.startMany(3);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  assertEquals(await client.call("SCAN", 0), ["0", []]);
  for (let i = 0; i < 30; i++) {
    await client.call("SET", `key:${i}`, "v");
    // What is sent behind it does not overtake it.
    const replies = await client.pipeline([["SCAN", 0], ["FLUSHALL"]]);
    const [page, flushed] = replies.map(({ value }) => value);
    assertEquals([(page as [string, string[]])[1], flushed], [[`key:${i}`], "OK"]);
  }
  await fillKeys(client, 30);
  await client.call("RPUSH", "list", "x");
  const page = await client.call("SCAN", 0, "TYPE", "list", "COUNT", 1000);
  assertEquals((page as [string, string[]])[1], ["list"]);
});

Deno.test("SCAN honours MATCH, COUNT and TYPE", async () => {
  await using servers = await RedisServer.startMany(3);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  await fillKeys(client, 300, "string:");
  const lists = Array.from({ length: 100 }, (_, i) => `list:${i}`);
  await client.pipeline(lists.map((key) => ["RPUSH", key, "x"]));
  assertEquals((await walk(client, "TYPE", "list")).keys.sort(), [...lists].sort());
  assertEquals((await walk(client, "MATCH", "list:1?", "COUNT", 5)).keys.length, 10);
  assertEquals((await walk(client, "MATCH", "list:*", "TYPE", "string")).keys, []);
  const few = await walk(client, "COUNT", 10);
  const many = await walk(client, "count", 1000);
  assert(few.cursors.length > 30 && many.cursors.length <= 6);
});

Deno.test("SCAN finds every key that was there all the time, while others come and go", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  using other = await proxy.client();
  const all = await fillKeys(client, 1000);
  let isWalking = true;
  const changing = (async () => {
    for (let round = 0; isWalking; round++) {
      await fillKeys(other, 100, `passing:${round % 7}:`);
      const gone = Array.from({ length: 100 }, (_, i) => `passing:${(round + 3) % 7}:${i}`);
      await other.call("DEL", ...gone);
    }
  })();
  const { keys } = await walk(client, "COUNT", 20);
  isWalking = false;
  await changing;
  const seen = new Set(keys);
  assertEquals(all.filter((key) => !seen.has(key)), []);
});

Deno.test("SCAN works in the selected database and in RESP3", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  await fillKeys(client, 50, "zero:");
  await client.call("SELECT", 3);
  await client.call("HELLO", 3);
  const all = await fillKeys(client, 70, "three:");
  assertEquals((await walk(client)).keys.sort(), [...all].sort());
});

Deno.test("SCAN refuses what is no cursor", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  await fillKeys(client, 100);
  const inFirst = ((await client.call("SCAN", 0, "COUNT", 10)) as [string])[0];
  assert(inFirst !== "0");
  for (const cursor of ["abc", "1.5", "-", "+", "1 ", `${2n ** 64n}`, "9".repeat(30)]) {
    assertError(await client.call("SCAN", cursor), /^ERR invalid cursor$/);
  }
});

Deno.test("HSCAN, SSCAN and ZSCAN walk one key with the server's own cursor", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const members = Array.from({ length: 2000 }, (_, i) => `m${i}`);
  await client.call("SADD", "set", ...members);
  const seen = new Set<string>();
  let cursor = "0";
  do {
    const [next, found] = await client.call("SSCAN", "set", cursor) as [string, string[]];
    for (const member of found) seen.add(member);
    cursor = next;
  } while (cursor !== "0");
  assertEquals(seen.size, 2000);
});

Deno.test("DBSIZE, KEYS and RANDOMKEY are about all servers' keys", async () => {
  await using servers = await RedisServer.startMany(3);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  assertEquals(await client.call("RANDOMKEY"), null);
  assertEquals(await client.call("KEYS", "*"), []);
  assertEquals(await client.call("DBSIZE"), 0);
  const all = await fillKeys(client, 500);
  assertEquals(await client.call("DBSIZE"), 500);
  assertEquals((await client.call("KEYS", "*") as string[]).sort(), [...all].sort());
  assertEquals((await client.call("KEYS", "key:12?") as string[]).sort().length, 10);
  assertEquals(await client.call("KEYS", "none*"), []);
  const random = new Set<RespValue>();
  for (let i = 0; i < 200; i++) random.add(await client.call("RANDOMKEY"));
  assert(random.size > 50 && [...random].every((key) => all.includes(key as string)));
  await client.call("HELLO", 3);
  await client.call("FLUSHALL");
  assertEquals(await client.call("RANDOMKEY"), null);
});

Deno.test("FLUSHDB empties one database everywhere, FLUSHALL all of them", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  await fillKeys(client, 100);
  await client.call("SELECT", 1);
  await fillKeys(client, 100);
  assertEquals(await client.call("FLUSHDB"), "OK");
  assertEquals(await client.call("DBSIZE"), 0);
  await client.call("SELECT", 0);
  assertEquals(await client.call("DBSIZE"), 100);
  assertEquals(await client.call("FLUSHALL", "ASYNC"), "OK");
  assertEquals(await client.call("DBSIZE"), 0);
});

Deno.test("a script that was loaded can be run by its digest on every server", async () => {
  await using servers = await RedisServer.startMany(3);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const text = "return redis.call('SET', KEYS[1], ARGV[1])";
  const digest = await client.call("SCRIPT", "LOAD", text) as string;
  assertEquals(digest.length, 40);
  for (let i = 0; i < 50; i++) {
    assertEquals(await client.call("EVALSHA", digest, 1, `k${i}`, "v"), "OK");
  }
  const unknown = "0".repeat(40);
  assertEquals(await client.call("SCRIPT", "EXISTS", digest, unknown, digest), [1, 0, 1]);
  using direct = await servers[1]!.client();
  await direct.call("SCRIPT", "FLUSH");
  assertEquals(await client.call("SCRIPT", "EXISTS", digest), [0], "one server has lost it");
  await client.call("SCRIPT", "LOAD", text);
  assertEquals(await client.call("SCRIPT", "FLUSH"), "OK");
  assertEquals(await client.call("SCRIPT", "EXISTS", digest), [0]);
  assertError(await client.call("SCRIPT", "LOAD", "not lua"), /Error compiling script/);
});

Deno.test("a function that was loaded can be called on every server, and deleted from all", async () => {
  await using servers = await RedisServer.startMany(3);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const code = "#!lua name=lib\nredis.register_function('put', function(keys, args) " +
    "return redis.call('SET', keys[1], args[1]) end)";
  assertEquals(await client.call("FUNCTION", "LOAD", code), "lib");
  for (let i = 0; i < 50; i++) {
    assertEquals(await client.call("FCALL", "put", 1, `k${i}`, "v"), "OK");
  }
  assertError(await client.call("FUNCTION", "LOAD", code), /already exists/);
  assertEquals(await client.call("FUNCTION", "LOAD", "REPLACE", code), "lib");
  const dump = await client.call("FUNCTION", "DUMP");
  assert(typeof dump === "string" && dump.length > 50);
  assertEquals(((await client.call("FUNCTION", "LIST")) as RespValue[]).length, 1);
  assertEquals(await client.call("FUNCTION", "DELETE", "lib"), "OK");
  assertError(await client.call("FCALL", "put", 1, "k1", "v"), /Function not found/);
  assertError(await client.call("FUNCTION", "DELETE", "lib"), /Library not found/);
  for (const server of servers) {
    // As a library that was loaded at one master only.
    using direct = await server.client();
    await direct.call("FUNCTION", "LOAD", code);
    assertEquals(await client.call("FUNCTION", "DELETE", "lib"), "OK");
    assertEquals(await direct.call("FUNCTION", "LIST"), []);
  }
  await client.call("FUNCTION", "LOAD", code);
  assertEquals(await client.call("FUNCTION", "FLUSH"), "OK");
  assertEquals(await client.call("FUNCTION", "LIST"), []);
});

Deno.test("libraries are loaded at no master as long as one of them is too old for functions", async () => {
  await using redis = await RedisServer.start();
  let isOld = true;
  await using old = new FakeRedis((words) => {
    if (words[0] !== "FUNCTION" || isOld) return answerLikeCodis(words);
    return words[1] === "LIST" ? "*0\r\n" : "$3\r\nlib\r\n";
  });
  await using proxy = await RouterServer.start({ servers: [redis, old] });
  using client = await proxy.client();
  using direct = await redis.client();
  const code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
  const refusal = new RegExp(
    `^ERR FUNCTION LOAD is not done at any master: ${old.addr} knows no functions, which need Redis 7 or newer$`,
  );
  assertError(await client.call("FUNCTION", "LOAD", code), refusal);
  assertError(await client.call("FUNCTION", "RESTORE", "payload"), /^ERR FUNCTION RESTORE is not/);
  await client.call("MULTI");
  assertError(await client.call("FUNCTION", "LOAD", code), refusal);
  assertError(await client.call("EXEC"), /^EXECABORT/);
  assertEquals(await direct.call("FUNCTION", "LIST"), []);
  // What was there before can be taken away.
  await direct.call("FUNCTION", "LOAD", code);
  await client.call("FUNCTION", "DELETE", "lib");
  assertEquals(await direct.call("FUNCTION", "LIST"), []);
  // Another server comes back at that address.
  isOld = false;
  old.disconnectAll();
  await until(async () => await client.call("FUNCTION", "LOAD", "REPLACE", code) === "lib");
  assertEquals(((await direct.call("FUNCTION", "LIST")) as RespValue[]).length, 1);
});

Deno.test("with destructive_commands off nothing that destroys is let through, and the rest is", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({
    servers,
    options: { destructiveCommands: false },
  });
  using client = await proxy.client();
  await fillKeys(client, 10);
  for (
    const words of [
      ["FLUSHALL"],
      ["flushdb", "ASYNC"],
      ["SCRIPT", "FLUSH"],
      ["FUNCTION", "FLUSH"],
      ["FUNCTION", "DELETE", "lib"],
      ["FUNCTION", "RESTORE", "x"],
    ]
  ) assertError(await client.call(...words), /not allowed: destructive_commands is off/);
  assertEquals(await client.call("DBSIZE"), 10);
  assertEquals(await client.call("DEL", "key:1", "key:2"), 2);
  assertEquals(await client.call("SCRIPT", "EXISTS", "0".repeat(40)), [0]);
});

Deno.test("with a server down a command for all answers with an error, the client goes on", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  await fillKeys(client, 100);
  await servers[1]!.kill();
  for (const words of [["DBSIZE"], ["KEYS", "*"], ["FLUSHALL"], ["SCRIPT", "LOAD", "return 1"]]) {
    assertError(
      await client.call(...words),
      new RegExp(`backend conn failure, ${servers[1]!.addr}`),
    );
  }
  assertEquals(await client.call("PING"), "PONG");
  // The first server's part of the walk is fine, the second one's is an error.
  for (let i = 0; await client.call("SET", `key:${i}`, "v") !== "OK"; i++);
  let cursor = "0";
  const step = async () => await client.call("SCAN", cursor, "COUNT", 1000);
  cursor = ((await step()) as [string])[0];
  assertError(await step(), /backend conn failure/);
  await servers[1]!.restart();
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a server's error is told as it is", async () => {
  await using fake = new FakeRedis((words) =>
    words[0] === "DBSIZE"
      ? "-LOADING Redis is loading the dataset in memory\r\n"
      : answerNothing(words)
  );
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis, fake] });
  using client = await proxy.client();
  assertError(await client.call("DBSIZE"), /^LOADING Redis is loading/);
});

Deno.test("answers of all servers wait for their turn in a pipeline", async () => {
  await using servers = await RedisServer.startMany(3);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const replies = await client.pipeline([
    ["FLUSHALL"],
    ["MSET", "a", 1, "b", 2, "c", 3],
    ["DBSIZE"],
    ["DEL", "a"],
    ["DBSIZE"],
    ["FLUSHALL"],
    ["DBSIZE"],
    ["GET", "b"],
  ]);
  assertEquals(replies.map(({ value }) => value), ["OK", "OK", 3, 1, 2, "OK", 0, null]);
});
