/**
 * A server behind the proxy that refuses, hangs, lies, dies and comes back.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import type { ReadMode } from "../../../src/io/byte_source.ts";
import { holdUp, until } from "../../support/deadline.ts";
import { answerNothing, FakeRedis, type FakeScript } from "../../support/fake_redis.ts";
import { freePort } from "../../support/free_port.ts";
import { FullBacklog } from "../../support/full_backlog.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const MODES: readonly ReadMode[] = ["byob", "direct"];

/** Asserts that a reply is an error whose text matches. */
function assertError(reply: RespValue, text: RegExp): void {
  assert(reply instanceof ReplyError, `an error was expected, not ${reply}`);
  assertMatch(reply.message, text);
}

/** Handshakes succeed; everything else is scripted. */
function afterHandshake(script: FakeScript): FakeScript {
  return (words, connection) =>
    ["SELECT", "AUTH", "HELLO"].includes(words[0]!)
      ? answerNothing(words)
      : script(words, connection);
}

/** Calls GET until it is answered with a value; returns how long that took in milliseconds. */
async function timeUntilServed(client: RespClient, key: string): Promise<number> {
  const startedMs = performance.now();
  await until(async () => !(await client.call("GET", key) instanceof ReplyError));
  return performance.now() - startedMs;
}

Deno.test("a server is connected to when it is first needed, once for all clients", async () => {
  await using fake = new FakeRedis();
  await using proxy = await RouterServer.start({ servers: [fake] });
  using first = await proxy.client();
  assertEquals(await first.call("PING"), "PONG");
  assertEquals(fake.connectionCount, 0);
  using second = await proxy.client();
  assertEquals(await Promise.all([first.call("GET", "a"), second.call("GET", "b")]), [null, null]);
  assertEquals(fake.connectionCount, 1);
});

Deno.test("a server's databases and protocols have a connection each, opened when first used", async () => {
  await using fake = new FakeRedis();
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  await client.call("SELECT", 3);
  await client.call("GET", "a");
  assertEquals(fake.received, [["SELECT", "3"], ["GET", "a"]]);
  await client.call("HELLO", 3);
  await client.call("GET", "a");
  // HELLO asked the server in database 0 whether it knows RESP3 at all, and for its version.
  assertEquals(fake.received.slice(2), [
    ["HELLO", "3"],
    ["SELECT", "0"],
    ["INFO", "server"],
    ["HELLO", "3"],
    ["SELECT", "3"],
    ["GET", "a"],
  ]);
});

Deno.test("a reply that came while the proxy was held up is not late", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [server],
    options: { backendTimeoutMs: 600 },
  });
  using client = await proxy.client();
  assertEquals(await client.call("SET", "a", "1"), "OK");
  using other = await server.client();
  // Also not when it is held up again as soon as it has gone on.
  for (let time = 0; time < 3; time++) {
    await other.call("CLIENT", "PAUSE", 300);
    const got = client.call("GET", "a");
    await until(() => proxy.leftovers().length > 0);
    holdUp(900);
    assertEquals(await got, "1", `time ${time}`);
  }
});

for (const readMode of MODES) {
  Deno.test(`a server that refuses connections is named in the error, and the client stays connected, ${readMode}`, async () => {
    const addr = `127.0.0.1:${freePort()}`;
    await using proxy = await RouterServer.start({ servers: [{ addr }], options: { readMode } });
    using client = await proxy.client();
    const [get, ping] = await client.pipeline([["GET", "a"], ["PING"]]);
    assertEquals(
      get!.value,
      new ReplyError(`LOADING handle request, backend conn failure, ${addr}: connection refused`),
    );
    assertEquals(ping!.value, "PONG");
    assertEquals(proxy.leftovers(), []);
  });
}

Deno.test("a server that is down costs the other servers' requests nothing", async () => {
  await using redis = await RedisServer.start();
  const dead = { addr: `127.0.0.1:${freePort()}` };
  await using proxy = await RouterServer.start({ servers: [redis, dead] });
  using client = await proxy.client();
  const [alive, lost] = [keyOn(0, 2), keyOn(1, 2)];
  for (let i = 0; i < 50; i++) {
    const replies = await client.pipeline([["SET", alive, i], ["GET", lost], ["GET", alive]]);
    assertEquals(replies[0]!.value, "OK");
    assertError(replies[1]!.value, /backend conn failure.*connection refused/);
    assertEquals(replies[2]!.value, `${i}`);
  }
});

for (const readMode of MODES) {
  Deno.test(`a server that does not take a connection is given up after backend_dial_timeout, ${readMode}`, async () => {
    using unreachable = await FullBacklog.open();
    await using proxy = await RouterServer.start({
      servers: [unreachable],
      options: { readMode, backendDialMs: 200 },
    });
    using client = await proxy.client();
    const startedMs = performance.now();
    assertError(await client.call("GET", "a"), /timeout after 200 ms/);
    assertLess(performance.now() - startedMs, 1000);
    const [server] = proxy.router.shared.slots.pool.servers();
    await until(() => server!.backend(0, 2).state === "failing");
  });
}

Deno.test("a server that takes the connection and stays silent is given up after backend_dial_timeout", async () => {
  await using fake = new FakeRedis(() => "hang");
  await using proxy = await RouterServer.start({
    servers: [fake],
    options: { backendDialMs: 200 },
  });
  using client = await proxy.client();
  assertError(await client.call("GET", "a"), /no answer to the handshake for 200 ms/);
});

Deno.test("a server is given user and password before anything else", async () => {
  await using redis = await RedisServer.start();
  {
    using admin = await redis.client();
    await admin.call("ACL", "SETUSER", "codis", "on", ">secret", "~*", "+@all");
    await admin.call("ACL", "SETUSER", "default", "off");
  }
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { backendUser: "codis", backendPassword: "secret" },
  });
  using client = await proxy.client();
  assertEquals(await client.call("SET", "a", "1"), "OK");
  await client.call("HELLO", 3);
  assertEquals(await client.call("GET", "a"), "1");
});

Deno.test("a server that does not accept the password is named with its own words", async () => {
  await using redis = await RedisServer.start({ args: ["--requirepass", "right"] });
  for (const [backendPassword, text] of [["wrong", /WRONGPASS/], ["", /NOAUTH/]] as const) {
    await using proxy = await RouterServer.start({
      servers: [redis],
      options: { backendPassword },
    });
    using client = await proxy.client();
    const reply = await client.call("GET", "a");
    assertError(reply, text);
    assertError(reply, new RegExp(redis.addr));
    assertEquals(await client.call("PING"), "PONG");
  }
});

Deno.test("a server's refusal is told whole, however long it is and in whatever pieces it comes", async () => {
  // As Redis says it in protected mode: in 900 bytes, more than is read at once at first.
  const refusal = `DENIED Redis is running in protected mode because ${
    "it is so. ".repeat(90)
  }End.`;
  await using fake = new FakeRedis(() => `-${refusal}\r\n`);
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  assertEquals(
    await client.call("GET", "a"),
    new ReplyError(`${refusal} (handle request, backend conn failure, ${fake.addr})`),
  );
});

Deno.test("a server that leaves a request unanswered is cut off after backend_timeout", async () => {
  await using fake = new FakeRedis(
    afterHandshake(([, key]) => key === "mute" ? "hang" : "$-1\r\n"),
  );
  await using proxy = await RouterServer.start({
    servers: [fake],
    // Nobody looks whether its address is still there meanwhile.
    options: { backendTimeoutMs: 300, backendDialMs: 4_000 },
  });
  using client = await proxy.client();
  assertEquals(await client.call("GET", "a"), null);
  const startedMs = performance.now();
  const replies = await client.pipeline([["GET", "mute"], ["PING"]]);
  assertError(replies[0]!.value, /no answer for 300 ms/);
  assertEquals(replies[1]!.value, "PONG");
  assertLess(performance.now() - startedMs, 1000);
  assertLess(await timeUntilServed(client, "a"), 1000);
  assertEquals(fake.connectionCount, 2);
});

Deno.test("a server that answers slowly, a byte now and then, is not cut off", async () => {
  await using fake = new FakeRedis(afterHandshake(async (_words, connection) => {
    for (const byte of "$5\r\nhello\r\n") {
      await connection.send(byte);
      await delay(60);
    }
    return "hang";
  }));
  await using proxy = await RouterServer.start({
    servers: [fake],
    options: { backendTimeoutMs: 300 },
  });
  using client = await proxy.client();
  assertEquals(await client.call("GET", "a"), "hello");
});

/** What a server may send that it must not, and the cause that is told. */
const LIES: readonly (readonly [name: string, bytes: string, cause: RegExp])[] = [
  [
    "a reply of no known type",
    "hello\r\n",
    /protocol error from the server: not Redis's protocol: a reply begins with byte 0x68/,
  ],
  ["a length that is no number", "$x\r\n", /protocol error from the server/],
  ["a bulk of the wrong length", "$3\r\nabcdef\r\n", /bulk is not followed by CR LF/],
];

for (const [name, bytes, cause] of LIES) {
  Deno.test(`a server that sends ${name} loses its connection; clients get an error and stay`, async () => {
    await using fake = new FakeRedis(
      afterHandshake(([, key]) => key === "lie" ? bytes : "$2\r\nok\r\n"),
    );
    await using proxy = await RouterServer.start({ servers: [fake] });
    using client = await proxy.client();
    assertEquals(await client.call("GET", "a"), "ok");
    const replies = await client.pipeline([["GET", "lie"], ["GET", "after"]]);
    assertError(replies[0]!.value, cause);
    assertError(replies[1]!.value, cause);
    assertLess(await timeUntilServed(client, "a"), 1000);
    assertEquals(proxy.leftovers(), []);
  });
}

Deno.test("a reply nobody asked for is given to nobody: the connection is closed instead", async () => {
  await using fake = new FakeRedis(afterHandshake(() => "$1\r\n1\r\n$5\r\nextra\r\n"));
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  assertEquals(await client.call("GET", "a"), "1");
  await until(() => proxy.events.some((line) => line.includes("a reply nobody asked for")));
  await until(async () => await client.call("GET", "b") === "1");
  assertEquals(fake.connectionCount, 2);
});

Deno.test("a push from a server reaches no client and disturbs no reply", async () => {
  const push = ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n";
  await using fake = new FakeRedis(
    afterHandshake(([, key]) => `${push}$${key!.length}\r\n${key}\r\n${push}`),
  );
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  await client.call("HELLO", 3);
  const replies = await client.pipeline(["a", "bc", "d"].map((key) => ["GET", key]));
  assertEquals(replies.map(({ value }) => value), ["a", "bc", "d"]);
  assertEquals(fake.connectionCount, 1);
});

for (const readMode of MODES) {
  Deno.test(`requests in flight on a lost connection are each answered once, in order, ${readMode}`, async () => {
    let isUp = false;
    await using fake = new FakeRedis(afterHandshake(([, key]) => {
      if (isUp) return "+served\r\n";
      return key === "k4" ? "disconnect" : key! < "k2" ? `+${key}\r\n` : "hang";
    }));
    await using proxy = await RouterServer.start({ servers: [fake], options: { readMode } });
    using client = await proxy.client();
    const replies = await client.pipeline([
      ...Array.from({ length: 8 }, (_, i) => ["GET", `k${i}`]),
      ["PING"],
    ]);
    assertEquals(replies.slice(0, 2).map(({ value }) => value), ["k0", "k1"]);
    for (const { value } of replies.slice(2, 8)) assertError(value, /closed by the server/);
    assertEquals(replies[8]!.value, "PONG");
    isUp = true;
    await until(async () => await client.call("GET", "k2") === "served");
    assertEquals(proxy.leftovers(), []);
  });
}

Deno.test("while a server is down its requests fail at once and connecting is tried with pauses", async () => {
  await using fake = new FakeRedis(() => "disconnect");
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  assertError(await client.call("GET", "a"), /connection closed by the server/);
  const startedMs = performance.now();
  let slowestMs = 0;
  let answers = 0;
  while (performance.now() - startedMs < 1500) {
    const sentMs = performance.now();
    assertError(await client.call("GET", "a"), /connection closed by the server/);
    slowestMs = Math.max(slowestMs, performance.now() - sentMs);
    answers++;
  }
  assertLess(slowestMs, 200);
  assert(answers > 100, `${answers} answers`);
  // 50, 100, 200, 400, 500 … ms with jitter: a handful of attempts, not one per request.
  assert(fake.connectionCount >= 3 && fake.connectionCount <= 16, `${fake.connectionCount} dials`);
});

Deno.test("a server that was killed serves again within a second of its return", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  assertEquals(await client.call("SET", "a", "1"), "OK");
  await redis.kill();
  // Long enough for the pauses between attempts to have grown to their longest.
  const downUntilMs = performance.now() + 2000;
  while (performance.now() < downUntilMs) {
    assertError(await client.call("GET", "a"), /backend conn failure/);
    await delay(20);
  }
  await redis.restart();
  assertLess(await timeUntilServed(client, "a"), 1000);
});

for (const readMode of MODES) {
  Deno.test(`a server that hangs loses its connection and serves again within a second of its return, ${readMode}`, async () => {
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({
      servers: [redis],
      options: { readMode, backendTimeoutMs: 300, backendDialMs: 200 },
    });
    using client = await proxy.client();
    assertEquals(await client.call("SET", "a", "1"), "OK");
    redis.pause();
    assertError(await client.call("GET", "a"), /no answer for 300 ms/);
    await until(async () => {
      const reply = await client.call("GET", "a");
      return reply instanceof ReplyError && reply.message.includes("handshake");
    });
    redis.resume();
    assertLess(await timeUntilServed(client, "a"), 1000);
  });
}

Deno.test("keep-alive finds a server that hangs although nobody asks it anything", async () => {
  let isMute = false;
  await using fake = new FakeRedis(
    afterHandshake((words) => isMute ? "hang" : answerNothing(words)),
  );
  await using proxy = await RouterServer.start({
    servers: [fake],
    options: { backendTimeoutMs: 200 },
  });
  using client = await proxy.client();
  await client.call("GET", "a");
  proxy.router.keepAlive();
  await until(() => fake.received.some(([name]) => name === "PING"));
  assertEquals(await client.call("GET", "b"), null);
  isMute = true;
  proxy.router.keepAlive();
  await until(() => proxy.events.some((line) => line.includes("no answer for 200 ms")));
});

Deno.test("a server that knows no RESP3 makes HELLO 3 fail in its own words; RESP2 goes on", async () => {
  await using fake = new FakeRedis(([name, argument]) =>
    name === "HELLO"
      ? `-ERR unknown command 'HELLO', with args beginning with: '${argument}', \r\n`
      : answerNothing([name!])
  );
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  assertError(await client.call("HELLO", 3), /^ERR unknown command 'HELLO'/);
  assertEquals(await client.call("GET", "a"), null);
  assertError(await client.call("HELLO", 3), /^ERR unknown command 'HELLO'/);
  assert(await client.call("HELLO", 2) instanceof Array);
});

for (const readMode of MODES) {
  Deno.test(`a reply that arrives byte by byte is handed on whole, ${readMode}`, async () => {
    const reply = "*3\r\n$5\r\nhello\r\n%1\r\n+k\r\n,1.5\r\n_\r\n";
    await using fake = new FakeRedis(afterHandshake(async (_words, connection) => {
      for (const byte of reply) await connection.send(byte);
      return "hang";
    }));
    await using proxy = await RouterServer.start({ servers: [fake], options: { readMode } });
    using client = await proxy.client();
    await client.call("HELLO", 3);
    await client.send("GET", "a");
    assertEquals(new TextDecoder().decode((await client.read()).raw), reply);
  });
}

Deno.test("a server that no slot names any longer loses its connections", async () => {
  await using servers = await RedisServer.startMany(2);
  const [first, second] = servers;
  await using proxy = await RouterServer.start({ servers: [first!] });
  using client = await proxy.client();
  await client.call("SET", "a", "first");
  await Promise.all(Array.from({ length: 1024 }, (_, id) => proxy.fill(id, second!.addr)));
  assertEquals(await client.call("GET", "a"), null);
  assertEquals([...proxy.router.shared.slots.pool.servers()].map(({ address }) => address), [
    second!.addr,
  ]);
  using direct = await first!.client();
  await until(async () => !`${await direct.call("CLIENT", "LIST")}`.trim().includes("\n"));
});

Deno.test("clients who ask for RESP3 while a server is silent are answered together, by one timer", async () => {
  await using fake = new FakeRedis((words) => words[0] === "HELLO" ? "hang" : answerNothing(words));
  await using proxy = await RouterServer.start({
    servers: [fake],
    options: { backendDialMs: 700 },
  });
  const clients = await Promise.all(Array.from({ length: 100 }, () => proxy.client()));
  const { setInterval: interval, setTimeout: timeout } = globalThis;
  let timers = 0;
  let calls = 0;
  let asked = 0;
  // How often an interval is over tells of how long this test takes, and of nothing else.
  const everyTime = (work: () => void, ms?: number) => (timers++, interval(work, ms));
  const once = (work: () => void, ms?: number) => {
    timers++;
    return timeout(() => (calls++, work()), ms);
  };
  Object.assign(globalThis, { setInterval: everyTime, setTimeout: once });
  try {
    await Promise.all(clients.map((client) => client.send("HELLO", 3)));
    await until(() => {
      asked++;
      return [...proxy.router.sessions.values()].every(({ depth }) => depth === 1);
    });
    const replies = await Promise.all(clients.map((client) => client.read()));
    assert(replies.every(({ value }) => value instanceof Map || Array.isArray(value)));
  } finally {
    Object.assign(globalThis, { setInterval: interval, setTimeout: timeout });
  }
  // The reads' own deadlines are in it, one for each client; not the pauses of this test.
  assertLess(timers - asked, 2 * clients.length + 30);
  assertLess(calls - asked, 40);
  for (const client of clients) client.close();
});

Deno.test("a server whose large replies are read slowly is not taken for silent", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [server],
    options: { backendTimeoutMs: 400 },
  });
  using setUp = await proxy.client();
  await setUp.call("SET", "large", "x".repeat(12 * 1024 * 1024));
  // Two only: while it copies many such replies, a server is silent indeed.
  const clients = await Promise.all([proxy.client(), proxy.client()]);
  for (const client of clients) await client.send("GET", "large");
  // First nobody else waits, and the server is not read; then somebody does.
  await delay(1200);
  for (let i = 0; i < 20; i++) assertEquals(await setUp.call("GET", "none"), null);
  assertEquals(proxy.events.filter((line) => line.startsWith("lost")), []);
  for (const client of clients) client.close();
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("a server that is busy sending to one connection has more time for another one's handshake", async () => {
  let hellos = 0;
  await using fake = new FakeRedis(async (words, connection) => {
    if (words[0] === "GET" && words[1] === "large") {
      await connection.send("$2000\r\n");
      for (let i = 0; i < 20; i++) {
        await delay(50);
        await connection.send("x".repeat(100));
      }
      return "\r\n";
    }
    if (words[0] === "SELECT" && words[1] === "1" && hellos++ === 0) {
      await delay(700);
    }
    return answerNothing(words);
  });
  await using proxy = await RouterServer.start({
    servers: [fake],
    options: { backendDialMs: 200 },
  });
  using first = await proxy.client();
  await first.send("GET", "large");
  await fake.waitForRequests(2);
  using second = await proxy.client();
  await second.call("SELECT", 1);
  assertEquals(await second.call("GET", "a"), null);
  assertEquals(String((await first.read()).value).length, 2000);
  assertEquals(proxy.events.filter((line) => line.startsWith("unreachable")), []);
});
