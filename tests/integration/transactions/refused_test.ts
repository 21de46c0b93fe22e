/**
 * Servers that refuse a transaction, or a part of it, after its commands were queued: EXEC says why, and no
 * other client is harmed.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { answerNothing, FakeRedis, type FakeReply } from "../../support/fake_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { type RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const BUSY = "-BUSY Redis is busy running a script.\r\n";

async function exec(client: RespClient): Promise<unknown> {
  const replies = await client.pipeline([["MULTI"], ["SET", "a", 1], ["INCR", "a"], ["EXEC"]]);
  const { value } = replies[3]!;
  return value instanceof ReplyError ? value.message : value;
}

/** A server that gives these answers to what is sent between handshakes. */
function scripted(answers: Readonly<Record<string, FakeReply>>): FakeRedis {
  return new FakeRedis((words, connection) =>
    answers[words[0]!] ?? answerNothing(words) ?? connection.id
  );
}

Deno.test("an error that only the server finds is EXEC's reason", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using direct = await redis.client();
  using client = await proxy.client();
  await client.call("PING");
  await direct.call("CONFIG", "SET", "maxmemory", 1);
  assertEquals(
    await exec(client),
    "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
  );
  await direct.call("CONFIG", "SET", "maxmemory", 0);
  assertEquals(await direct.call("EXISTS", "a"), 0);
  assertEquals(await exec(client), ["OK", 2]);
});

Deno.test("a server that refuses all of it has executed nothing", async () => {
  await using redis = scripted({ MULTI: BUSY, SET: BUSY, INCR: BUSY, EXEC: BUSY });
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  assertEquals(
    await exec(client),
    "EXECABORT Transaction discarded because of: BUSY Redis is busy running a script.",
  );
  assertEquals(await client.call("GET", "a"), null);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("commands that a server executed without MULTI are not passed off as a transaction", async () => {
  await using redis = scripted({
    MULTI: "-NOPERM no permission\r\n",
    SET: "+OK\r\n",
    INCR: ":2\r\n",
    EXEC: "-ERR EXEC without MULTI\r\n",
  });
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  assertEquals(
    await exec(client),
    "ERR handle response, the server refused MULTI and executed the commands one by one: NOPERM no permission",
  );
});

Deno.test("a server that does not end a transaction loses the connection: nobody's commands are queued", async () => {
  await using redis = scripted({
    MULTI: "+OK\r\n",
    SET: "+QUEUED\r\n",
    INCR: "+QUEUED\r\n",
    EXEC: BUSY,
  });
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  assertEquals(await exec(client), "BUSY Redis is busy running a script.");
  await until(async () => await client.call("GET", "a") === null);
  assertEquals(redis.connectionCount, 2);
});

Deno.test("a client that is gone before its EXEC is refused leaves no server queueing for others", async () => {
  for (const multiSlotTransactions of [false, true]) {
    const late = Promise.withResolvers<string>();
    await using redis = new FakeRedis((words, connection) => {
      if (words[0] === "MULTI") return "+OK\r\n";
      if (words[0] === "SET") return "+QUEUED\r\n";
      if (words[0] === "EXEC") return late.promise;
      return answerNothing(words) ?? connection.id;
    });
    await using proxy = await RouterServer.start({
      servers: [redis],
      options: { multiSlotTransactions },
    });
    using other = await proxy.client();
    const client = await proxy.client();
    const key = multiSlotTransactions ? "b" : "a";
    await client.pipeline([["MULTI"], ["SET", "a", "1"], ["SET", key, "1"]]);
    await client.send("EXEC");
    await until(() => redis.received.some(([name]) => name === "EXEC"));
    assertEquals(await other.call("CLIENT", "KILL", "TYPE", "normal"), 1);
    client.close();
    late.resolve(BUSY);
    await until(async () => await other.call("GET", "a") === null);
    assertEquals(redis.connectionCount, 2);
    assertEquals(proxy.leftovers(), []);
  }
});

Deno.test("of a transaction over several slots, the part of a server that refuses it says so", async () => {
  await using refusing = scripted({
    MULTI: "-NOPERM no permission\r\n",
    SET: "+OK\r\n",
    EXEC: "-ERR EXEC without MULTI\r\n",
  });
  await using open = scripted({ MULTI: "+OK\r\n", SET: "+QUEUED\r\n", EXEC: BUSY });
  await using redis = await RedisServer.start();
  for (const server of [refusing, open]) {
    await using proxy = await RouterServer.start({
      servers: [server, redis],
      options: { multiSlotTransactions: true },
    });
    using client = await proxy.client();
    const [a, b] = [keyOn(0, 2), keyOn(1, 2)];
    const replies = await client.pipeline([["MULTI"], ["SET", a, 1], ["SET", b, 1], ["EXEC"]]);
    const [refused, done] = replies[3]!.value as [ReplyError, string];
    assertEquals(done, "OK");
    assertEquals(
      refused.message,
      server === refusing
        ? "ERR handle response, the server refused MULTI and executed the commands one by one: NOPERM no permission"
        : "BUSY Redis is busy running a script.",
    );
    if (server === open) await until(async () => await client.call("GET", a) === null);
    assertEquals(server.connectionCount, server === open ? 2 : 1);
  }
});

Deno.test("a client that leaves in the middle leaves nothing behind", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using other = await proxy.client();
  const scripts: string[][][] = [
    [["MULTI"], ["SET", "k", "1"]],
    [["WATCH", "k"], ["MULTI"], ["SET", "k", "1"]],
    [["MULTI"], ["SET", "k", "x".repeat(100_000)]],
    [["WATCH", "k"]],
  ];
  for (const script of scripts) {
    const client = await proxy.client();
    await client.pipeline(script);
    client.close();
  }
  await until(() => proxy.router.sessions.size === 1);
  await until(() =>
    [...proxy.router.shared.slots.pool.servers()].every(({ privatesInUse }) => privatesInUse === 0)
  );
  assertEquals(await other.call("EXISTS", "k"), 0);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("large values are queued up to session_max_buffer, and no further", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { sessionBufferBytesMax: 3_000_000 },
  });
  using client = await proxy.client();
  const value = "x".repeat(1_200_000);
  const replies = await client.pipeline([
    ["MULTI"],
    ["SET", "{l}a", value],
    ["SET", "{l}b", value],
    ["STRLEN", "{l}b"],
    ["EXEC"],
    ["MULTI"],
    ["SET", "{l}c", value],
    ["SET", "{l}d", value],
    ["SET", "{l}e", value],
    ["EXEC"],
    ["EXISTS", "{l}c"],
  ]);
  const values = replies.map(({ value }) => value instanceof ReplyError ? value.message : value);
  assertEquals(values.slice(4, 8), [["OK", "OK", value.length], "OK", "QUEUED", "QUEUED"]);
  assertEquals(
    `${values[8]}`.replace(/\d+/g, "N"),
    "ERR transaction of at least N bytes is larger than session_max_buffer (N bytes)",
  );
  assertEquals(values.slice(9), [
    "EXECABORT Transaction discarded because of previous errors.",
    0,
  ]);
  assertEquals(proxy.leftovers(), []);
});
