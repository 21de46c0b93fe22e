/**
 * Clients that send much and read little: nothing is dropped, nobody else suffers, memory is bounded.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { delay } from "@std/async/delay";
import { until, within } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, RespClient, type Word } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const MB = 1024 * 1024;

/** Fills keys `big0 …` with values of this size, on two servers in turn. */
async function fillBig(proxy: RouterServer, count: number, bytes: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, i) => keyOn(i % 2, 2, `big${i}:`));
  using client = await proxy.client();
  for (const [i, key] of keys.entries()) {
    assertEquals(
      await client.call("SET", key, String.fromCharCode(97 + i % 26).repeat(bytes)),
      "OK",
    );
  }
  return keys;
}

/** Calls a client again and again until `work` is done; how long each answer took, in milliseconds. */
async function timesOf(client: RespClient, words: Word[], work: Promise<unknown>) {
  let isWorking = true;
  const times: number[] = [];
  work.catch(() => {}).finally(() => isWorking = false);
  while (isWorking) {
    const startedMs = performance.now();
    const reply = await client.call(...words);
    assert(!(reply instanceof ReplyError), `${reply}`);
    times.push(performance.now() - startedMs);
    await delay(1);
  }
  await work;
  return times;
}

/** A moment in which the whole machine stood still is nobody's fault, three are. */
function assertRarelyAbove(times: readonly number[], boundMs: number): void {
  const slow = times.filter((ms) => ms > boundMs);
  assertLess(slow.length, 3, `slower than ${boundMs} ms: ${slow.map(Math.round)}`);
}

Deno.test("a client that asks for much and reads nothing holds up nobody for long", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const keys = await fillBig(proxy, 4, MB);
  using other = await proxy.client();
  await other.call("SET", keyOn(0, 2), "x");
  using greedy = await proxy.client();
  await greedy.sendRaw(encodeRequests(Array.from({ length: 60 }, (_, i) => ["GET", keys[i % 4]!])));
  const times = await timesOf(other, ["GET", keyOn(0, 2)], delay(2500));
  assertRarelyAbove(times, 500);
  assert(times.length > 100, `${times.length} calls`);
});

Deno.test("a client that asks for one huge value after small ones and stops reading holds up nobody", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const [huge] = await fillBig(proxy, 1, 48 * MB);
  const small = keyOn(0, 2);
  using other = await proxy.client();
  using greedy = await proxy.client();
  for (let i = 0; i < 50; i++) await greedy.call("SET", small, "x");
  await greedy.send("GET", huge!);
  assertRarelyAbove(await timesOf(other, ["GET", small], delay(1500)), 600);
});

Deno.test("a client that reads slowly gets every byte even when nobody else is there to wait", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const keys = await fillBig(proxy, 6, MB);
  using client = await proxy.client();
  // Replies of one server wait for those of the other, in the order that is worst for both.
  const requests = Array.from({ length: 90 }, (_, i) => ["GET", keys[i < 45 ? 0 : 1]!]);
  const sending = client.sendRaw(encodeRequests([...requests, ["MGET", ...keys], ...requests]));
  for (let i = 0; i < 181; i++) {
    const { raw } = await client.read();
    if (i % 10 === 0) await delay(5);
    assert(raw.length > MB, `reply ${i}`);
  }
  await sending;
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("a client that reads slowly gets every byte of a pipeline of large values", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const keys = await fillBig(proxy, 6, MB);
  using client = await proxy.client();
  const count = 180;
  const sending = client.sendRaw(
    encodeRequests(Array.from({ length: count }, (_, i) => ["GET", keys[i % 6]!])),
  );
  const chunk = new Uint8Array(MB);
  const replyBytes = "$1048576\r\n".length + MB + 2;
  let received = 0;
  const counts = new Map<number, number>();
  const reading = (async () => {
    while (received < count * replyBytes) {
      const length = await client.conn.read(chunk);
      assert(length !== null, `closed after ${received} bytes: ${proxy.events.slice(-3)}`);
      // The first byte of each reply's value says whose it is.
      for (let at = 0; at < length; at++) {
        if ((received + at) % replyBytes === 100) {
          const i = Math.floor((received + at) / replyBytes);
          assertEquals(chunk[at], 97 + i % 6, `reply ${i}`);
          counts.set(i, 1);
        }
      }
      received += length;
      await delay(2);
    }
  })();
  using other = await proxy.client();
  const times = await timesOf(other, ["EXISTS", keys[0]!], reading);
  await sending;
  assertRarelyAbove(times, 500);
  assertEquals(counts.size, count);
  assertEquals(proxy.events.filter((line) => line.includes("overflow")), []);
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("a client that sends much and reads nothing is not read on, and its requests are few", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using greedy = await proxy.client();
  const value = "v".repeat(64 * 1024);
  // PING answers with what it was sent, so that replies are as large as requests.
  const request = encodeRequests([["PING", value], ["SET", "a", value]]);
  let sent = 0;
  const sending = (async () => {
    for (; sent < 600; sent++) await greedy.sendRaw(request);
  })().catch(() => {});
  await until(async () => {
    const before = sent;
    await delay(300);
    return sent === before;
  });
  assertLess(sent, 600, "the client was read to its end");
  assertLess(proxy.router.shared.budget.usedBytes, 16 * MB);
  const answers = (async () => {
    for (let i = 0; i < 600; i++) {
      assertEquals((await greedy.read()).value, value);
      assertEquals((await greedy.read()).value, "OK");
    }
  })();
  await within(answers);
  await sending;
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("many clients that read nothing together stay within proxy_max_buffer, and all get all", async () => {
  await using servers = await RedisServer.startMany(2);
  const limit = 16 * MB;
  await using proxy = await RouterServer.start({
    servers,
    options: { proxyBufferBytesMax: limit },
  });
  const keys = await fillBig(proxy, 4, 256 * 1024);
  const clients = await Promise.all(Array.from({ length: 30 }, () => proxy.client()));
  const requests = encodeRequests(Array.from({ length: 40 }, (_, i) => ["GET", keys[i % 4]!]));
  await Promise.all(clients.map((client) => client.sendRaw(requests)));
  let most = 0;
  const timer = setInterval(() => most = Math.max(most, proxy.router.shared.budget.usedBytes), 2);
  await delay(1000);
  using other = await proxy.client();
  assertEquals(await other.call("SET", "a", "still served"), "OK");
  await Promise.all(clients.map(async (client) => {
    for (let i = 0; i < 40; i++) {
      const { raw } = await client.read();
      assertEquals(raw.length, 256 * 1024 + "$262144\r\n\r\n".length);
      assertEquals(raw[100], 97 + i % 4);
    }
    client.close();
  }));
  clearInterval(timer);
  assertLess(most, limit, `${most} bytes`);
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("past proxy_max_buffer the client that holds most is closed, the others get every byte", async () => {
  await using servers = await RedisServer.startMany(2);
  const limit = 24 * MB;
  await using proxy = await RouterServer.start({
    servers,
    options: { proxyBufferBytesMax: limit },
  });
  const [huge, middle] = [keyOn(0, 2, "huge"), keyOn(1, 2, "middle")];
  using setUp = await proxy.client();
  await setUp.call("SET", huge, "h".repeat(48 * MB));
  await setUp.call("SET", middle, "m".repeat(12 * MB));
  let most = 0;
  const timer = setInterval(() => most = Math.max(most, proxy.router.shared.budget.usedBytes), 1);
  // A server is read on only when somebody else waits for it.
  let isOver = false;
  const beside = (async () => {
    using client = await proxy.client();
    while (!isOver) await client.call("MGET", keyOn(0, 2, "none"), keyOn(1, 2, "none"));
  })();
  using modest = await proxy.client();
  await modest.send("GET", middle);
  await until(() => proxy.router.shared.budget.replyBytes > 2 * MB);
  using greedy = await proxy.client();
  await greedy.send("GET", huge);
  await until(() => proxy.events.includes("session evicted"));
  clearInterval(timer);
  isOver = true;
  await beside;
  assertLess(most, limit + MB);
  assertEquals(proxy.router.shared.totals.evictedSessions, 1);
  assertEquals((await within(modest.read())).raw.length, 12 * MB + "$12582912\r\n\r\n".length);
  assertEquals(await setUp.call("PING"), "PONG");
  greedy.close();
  await until(() => proxy.leftovers().length === 0);
});

/** How often a server was asked for `command` so far. */
async function callsOf(server: RedisServer, command: string): Promise<number> {
  using client = await server.client();
  const stats = String(await client.call("INFO", "commandstats"));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

Deno.test("how many large replies are asked for at once is learned from the first, by any command", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  using setUp = await proxy.client();
  const part = "p".repeat(MB);
  for (let i = 0; i < 4; i++) {
    await setUp.call("RPUSH", "list", part);
    await setUp.call("HSET", "hash", `${i}`, part);
    await setUp.call("SADD", "set", `${i}${part}`);
    await setUp.call("SET", `string${i}`, part);
  }
  await setUp.call("SET", "string", part.repeat(4));
  // A client that is known for small replies makes the command's mostly small, too.
  for (let i = 0; i < 200; i++) await setUp.call("GET", "none");
  const asked: [string, Word[]][] = [
    ["get", ["GET", "string"]],
    ["mget", ["MGET", "string0", "string1", "string2", "string3"]],
    ["lrange", ["LRANGE", "list", 0, -1]],
    ["hgetall", ["HGETALL", "hash"]],
    ["smembers", ["SMEMBERS", "set"]],
    ["eval", ["EVAL", "return redis.call('get', KEYS[1])", 1, "string"]],
  ];
  const clients: RespClient[] = [];
  for (const [, words] of asked) {
    const client = await proxy.client();
    clients.push(client);
    await client.sendRaw(encodeRequests(Array.from({ length: 30 }, () => words)));
  }
  await until(async () => await callsOf(server, "smembers") > 0);
  await delay(300);
  for (const [name] of asked) {
    // The system takes some megabytes of each connection, so that more is asked for.
    const calls = await callsOf(server, name) - (name === "get" ? 200 : 0);
    assertLess(calls, name === "get" ? 16 : 8, name); // EVAL calls GET, too
  }
  for (const client of clients) client.close();
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("clients that wait in line for large replies all get theirs, also when some leave", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({
    servers,
    options: { proxyBufferBytesMax: 64 * MB },
  });
  const keys = await fillBig(proxy, 6, MB);
  const replyBytes = MB + "$1048576\r\n\r\n".length;
  const clients = await Promise.all(Array.from({ length: 24 }, () => proxy.client()));
  await within(Promise.all(clients.map(async (client, n) => {
    const one = Array.from({ length: 8 }, (_, i): Word[] => ["GET", keys[(n + i) % 6]!]);
    await client.sendRaw(encodeRequests([...one, ["MGET", keys[0]!, keys[1]!]]));
    if (n % 3 === 0) {
      await delay(n * 4);
      return client.close();
    }
    for (let i = 0; i < 8; i++) assertEquals((await client.read()).raw.length, replyBytes);
    assertEquals((await client.read()).raw.length, 2 * replyBytes + "*2\r\n".length);
    client.close();
  })));
  assertEquals(proxy.router.shared.totals.evictedSessions, 0);
  await until(() => proxy.leftovers().length === 0);
  for (const { server } of proxy.router.shared.slots.masters()) {
    assertEquals([server.largeReplies.askedBytes, server.newcomerReplies.askedBytes], [0, 0]);
  }
});
