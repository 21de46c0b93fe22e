/**
 * Servers that do not answer in time: requests for them fail at once, until they answer again.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const TIMEOUT_MS = 1_000;
/** What an answer that waits for nobody takes at most, on a busy machine. */
const AT_ONCE_MS = 300;
const HERE = keyOn(0, 2);
const THERE = keyOn(1, 2);

Deno.test("a stopped server costs its deadline once; then requests fail at once until it answers", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({
    servers,
    options: { backendTimeoutMs: TIMEOUT_MS },
  });
  using client = await proxy.client();
  using other = await proxy.client();
  assertEquals(await client.call("MSET", HERE, "1", THERE, "1"), "OK");
  servers[1]!.pause();

  const [[here, there], stuckMs] = await timed(() =>
    client.pipeline([["GET", HERE], ["GET", THERE]])
  );
  assertEquals(here!.value, "1");
  assertMatch(textOf(there!.value), /^ERR handle response.*no answer for 1000 ms/);
  assertLess(stuckMs, 2 * TIMEOUT_MS);

  // Other databases and protocols, too, over which nothing has been asked yet.
  await other.call("SELECT", 3);
  await other.call("HELLO", 3);
  const until = performance.now() + 1_500;
  while (performance.now() < until) {
    for (const each of [client, other]) {
      const [reply, ms] = await timed(() => each.call("SET", THERE, "2"));
      assertMatch(
        textOf(reply),
        /^LOADING handle request, backend conn failure, .*: no answer .*for 1000 ms/,
      );
      assertLess(ms, AT_ONCE_MS);
    }
    assertEquals(await client.call("GET", HERE), "1");
    await delay(20);
  }
  const dials = proxy.events.filter((event) => event.startsWith("unreachable")).length;
  assert(dials <= 3, `${dials} attempts in 1.5 s`);

  servers[1]!.resume();
  assertLess(await untilServed(client, "GET", THERE), 1_000);
  assertEquals(circuitEvents(proxy), [
    `circuit of ${servers[1]!.addr} opened: no answer for 1000 ms`,
    `circuit of ${servers[1]!.addr} closed`,
  ]);
});

Deno.test("a server that answers, but later and later, is asked no more until it has caught up", async () => {
  // One connection after the other, 100 ms for each GET, as a server that is overloaded.
  await using slow = new FakeRedis(async (words) => {
    if (words[0] === "GET") await delay(100);
    return answerNothing(words);
  });
  await using proxy = await RouterServer.start({
    servers: [slow],
    options: { backendTimeoutMs: TIMEOUT_MS },
  });
  using client = await proxy.client();
  using other = await proxy.client();
  const gets: Word[][] = Array.from({ length: 30 }, () => ["GET", "k"]);
  const many = client.pipeline(gets);
  await delay(TIMEOUT_MS + 700);
  const [refused, ms] = await timed(() => other.call("GET", "k"));
  assertMatch(textOf(refused), /^LOADING handle request, backend conn failure/);
  assertLess(ms, AT_ONCE_MS);
  // What was asked before is answered all the same.
  assert((await many).every(({ value }) => value === null));
  assertLess(await untilServed(other, "GET", "k"), 1_500);
  assertEquals(circuitEvents(proxy).length, 2);
});

Deno.test("commands that block and scripts that run for long open no circuit", async () => {
  await using redis = await RedisServer.start({ args: ["--busy-reply-threshold", "300"] });
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { backendTimeoutMs: TIMEOUT_MS },
  });
  using client = await proxy.client();
  using other = await proxy.client();
  assertEquals(await client.call("BLPOP", "nothing", 1.5), null);
  const script = other.call("EVAL", LONG_SCRIPT, 1, "k", 1_500_000);
  await delay(500);
  assertMatch(textOf(await client.call("GET", "k")), /^BUSY /);
  await script;
  await untilServed(client, "SET", "k", "v");
  assertEquals(circuitEvents(proxy), []);
});

Deno.test("a client that tracks is served again by a server that had not answered in time", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({
    servers,
    options: { backendTimeoutMs: TIMEOUT_MS },
  });
  using client = await proxy.client();
  await client.call("CLIENT", "TRACKING", "ON");
  assertEquals(await client.pipeline([["GET", HERE], ["GET", THERE]]).then(textsOf), [
    "null",
    "null",
  ]);
  servers[1]!.pause();
  assertMatch(textOf(await client.call("GET", THERE)), /no answer for 1000 ms/);
  const until = performance.now() + 1_500;
  while (performance.now() < until) {
    const [reply, ms] = await timed(() => client.call("GET", THERE));
    assertMatch(
      textOf(reply),
      /^LOADING handle request, backend conn failure, .*: no answer for 1000 ms/,
    );
    assertLess(ms, AT_ONCE_MS);
    assertEquals(await client.call("GET", HERE), null);
    await delay(20);
  }
  servers[1]!.resume();
  assertLess(await untilServed(client, "GET", THERE), 1_500);
});

Deno.test("a client that broadcast is heard for hears again from a server that had not answered in time", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({
    servers,
    options: { backendTimeoutMs: TIMEOUT_MS },
  });
  using listener = await proxy.client();
  using writer = await proxy.client();
  await listener.call("HELLO", 3);
  await listener.call("CLIENT", "TRACKING", "ON", "BCAST");
  servers[1]!.pause();
  await listener.send("PING");
  assertEquals(await nextTexts(listener, 2), [INVALIDATED_ALL, "+PONG\r\n"]);
  await delay(500);
  servers[1]!.resume();
  // From then on it is known what changes.
  assertEquals(await nextTexts(listener, 1), [INVALIDATED_ALL]);
  await untilServed(writer, "SET", THERE, "1");
  assertMatch(
    (await nextTexts(listener, 1))[0]!,
    new RegExp(`invalidate\r\n.*\r\n${THERE}\r\n`, "s"),
  );
});

Deno.test("a server that only clients' own connections were waiting for is asked until it answers", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { backendTimeoutMs: TIMEOUT_MS },
  });
  using client = await proxy.client();
  using watcher = await proxy.client();
  assertEquals(await client.call("SET", "k", "1"), "OK");
  assertEquals(await watcher.call("WATCH", "k"), "OK");
  redis.pause();
  assertMatch(textOf(await watcher.call("WATCH", "k")), /no answer/);
  assertMatch(textOf(await client.call("GET", "k")), /^LOADING handle request.* no answer/);
  redis.resume();
  assertLess(await untilServed(client, "GET", "k"), 1_500);
  assertEquals(circuitEvents(proxy).length, 2);
});

Deno.test("a server on which only a client that has left was waiting is asked until it answers", async () => {
  await using slow = new FakeRedis(async (words) => {
    if (words[0] === "GET") await delay(100);
    return words[0] === "CLIENT" ? "+OK\r\n" : answerNothing(words);
  });
  await using proxy = await RouterServer.start({
    servers: [slow],
    options: { backendTimeoutMs: TIMEOUT_MS },
  });
  using other = await proxy.client();
  {
    using tracking = await proxy.client();
    assertEquals(await tracking.call("CLIENT", "TRACKING", "ON"), "OK");
    for (let i = 0; i < 30; i++) await tracking.send("GET", "k");
    await delay(TIMEOUT_MS + 700);
    assertMatch(
      textOf(await other.call("GET", "k")),
      /^LOADING handle request, backend conn failure/,
    );
  }
  assertLess(await untilServed(other, "GET", "k"), 1_500);
});

const INVALIDATED_ALL = ">2\r\n$10\r\ninvalidate\r\n_\r\n";

const LONG_SCRIPT =
  `local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
local ends = now() + ARGV[1] while now() < ends do end return 1`;

function circuitEvents({ events }: RouterServer): string[] {
  return events.filter((event) => event.startsWith("circuit of"));
}

async function timed<T>(run: () => Promise<T>): Promise<[T, number]> {
  const sinceMs = performance.now();
  return [await run(), performance.now() - sinceMs];
}

/** The next messages, as they come. */
async function nextTexts(client: RespClient, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) texts.push(new TextDecoder().decode((await client.read()).raw));
  return texts;
}

function textsOf(replies: readonly { readonly value: RespValue }[]): string[] {
  return replies.map(({ value }) => textOf(value));
}

/** How long it takes until a request is served, in milliseconds. */
async function untilServed(client: RespClient, ...words: Word[]): Promise<number> {
  const sinceMs = performance.now();
  while (await client.call(...words) instanceof ReplyError) await delay(10);
  return performance.now() - sinceMs;
}

function textOf(value: RespValue): string {
  return value instanceof ReplyError ? value.message : String(value);
}
