/**
 * Servers that refuse a transaction, or a part of it, after its commands were queued: EXEC says why, and no
 * other client is harmed.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { PASS_THROUGH_BYTES } from "../../../src/router/client/pass_through.ts";
import { until } from "../../support/deadline.ts";
import { answerNothing, FakeRedis, type FakeReply } from "../../support/fake_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, type RespClient } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
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

Deno.test("when no part of a transaction is answered, the one that may have been executed is told of", async () => {
  const gone = { addr: "127.0.0.1:1" };
  await using losing = scripted({ MULTI: "+OK\r\n", SET: "+QUEUED\r\n", EXEC: "disconnect" });
  for (const servers of [[gone, losing], [losing, gone]]) {
    await using proxy = await RouterServer.start({
      servers,
      options: { multiSlotTransactions: true },
    });
    using client = await proxy.client();
    const sets = [0, 1].map((at) => ["SET", keyOn(at, 2), 1]);
    const replies = await client.pipeline([["MULTI"], ...sets, ["EXEC"]]);
    assertMatch(
      textOf(replies.at(-1)!.value),
      new RegExp(`^ERR handle response, backend conn failure, .*${losing.port}`),
    );
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
  for (const [bufferBytes, valueBytes] of [[1_000_000, 400_000], [3_000_000, 1_200_000]] as const) {
    await using proxy = await RouterServer.start({
      servers: [redis],
      options: { sessionBufferBytesMax: bufferBytes },
    });
    using client = await proxy.client();
    const value = "x".repeat(valueBytes);
    const queued = await client.pipeline([
      ["MULTI"],
      ["SET", "{l}a", value],
      ["SET", "{l}b", value],
      ["STRLEN", "{l}b"],
      ["EXEC"],
    ]);
    assertEquals(queued[4]!.value, ["OK", "OK", value.length]);
    for (const comes of ["whole", "in pieces"]) {
      const begun = await client.pipeline([
        ["MULTI"],
        ["SET", "{l}c", value],
        ["SET", "{l}d", value],
      ]);
      assertEquals(begun.map(({ value }) => value), ["OK", "QUEUED", "QUEUED"]);
      const tooMuch = encodeRequests([["SET", "{l}e", value]]);
      // What is larger than 512 KB is answered before it is there; the rest is held until it is.
      const isAnsweredEarly = valueBytes > PASS_THROUGH_BYTES;
      const firstBytes = comes === "whole" ? tooMuch.length : tooMuch.length - 3;
      await client.sendRaw(tooMuch.subarray(0, firstBytes));
      const early = isAnsweredEarly ? await client.read() : null;
      await client.sendRaw(tooMuch.subarray(firstBytes));
      const { value: refused } = early ?? await client.read();
      const reason =
        `transaction of at least N bytes is larger than session_max_buffer (${bufferBytes} bytes)`;
      assertEquals(textOf(refused), `ERR ${reason}`);
      // What follows is not kept, so there is room for it.
      assertEquals(await client.call("SET", "{l}f", value), "QUEUED");
      assertEquals(
        textOf(await client.call("EXEC")),
        `EXECABORT Transaction discarded because of: ${reason}`,
      );
      assertEquals(await client.call("EXISTS", "{l}c", "{l}f"), 0);
      assertEquals(proxy.leftovers(), []);
    }
    await client.call("DEL", "{l}a", "{l}b");
  }
});

Deno.test("a request that its user's limit refuses is EXEC's reason", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  await client.call("MULTI");
  proxy.router.limitUsers([
    { name: "default", place: 0, requests: 0, bytes: 1, connections: 0 },
  ]);
  assertEquals(await client.call("SET", "a", "x".repeat(1000)), "QUEUED");
  const refused = textOf(await client.call("SET", "a", "1"));
  assertMatch(refused, /^ERR user default has used up its 1 bytes\/s at this proxy/);
  proxy.router.limitUsers([]);
  const reason = refused.replace("ERR ", "");
  assertEquals(
    textOf(await client.call("EXEC")),
    `EXECABORT Transaction discarded because of: ${reason}`,
  );
});

/** An error's text, with N for how many bytes there are at least. */
function textOf(error: RespValue): string {
  assert(error instanceof ReplyError, `${error}`);
  return error.message.replace(/at least \d+ bytes/, "at least N bytes");
}
