/**
 * What one connected client may rely on: order, errors, limits, deadlines, its own settings.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import type { ReadMode } from "../../../src/io/byte_source.ts";
import { until } from "../../support/deadline.ts";
import { answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { chance } from "../../support/fuzz.ts";
import { cutAtRandom, latin1, textOf } from "../../support/pieces.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, type Word } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const MODES: readonly ReadMode[] = ["byob", "direct"];

function assertError(reply: RespValue, text: RegExp): void {
  assert(reply instanceof ReplyError, `an error was expected, not ${reply}`);
  assertMatch(reply.message, text);
}

const [FIRST, SECOND] = [keyOn(0, 2), keyOn(1, 2)];

/** A server that answers every GET after a while, with its key. */
function slowRedis(delayMs: number): FakeRedis {
  return new FakeRedis(async (words) => {
    if (words[0] !== "GET") return answerNothing(words);
    await delay(delayMs);
    return `+${words[1]}\r\n`;
  });
}

for (const readMode of MODES) {
  Deno.test(`replies come in the order of the requests, however slow a server is (${readMode})`, async () => {
    await using slow = slowRedis(5);
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers: [slow, redis], options: { readMode } });
    using client = await proxy.client();
    const requests: Word[][] = [];
    const expected: RespValue[] = [];
    for (let i = 0; i < 40; i++) {
      requests.push(["GET", FIRST], ["SET", SECOND, i], ["PING", `p${i}`], ["GET", SECOND]);
      expected.push(FIRST, "OK", `p${i}`, `${i}`);
    }
    const replies = await client.pipeline(requests);
    assertEquals(replies.map(({ value }) => value), expected);
    assertEquals(proxy.leftovers(), []);
  });

  Deno.test(`a client that ends its sending direction after any number of small requests gets its reply whole (${readMode})`, async () => {
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers: [redis], options: { readMode } });
    using writer = await proxy.client();
    const large = "v".repeat(8_000_000);
    await writer.call("SET", "large", large);
    for (let before = 0; before <= 8; before++) {
      for (let round = 0; round < 10; round++) {
        const isLarge = round === 0;
        using client = await proxy.client();
        for (let i = 0; i < before; i++) assertEquals(await client.call("PING"), "PONG");
        await client.sendRaw(encodeRequests([isLarge ? ["GET", "large"] : ["PING"]]));
        // The system takes a part of the large reply, the rest waits.
        if (isLarge) await delay(50);
        await client.closeWrite();
        if (isLarge) await delay(50);
        const expected = isLarge ? `$${large.length}\r\n${large}\r\n` : "+PONG\r\n";
        const received = textOf(await client.readToEnd());
        // Not assertEquals(), which would print them.
        assert(received === expected, `${received.length} bytes after ${before} requests`);
      }
    }
  });

  Deno.test(`a client that ends its sending direction gets all replies, then the end (${readMode})`, async () => {
    await using slow = slowRedis(10);
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers: [slow, redis], options: { readMode } });
    using client = await proxy.client();
    await client.sendRaw(encodeRequests([["GET", FIRST], ["SET", SECOND, 1], ["GET", FIRST]]));
    await client.closeWrite();
    assertEquals(textOf(await client.readToEnd()), `+${FIRST}\r\n+OK\r\n+${FIRST}\r\n`);
    await until(() => proxy.router.sessions.size === 0);
  });

  Deno.test(`requests are understood however their bytes arrive (${readMode})`, async () => {
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers: [redis], options: { readMode } });
    const random = chance(3);
    using client = await proxy.client();
    for (let round = 0; round < 20; round++) {
      const value = "v".repeat(Math.floor(random() * 3000));
      const bytes = encodeRequests([["SET", "a", value], ["GET", "a"], ["PING"]]);
      for (const piece of cutAtRandom(bytes, 1 + Math.floor(random() * 30), random)) {
        await client.sendRaw(piece);
        if (random() < 0.5) await delay(0);
      }
      assertEquals((await client.read()).value, "OK");
      assertEquals((await client.read()).value, value);
      assertEquals((await client.read()).value, "PONG");
    }
  });

  Deno.test(`a broken request is answered after all earlier ones, then the end comes (${readMode})`, async () => {
    await using slow = slowRedis(10);
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers: [slow, redis], options: { readMode } });
    using bystander = await proxy.client();
    using client = await proxy.client();
    await client.sendRaw(encodeRequests([["GET", FIRST], ["SET", SECOND, 1]]));
    await client.sendRaw(`*1\r\n$x\r\n${"more of that ".repeat(10_000)}`);
    assertEquals(
      textOf(await client.readToEnd()),
      `+${FIRST}\r\n+OK\r\n-ERR Protocol error: invalid bulk length\r\n`,
    );
    assertEquals(await bystander.call("GET", SECOND), "1");
    assertEquals(proxy.router.shared.totals.protocolErrors, 1);
  });
}

Deno.test("QUIT is answered after all earlier requests; later ones are not executed", async () => {
  await using slow = slowRedis(10);
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [slow, redis] });
  using client = await proxy.client();
  await client.sendRaw(encodeRequests([["GET", FIRST], ["QUIT"], ["SET", SECOND, 1]]));
  assertEquals(textOf(await client.readToEnd()), `+${FIRST}\r\n+OK\r\n`);
  using direct = await redis.client();
  assertEquals(await direct.call("EXISTS", SECOND), 0);
});

Deno.test("a pipeline longer than session_max_pipeline is read bit by bit, and nothing is lost", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { sessionPipelineMax: 4 },
  });
  using client = await proxy.client();
  let deepest = 0;
  const timer = setInterval(() => {
    for (const { depth } of proxy.router.sessions.values()) deepest = Math.max(deepest, depth);
  }, 1);
  const replies = await client.pipeline(Array.from({ length: 5000 }, () => ["INCR", "n"]));
  clearInterval(timer);
  assertEquals(replies.map(({ value }) => value), Array.from({ length: 5000 }, (_, i) => i + 1));
  assert(deepest <= 4, `${deepest} requests were in flight`);
});

Deno.test("a client with a long pipeline has at most 64 requests in flight while another one is served", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using long = await proxy.client();
  using short = await proxy.client();
  const depths: number[] = [];
  const requests = Array.from({ length: 60_000 }, (): Word[] => ["INCR", "n"]);
  const replies = long.pipeline(requests);
  const sessions = () => [...proxy.router.sessions.values()];
  await until(() => sessions().some(({ depth }) => depth > 64));
  for (let i = 0; i < 40; i++) {
    await short.call("GET", "n");
    if (i > 20) depths.push(...sessions().map(({ depth }) => depth));
  }
  assertLess(Math.max(...depths), 65);
  assertEquals((await replies).map(({ value }) => value), requests.map((_, i) => i + 1));
});

Deno.test("100 000 requests in one pipeline are answered, inline commands and arrays alike", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const sending = client.sendRaw(
    `INCR ${FIRST}\r\n*2\r\n$4\r\nINCR\r\n$${SECOND.length}\r\n${SECOND}\r\n`.repeat(50_000),
  );
  for (let i = 1; i <= 50_000; i++) {
    const [first, second] = [await client.read(), await client.read()];
    if (first.value !== i || second.value !== i) assertEquals([first.value, second.value], [i, i]);
  }
  await sending;
  assertEquals(proxy.leftovers(), []);
});

Deno.test("clients above max_clients are told so in Redis's words; one that leaves makes room", async () => {
  await using proxy = await RouterServer.start({ options: { maxClients: 2 } });
  using first = await proxy.client();
  const second = await proxy.client();
  assertEquals([await first.call("PING"), await second.call("PING")], ["PONG", "PONG"]);
  using third = await proxy.client();
  assertEquals(textOf(await third.readToEnd()), "-ERR max number of clients reached\r\n");
  assertEquals(await first.call("PING"), "PONG");
  second.close();
  await until(() => proxy.router.sessions.size === 1);
  using fourth = await proxy.client();
  assertEquals(await fourth.call("PING"), "PONG");
  assertEquals(proxy.router.shared.totals.rejectedConnections, 1);
});

// -- who one is -------------------------------------------------------------------------------

Deno.test("with a password set nothing is done for a client before it has authenticated", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { password: "secret" },
  });
  using client = await proxy.client();
  const replies = await client.pipeline([
    ["SET", "a", 1],
    ["MGET", "a", "b"],
    ["DBSIZE"],
    ["PING"],
    ["SELECT", 1],
    ["COMMAND"],
    ["AUTH", "wrong"],
    ["AUTH", "default", "wrong"],
    ["AUTH", "nobody", "secret"],
    ["HELLO", 3],
    ["HELLO", 3, "AUTH", "default", "wrong"],
    ["GET", "a"],
  ]);
  for (const at of [0, 1, 2, 3, 4, 5, 11]) {
    assertError(replies[at]!.value, /^NOAUTH Authentication required\.$/);
  }
  assertError(replies[6]!.value, /^ERR invalid password$/);
  for (const at of [7, 8, 10]) assertError(replies[at]!.value, /^WRONGPASS /);
  assertError(replies[9]!.value, /^NOAUTH HELLO must be called with the client already auth/);
  using direct = await redis.client();
  assertEquals(await direct.call("DBSIZE"), 0);
});

Deno.test("each way to authenticate lets a client work", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { password: "secret" },
  });
  const ways: Word[][] = [
    ["AUTH", "secret"],
    ["AUTH", "default", "secret"],
    ["HELLO", 2, "AUTH", "default", "secret"],
    ["HELLO", 3, "AUTH", "default", "secret", "SETNAME", "me"],
  ];
  for (const [i, way] of ways.entries()) {
    using client = await proxy.client();
    const replies = await client.pipeline([way, ["SET", "a", i], ["GET", "a"]]);
    assert(!(replies[0]!.value instanceof ReplyError), `${way}`);
    assertEquals(replies.slice(1).map(({ value }) => value), ["OK", `${i}`]);
  }
});

Deno.test("a wrong password after a right one leaves the client logged in, as in redis-server", async () => {
  await using proxy = await RouterServer.start({ options: { password: "secret" } });
  using client = await proxy.client();
  assertEquals(await client.call("AUTH", "secret"), "OK");
  assertError(await client.call("AUTH", "wrong"), /invalid password/);
  assertError(await client.call("AUTH", "default", "wrong"), /^WRONGPASS/);
  assertError(await client.call("HELLO", 2, "AUTH", "default", "wrong"), /^WRONGPASS/);
  assertEquals(await client.call("PING"), "PONG");
});

Deno.test("wrong passwords are answered late, counted and logged; right ones beside them never wait", async () => {
  await using proxy = await RouterServer.start({ options: { password: "secret" } });
  using client = await proxy.client();
  const guessing = client.pipeline(Array.from({ length: 5000 }, (_, i) => ["AUTH", `guess ${i}`]));
  guessing.catch(() => {}); // it is cut when the test ends
  await until(() => proxy.router.shared.totals.wrongAuths === 7); // the last one waits for 400 ms
  const startedMs = performance.now();
  for (const way of [["AUTH", "secret"], ["HELLO", 2, "AUTH", "default", "secret"]]) {
    using other = await proxy.client();
    const replies = await other.pipeline([way, ["PING"]]);
    assertEquals(replies[1]!.value, "PONG");
    assertEquals(proxy.router.shared.totals.wrongAuths, 7, `${performance.now() - startedMs} ms`);
  }
  assertEquals(proxy.events.filter((event) => event.startsWith("wrong")), [
    "wrong passwords: 1",
    "wrong passwords: 3", // from here on they are answered late
  ]);
  assertEquals(proxy.router.shared.totals.throttledAuths, 4);
  using other = await proxy.client();
  await other.call("AUTH", "secret");
  const stats = await other.call("INFO", "stats") as string;
  assertMatch(stats, /^acl_access_denied_auth:\d{1,2}\r$/m);
});

Deno.test("a client that waits to hear that it was wrong may go meanwhile", async () => {
  await using proxy = await RouterServer.start({ options: { password: "secret" } });
  for (let i = 0; i < 6; i++) {
    using client = await proxy.client();
    client.call("AUTH", "wrong").catch(() => {});
    await until(() => proxy.router.shared.totals.wrongAuths === i + 1);
  }
  using client = await proxy.client();
  assertError(await client.call("AUTH", "wrong"), /invalid password/);
  assertEquals(await client.call("AUTH", "secret"), "OK");
});

Deno.test("before AUTH a client may send ten arguments and 16 KB, and not one more", async () => {
  await using proxy = await RouterServer.start({ options: { password: "secret" } });
  const inputs: [bytes: string, error: string][] = [
    ["*11\r\n", "unauthenticated multibulk length"],
    ["*1000000\r\n", "unauthenticated multibulk length"],
    ["*2\r\n$4\r\nAUTH\r\n$16385\r\n", "unauthenticated bulk length"],
    ["*2\r\n$4\r\nAUTH\r\n$536870912\r\n", "unauthenticated bulk length"],
  ];
  for (const [bytes, error] of inputs) {
    using client = await proxy.client();
    await client.sendRaw(bytes);
    assertEquals(textOf(await client.readToEnd()), `-ERR Protocol error: ${error}\r\n`);
  }
  using client = await proxy.client();
  assertError(await client.call("AUTH", "x".repeat(16_384)), /invalid password/);
  assertError(await client.call("GET", ..."12345678"), /wrong number of arguments/);
  assertEquals(await client.call("AUTH", "secret"), "OK");
  assertEquals(await client.call("ECHO", "x".repeat(20_000)), "x".repeat(20_000));
});

// -- deadlines --------------------------------------------------------------------------------

Deno.test("a client past one of its deadlines is closed, one within them is not", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { sessionIdleMs: 2500, sessionPartialMs: 700, sessionWriteMs: 800 },
  });
  await using guarded = await RouterServer.start({
    options: { password: "secret", sessionAuthMs: 700 },
  });
  using idle = await proxy.client();
  using partial = await proxy.client();
  using barely = await proxy.client();
  using busy = await proxy.client();
  using mute = await proxy.client();
  using stranger = await guarded.client();
  using friend = await guarded.client();
  await idle.call("PING");
  await friend.call("AUTH", "secret");
  await partial.sendRaw("*2\r\n$4\r\nECHO\r\n$5\r\nhel");
  await barely.sendRaw("*");
  // Far more replies than the system's buffers take.
  await mute.call("SET", "big", "x".repeat(1_000_000));
  const flooding = mute.sendRaw(encodeRequests(Array.from({ length: 60 }, () => ["GET", "big"])));
  const working = setInterval(() => void busy.send("PING").catch(() => {}), 300);
  assertEquals(await partial.readToEnd(), new Uint8Array(0));
  assertEquals(await barely.readToEnd(), new Uint8Array(0));
  assertEquals(await stranger.readToEnd(), new Uint8Array(0));
  assertEquals(await idle.readToEnd(), new Uint8Array(0));
  await flooding;
  await until(() => proxy.router.sessions.size === 1);
  clearInterval(working);
  assertEquals(await busy.call("ECHO", "still here").then(() => true), true);
  assertEquals(await friend.call("PING"), "PONG");
  assertEquals(
    proxy.events.filter((line) => line.startsWith("session timed out")).sort(),
    [
      "session timed out: idle timeout",
      "session timed out: request timeout",
      "session timed out: request timeout",
      "session timed out: write timeout",
    ],
  );
  assertEquals(proxy.router.shared.totals.timedOutSessions, 4);
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("a client whose every read ends in the middle of a request is not taken for one that hangs", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { sessionPartialMs: 600 },
  });
  using client = await proxy.client();
  const request = encodeRequests([["ECHO", "hello"]]);
  await client.sendRaw(request.subarray(0, 10));
  for (let i = 0; i < 30; i++) {
    await client.sendRaw(request.subarray(10));
    await client.sendRaw(request.subarray(0, 10));
    assertEquals((await client.read()).value, "hello");
    await delay(80);
  }
  assertEquals(proxy.router.shared.totals.timedOutSessions, 0);
});

// -- databases and protocols ------------------------------------------------------------------

Deno.test("each command of a pipeline works in the database that was selected before it", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const requests: Word[][] = [];
  const expected: RespValue[] = [];
  for (let round = 0; round < 20; round++) {
    for (const database of [0, 15, 7]) {
      requests.push(["SELECT", database], ["SET", FIRST, `${database}:${round}`]);
      requests.push(["MGET", FIRST, SECOND], ["SET", SECOND, round]);
      expected.push(
        "OK",
        "OK",
        [`${database}:${round}`, round === 0 ? null : `${round - 1}`],
        "OK",
      );
    }
  }
  const replies = await client.pipeline(requests);
  assertEquals(replies.map(({ value }) => value), expected);
  using direct = await servers[0]!.client();
  await direct.call("SELECT", 15);
  assertEquals(await direct.call("GET", FIRST), "15:19");
});

Deno.test("a command after SELECT never overtakes one before it", async () => {
  const executed: string[] = [];
  await using fake = new FakeRedis(async (words) => {
    if (words[0] !== "GET") return answerNothing(words);
    if (words[1] === "slow") await delay(30);
    executed.push(words[1]!);
    return "$-1\r\n";
  });
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  await client.call("SELECT", 1); // both connections are open from here on
  await client.call("GET", "x");
  await client.pipeline([["SELECT", 0], ["GET", "slow"], ["SELECT", 1], ["GET", "fast"]]);
  assertEquals(executed, ["x", "slow", "fast"]);
});

Deno.test("a database that does not exist is refused, and the one before stays selected", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  await client.pipeline([["SELECT", 2], ["SET", "a", "two"]]);
  for (const wrong of ["16", "-1", "99999999999", "x", "1.5", ""]) {
    assertError(await client.call("SELECT", wrong), /^ERR (DB index|value) is /);
  }
  assertEquals(await client.call("GET", "a"), "two");
});

Deno.test("each command of a pipeline is answered in the protocol that was agreed before it", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const [hash, other] = [keyOn(0, 2, "hash"), SECOND];
  const asked: Word[][] = [["HGETALL", hash], ["GET", "nothing"], ["MGET", other, "nothing"]];
  const requests = [["HSET", hash, "f", "v"], ["SET", other, "x"], ...asked];
  const resp2 = ["*2\r\n$1\r\nf\r\n$1\r\nv\r\n", "$-1\r\n", "*2\r\n$1\r\nx\r\n$-1\r\n"];
  const resp3 = ["%1\r\n$1\r\nf\r\n$1\r\nv\r\n", "_\r\n", "*2\r\n$1\r\nx\r\n_\r\n"];
  for (let round = 0; round < 10; round++) {
    const replies = await client.pipeline([
      ...requests,
      ["HELLO", 3],
      ...asked,
      ["HELLO", 2],
      ...asked,
    ]);
    const raw = replies.map((reply) => textOf(reply.raw));
    assertEquals(raw.slice(2, 5), resp2);
    assertMatch(raw[5]!, /^%7\r\n/);
    assertEquals(raw.slice(6, 9), resp3);
    assertMatch(raw[9]!, /^\*14\r\n/);
    assertEquals(raw.slice(10, 13), resp2);
  }
});

Deno.test("RESET makes a client as new: RESP2, database 0, no name, not authenticated", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { password: "secret" },
  });
  using client = await proxy.client();
  await client.call("HELLO", 3, "AUTH", "default", "secret", "SETNAME", "me");
  const replies = await client.pipeline([
    ["SELECT", 3],
    ["SET", "a", "three"],
    ["RESET"],
    ["GET", "a"],
    ["AUTH", "secret"],
    ["GET", "a"],
    ["CLIENT", "GETNAME"],
  ]);
  assertEquals(replies[2]!.value, "RESET");
  assertError(replies[3]!.value, /NOAUTH/);
  assertEquals(replies.slice(5).map(({ raw }) => textOf(raw)), ["$-1\r\n", "$-1\r\n"]);
});

// -- clients about clients --------------------------------------------------------------------

Deno.test("CLIENT knows names, libraries, numbers and addresses of all clients", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  using other = await proxy.client();
  const replies = await client.pipeline([
    ["CLIENT", "SETNAME", "worker-7"],
    ["CLIENT", "SETINFO", "LIB-NAME", "lib"],
    ["CLIENT", "SETINFO", "LIB-VER", "1.2"],
    ["SELECT", 4],
    ["CLIENT", "GETNAME"],
    ["CLIENT", "ID"],
    ["CLIENT", "INFO"],
  ]);
  assertEquals(replies.slice(0, 5).map(({ value }) => value), ["OK", "OK", "OK", "OK", "worker-7"]);
  const id = replies[5]!.value as number;
  assertEquals(await other.call("CLIENT", "ID"), id + 1);
  const { port } = client.conn.localAddr as Deno.NetAddr;
  const line = replies[6]!.value as string;
  for (
    const field of [
      `id=${id}`,
      `addr=127.0.0.1:${port}`,
      `laddr=127.0.0.1:${proxy.port}`,
      "name=worker-7",
      "db=4",
      "resp=2",
      "cmd=client|info",
      "lib-name=lib",
      "lib-ver=1.2",
    ]
  ) assert(line.split(/[ \n]/).includes(field), `${field} in ${line}`);
  const list = await other.call("CLIENT", "LIST") as string;
  assertEquals(list.trimEnd().split("\n").length, 2);
  assertEquals(await other.call("CLIENT", "LIST", "ID", id, 999, -1), list.split("\n")[0] + "\n");
  assertEquals(await other.call("CLIENT", "LIST", "TYPE", "replica"), "");
});

Deno.test("CLIENT KILL closes whom it names: by address, number, type, and itself after the answer", async () => {
  await using proxy = await RouterServer.start();
  using killer = await proxy.client();
  const victims = await Promise.all(Array.from({ length: 4 }, () => proxy.client()));
  const address = (at: number) => `127.0.0.1:${(victims[at]!.conn.localAddr as Deno.NetAddr).port}`;
  const isGone = async (at: number) => (await victims[at]!.readToEnd()).length === 0;
  assertEquals(await killer.call("CLIENT", "KILL", address(0)), "OK");
  assert(await isGone(0));
  assertError(await killer.call("CLIENT", "KILL", address(0)), /^ERR No such client$/);
  assertEquals(await killer.call("CLIENT", "KILL", "ADDR", address(1)), 1);
  assert(await isGone(1));
  const id = await victims[2]!.call("CLIENT", "ID") as number;
  assertEquals(await killer.call("CLIENT", "KILL", "ID", id), 1);
  assertEquals(await killer.call("CLIENT", "KILL", "ID", id), 0);
  assert(await isGone(2));
  assertEquals(await victims[3]!.call("PING"), "PONG");
  assertEquals(await killer.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"), 2);
  assertEquals(await killer.readToEnd(), new Uint8Array(0));
  assert(await isGone(3));
});

Deno.test("keys in different slots are refused with Redis Cluster's text unless a tag joins them", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const crossSlot =
    /^CROSSSLOT Keys in request don't hash to the same slot: .* \{tag\}.*config slot rule preset/;
  assertError(await client.call("RENAME", "a", "b"), crossSlot);
  assertError(await client.call("SUNIONSTORE", "a", "b", "c"), crossSlot);
  assertError(await client.call("EVAL", "return 1", 2, "a", "b"), crossSlot);
  await client.call("SET", "{tag}a", "1");
  assertEquals(await client.call("RENAME", "{tag}a", "{tag}b"), "OK");
  assertEquals(
    await client.call("EVAL", "return redis.call('get', KEYS[1])", 1, "{tag}b"),
    "1",
  );
});

Deno.test("commands this proxy does not serve are refused with the reason, the client goes on", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  const requests = [
    ["CONFIG", "SET", "maxmemory", "1"],
    ["SHUTDOWN"],
    ["MIGRATE", "h", "1", "k", "0", "1"],
  ];
  const replies = await client.pipeline([...requests, ["PING"]]);
  for (const { value } of replies.slice(0, -1)) assertError(value, /^ERR .*not allowed: .{10}/);
  assertEquals(replies.at(-1)!.value, "PONG");
});

Deno.test("an HTTP request is refused and its connection closed before a body can be read", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  for (const start of ["POST / HTTP/1.1\r\n", "Host: localhost\r\n"]) {
    using client = await proxy.client();
    await client.sendRaw(`${start}SET a 1\r\n`);
    assertMatch(textOf(await client.readToEnd()), /^-ERR [^\n]*this is not an HTTP port\r\n$/);
  }
  using direct = await redis.client();
  assertEquals(await direct.call("EXISTS", "a"), 0);
});

Deno.test("a client that vanishes with requests in flight leaves nothing behind", async () => {
  await using slow = slowRedis(5);
  await using proxy = await RouterServer.start({ servers: [slow] });
  for (let i = 0; i < 20; i++) {
    const client = await proxy.client();
    await client.sendRaw(encodeRequests(Array.from({ length: 10 }, () => ["GET", "a"])));
    await client.sendRaw("*2\r\n$3\r\nGET\r\n$100\r\nabc");
    client.close();
  }
  using last = await proxy.client();
  assertEquals(await last.call("GET", "b"), "b");
  await until(() => proxy.router.sessions.size === 1, 30_000);
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("draining lets each client have the replies it waits for, and takes no further request", async () => {
  await using slow = slowRedis(100);
  await using proxy = await RouterServer.start({ servers: [slow] });
  using client = await proxy.client();
  using idle = await proxy.client();
  await client.sendRaw(encodeRequests([["GET", "a"]]));
  await slow.waitForRequests(2);
  const startedMs = performance.now();
  const drained = proxy.router.drainSessions(5000);
  await client.sendRaw(encodeRequests([["GET", "late"]])).catch(() => {});
  assertEquals(textOf(await client.readToEnd()), "+a\r\n");
  assertEquals(await idle.readToEnd(), new Uint8Array(0));
  await drained;
  assertLess(performance.now() - startedMs, 2000);
  assertEquals(slow.received.some(([, key]) => key === "late"), false);
});

Deno.test("TIME tells the wall clock, and follows it when it is set", async () => {
  await using proxy = await RouterServer.start();
  using client = await proxy.client();
  const timeMs = async () => {
    const [seconds, us] = (await client.call("TIME") as string[]).map(Number) as [number, number];
    assert(us >= 0 && us < 1_000_000);
    return seconds * 1000 + us / 1000;
  };
  assertLess(Math.abs(await timeMs() - Date.now()), 1000);
  const { now } = Date;
  const { instant } = Temporal.Now;
  try {
    for (const hours of [-2, 2]) {
      // The monotonic clock knows nothing of it.
      Date.now = () => now() + hours * 3_600_000;
      Temporal.Now.instant = () => instant().add({ hours });
      assertLess(Math.abs(await timeMs() - Date.now()), 1000);
    }
  } finally {
    Date.now = now;
    Temporal.Now.instant = instant;
  }
});

Deno.test("values of any bytes come back as they were sent", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  const every = latin1(String.fromCharCode(...Array(256).keys())).slice();
  for (const key of [every, new Uint8Array(0), latin1("a\r\nb")]) {
    await client.call("SET", key, every);
    await client.send("GET", key);
    const { raw } = await client.read();
    assertEquals(raw, latin1(`$256\r\n${textOf(every)}\r\n`));
  }
});

Deno.test("while the table is in doubt requests wait, and get errors once it is known to be old", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  assertEquals(await client.call("SET", "k", "v"), "OK");
  proxy.router.setServing("held");
  const large = "x".repeat(700 * 1024); // one that is passed through
  await client.send("GET", "k");
  await client.send("MGET", "k", "l");
  await client.send("SET", "k", large);
  await client.send("DBSIZE");
  await client.send("PING");
  await delay(100);
  assertEquals(proxy.sessionOf(client).depth, 0, "nothing is sent");
  proxy.router.setServing("refused");
  for (let i = 0; i < 4; i++) {
    assertError((await client.read()).value, /^ERR handle request, slots may have changed/);
  }
  assertEquals((await client.read()).value, "PONG");
  proxy.router.setServing("serving");
  assertEquals(await client.call("GET", "k"), "v");
  assertEquals(proxy.leftovers(), []);
});
