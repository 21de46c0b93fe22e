/**
 * Slots that change hands while clients work.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { until, within } from "../../support/deadline.ts";
import { answerNothing, type FakeConnection, FakeRedis } from "../../support/fake_redis.ts";
import { FullBacklog } from "../../support/full_backlog.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyWhere, RouterServer, slotOf } from "../../support/router_server.ts";

const KEY = "k";
const SLOT = slotOf(KEY);
const OTHER_KEY = keyWhere((slotId) => slotId !== SLOT, "other");

/** A server that answers a GET only when the test says so. */
class HeldRedis extends FakeRedis {
  readonly #held: { connection: FakeConnection; key: string }[];

  constructor() {
    const held: { connection: FakeConnection; key: string }[] = [];
    super((words, connection) => {
      if (words[0] !== "GET") return answerNothing(words);
      held.push({ connection, key: words[1]! });
      return "hang";
    });
    this.#held = held;
  }

  /** Answers the oldest GETs with their keys. */
  async answer(count: number): Promise<void> {
    await until(() => this.#held.length >= count);
    for (const { connection, key } of this.#held.splice(0, count)) {
      await connection.send(`$${key.length}\r\n${key}\r\n`);
    }
  }

  /** Keys that were asked for, answered or not. */
  get asked(): string[] {
    return this.received.filter(([name]) => name === "GET").map(([, key]) => key!);
  }
}

function assertError(reply: RespValue, text: RegExp): void {
  assert(reply instanceof ReplyError, `an error was expected, not ${reply}`);
  assertMatch(reply.message, text);
}

/** Whether a promise is settled; looked at after everything that is due has happened. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  await delay(50);
  return settled;
}

Deno.test("fillSlot() is done when the slot's requests in flight are answered, not before", async () => {
  await using old = new HeldRedis();
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [old] });
  using client = await proxy.client();
  const inFlight = client.pipeline([["GET", KEY], ["GET", KEY], ["GET", OTHER_KEY]]);
  await until(() => old.asked.length === 3);
  const filled = proxy.fill(SLOT, redis.addr);
  await old.answer(1);
  assert(!await isSettled(filled), "one of the slot's requests is in flight");
  await old.answer(1);
  await within(filled);
  assertEquals(old.asked.length, 3, "the other slot's request may still be in flight");
  await old.answer(1);
  assertEquals((await inFlight).map(({ value }) => value), [KEY, KEY, OTHER_KEY]);
  assertEquals(await client.call("SET", KEY, "new owner"), "OK");
  using direct = await redis.client();
  assertEquals(await direct.call("GET", KEY), "new owner");
});

Deno.test("fillSlot() waits for the parts of split commands as well", async () => {
  await using old = new FakeRedis((words, connection) => {
    if (words[0] !== "MGET") return answerNothing(words);
    release = () => connection.send("*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    return "hang";
  });
  let release: (() => Promise<void>) | undefined;
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [old] });
  await proxy.fill(slotOf("third"), redis.addr);
  using client = await proxy.client();
  const mget = client.call("MGET", KEY, OTHER_KEY, "third");
  await until(() => release !== undefined);
  const filled = proxy.fill(slotOf(OTHER_KEY), redis.addr);
  assert(!await isSettled(filled));
  await release!();
  await within(filled);
  assertEquals(await mget, ["1", "2", null]);
});

Deno.test("while a slot changes hands its new requests wait and are executed by the new owner", async () => {
  await using old = new HeldRedis();
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [old] });
  using first = await proxy.client();
  using second = await proxy.client();
  const before = first.call("GET", KEY);
  await until(() => old.asked.length === 1);
  const filled = proxy.fill(SLOT, redis.addr);
  const after = second.call("SET", KEY, "v");
  assert(!await isSettled(after));
  await old.answer(1);
  await within(filled);
  assertEquals([await before, await after], [KEY, "OK"]);
  assertEquals(old.asked, [KEY]);
});

Deno.test("a blocked slot holds only its own requests: all others are executed meanwhile", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  await proxy.fill(SLOT, redis.addr, { isBlocked: true });
  using blocked = await proxy.client();
  using free = await proxy.client();
  using direct = await redis.client();
  // The first one waits; those behind it in the pipeline are executed all the same.
  const pipeline = blocked.pipeline([
    ["SET", KEY, "1"],
    ["SET", OTHER_KEY, "2"],
    ["MGET", OTHER_KEY, `{${OTHER_KEY}}2`],
    ["GET", KEY],
  ]);
  await until(async () => await direct.call("GET", OTHER_KEY) === "2");
  assertEquals(await direct.call("EXISTS", KEY), 0);
  for (let i = 0; i < 100; i++) assertEquals(await free.call("GET", OTHER_KEY), "2");
  assert(!await isSettled(pipeline));
  await proxy.fill(SLOT, redis.addr);
  assertEquals((await pipeline).map(({ value }) => value), ["OK", "OK", ["2", null], "1"]);
});

Deno.test("a split command waits for a blocked slot with that slot's part alone", async () => {
  await using servers = await RedisServer.startMany(2);
  const [redis, other] = servers;
  await using proxy = await RouterServer.start({ servers });
  await proxy.fill(SLOT, redis!.addr, { isBlocked: true });
  await proxy.fill(slotOf(OTHER_KEY), other!.addr);
  using client = await proxy.client();
  const mset = client.call("MSET", KEY, "1", OTHER_KEY, "2");
  using direct = await other!.client();
  await until(async () => await direct.call("GET", OTHER_KEY) === "2");
  assert(!await isSettled(mset));
  await proxy.fill(SLOT, redis!.addr);
  assertEquals(await mset, "OK");
  assertEquals(await client.call("MGET", KEY, OTHER_KEY), ["1", "2"]);
});

Deno.test("requests that waited for a slot are executed in the order they were sent", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  await proxy.fill(SLOT, redis.addr, { isBlocked: true });
  using client = await proxy.client();
  const pushes = client.pipeline(Array.from({ length: 500 }, (_, i) => ["RPUSH", KEY, i]));
  await until(() => proxy.sessionOf(client).depth > 20);
  await proxy.fill(SLOT, redis.addr);
  assertEquals(
    (await pushes).map(({ value }) => value),
    Array.from({ length: 500 }, (_, i) => i + 1),
  );
  const expected = Array.from({ length: 500 }, (_, i) => `${i}`);
  assertEquals(await client.call("LRANGE", KEY, 0, -1), expected);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a request waits for a blocked slot no longer than slot_wait_timeout, and nothing is executed then", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis], options: { slotWaitMs: 300 } });
  await proxy.fill(SLOT, redis.addr, { isBlocked: true });
  using client = await proxy.client();
  const startedMs = performance.now();
  const replies = await client.pipeline([
    ["SET", KEY, "1"],
    ["MSET", KEY, "1", OTHER_KEY, "1"],
    ["PING"],
  ]);
  const tookMs = performance.now() - startedMs;
  const text = new RegExp(`^ERR handle request, slot ${SLOT} is blocked by a change that took`);
  assertError(replies[0]!.value, text);
  assertError(replies[1]!.value, text);
  assertEquals(replies[2]!.value, "PONG");
  assert(tookMs >= 290 && tookMs < 1500, `${tookMs} ms`);
  await proxy.fill(SLOT, redis.addr);
  assertEquals(await client.call("EXISTS", KEY), 0);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a slot change past its deadline cuts the connection that holds it up, then goes on", async () => {
  await using old = new HeldRedis();
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [old], options: { slotWaitMs: 300 } });
  using client = await proxy.client();
  const stuck = client.pipeline([["GET", KEY], ["GET", OTHER_KEY], ["PING"]]);
  await until(() => old.asked.length === 2);
  const startedMs = performance.now();
  const filled = proxy.fill(SLOT, redis.addr);
  const waiting = proxy.client().then((other) =>
    other.call("SET", KEY, "v").finally(() => other.close())
  );
  await within(filled);
  assertLess(performance.now() - startedMs, 1500);
  const replies = await stuck;
  assertError(replies[0]!.value, new RegExp(`slot ${SLOT} changes hands`));
  assertError(replies[1]!.value, new RegExp(`slot ${SLOT} changes hands`));
  assertEquals(replies[2]!.value, "PONG");
  assertEquals(await waiting, "OK");
  assert(proxy.events.some((line) => line.startsWith(`drain of slot ${SLOT} timed out`)));
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a slot change past its deadline leaves connections alone that do not hold it up", async () => {
  await using old = new HeldRedis();
  await using proxy = await RouterServer.start({ servers: [old], options: { slotWaitMs: 300 } });
  using client = await proxy.client();
  using elsewhere = await proxy.client();
  await elsewhere.call("SELECT", 5);
  const untouched = elsewhere.call("GET", OTHER_KEY);
  const stuck = client.call("GET", KEY);
  await until(() => old.asked.length === 2);
  await within(proxy.fill(SLOT, old.addr));
  assertError(await stuck, /changes hands/);
  const [first, second] = old.asked;
  await old.answer(first === OTHER_KEY ? 1 : 2).catch(() => {});
  assertEquals([first, second].sort(), [KEY, OTHER_KEY].sort());
  assertEquals(await untouched, OTHER_KEY);
});

Deno.test("a request that waits for a first connection never reaches the old owner after the change", async () => {
  using unreachable = await FullBacklog.open();
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [unreachable],
    options: { slotWaitMs: 200, backendDialMs: 1500 },
  });
  using client = await proxy.client();
  const stuck = client.call("SET", KEY, "1");
  const [server] = proxy.router.shared.slots.pool.servers();
  await until(() => server!.backend(0, 2).state === "dialing");
  await within(proxy.fill(SLOT, redis.addr));
  assertEquals(proxy.router.shared.slots.all[SLOT]!.inFlight, 0);
  assertError(await stuck, /changes hands/);
  await until(() => server!.backend(0, 2).state === "failing");
});

Deno.test("a slot without an owner answers with Codis's text, and so do requests that waited for it", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  await proxy.fill(SLOT, redis.addr, { isBlocked: true });
  using client = await proxy.client();
  using second = await proxy.client();
  const waiting = second.pipeline([["GET", KEY], ["MGET", KEY, OTHER_KEY]]);
  await until(() => proxy.sessionOf(second).depth === 2);
  await within(proxy.router.shared.slots.resetSlot(SLOT));
  const text = /^ERR handle request, slot is not ready, may be offline$/;
  for (const { value } of await waiting) assertError(value, text);
  assertError(await client.call("GET", KEY), text);
  assertError(await client.call("MGET", KEY, OTHER_KEY), text);
  assertEquals(await client.call("GET", OTHER_KEY), null);
  await proxy.fill(SLOT, redis.addr);
  assertEquals(await client.call("GET", KEY), null);
});

Deno.test("a proxy without any slot answers every command that needs one with an error", async () => {
  await using proxy = await RouterServer.start();
  using client = await proxy.client();
  const replies = await client.pipeline([
    ["GET", "a"],
    ["MGET", "a", "b"],
    ["DBSIZE"],
    ["SCAN", 0],
    ["FLUSHALL"],
    ["PING"],
  ]);
  for (const { value } of replies.slice(0, 5)) assertError(value, /slot is not ready/);
  assertEquals(replies[5]!.value, "PONG");
});

Deno.test("changes of one slot happen one after the other, the last one stays", async () => {
  await using servers = await RedisServer.startMany(3);
  await using proxy = await RouterServer.start({ servers: [servers[0]!] });
  await Promise.all([
    proxy.fill(SLOT, servers[1]!.addr),
    proxy.router.shared.slots.resetSlot(SLOT),
    proxy.fill(SLOT, servers[0]!.addr, { isBlocked: true }),
    proxy.fill(SLOT, servers[2]!.addr),
  ]);
  using client = await proxy.client();
  await client.call("SET", KEY, "v");
  using direct = await servers[2]!.client();
  assertEquals(await direct.call("GET", KEY), "v");
  assertEquals([...proxy.router.shared.slots.pool.servers()].length, 2);
});

Deno.test("a slot that does not exist is refused", async () => {
  await using proxy = await RouterServer.start();
  await assertRejects(() => proxy.fill(1024, "127.0.0.1:1"), RangeError, "no slot has number 1024");
});

Deno.test("a client that was killed while its request waited has nothing executed", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  await proxy.fill(SLOT, redis.addr, { isBlocked: true });
  using client = await proxy.client();
  await client.send("SET", KEY, "never");
  await until(() => proxy.router.sessions.size === 1 && proxy.sessionOf(client).depth === 1);
  using killer = await proxy.client();
  assertEquals(await killer.call("CLIENT", "KILL", "TYPE", "normal"), 1);
  assertEquals(await client.readToEnd(), new Uint8Array(0));
  await proxy.fill(SLOT, redis.addr);
  using direct = await redis.client();
  assertEquals(await direct.call("EXISTS", KEY), 0);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("slots that change hands under load lose, double and reorder nothing", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  const keys = Array.from({ length: 8 }, (_, i) => keyWhere((slotId) => slotId % 8 === i));
  const rounds = 60;
  let isBusy = true;
  const changing = (async () => {
    let changes = 0;
    while (isBusy) {
      const slotId = slotOf(keys[changes % keys.length]!);
      await proxy.fill(slotId, redis.addr, { isBlocked: true });
      await proxy.fill(slotId, redis.addr);
      changes++;
      await delay(1);
    }
    return changes;
  })();
  const worker = async () => {
    using client = await proxy.client();
    for (let round = 0; round < rounds; round++) {
      const requests = Array.from({ length: 20 }, (_, i) => ["INCR", keys[(round + i) % 8]!]);
      for (const { value } of await client.pipeline(requests)) assertEquals(typeof value, "number");
    }
  };
  await Promise.all(Array.from({ length: 6 }, worker));
  isBusy = false;
  assert(await changing > 20);
  using direct = await redis.client();
  const counts = await direct.call("MGET", ...keys) as string[];
  assertEquals(counts.reduce((sum, count) => sum + Number(count), 0), 6 * rounds * 20);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("what a failed server was never sent goes to the one that takes its place, in order", async () => {
  using dead = await FullBacklog.open();
  await using heir = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [dead] });
  using client = await proxy.client();
  using other = await proxy.client();
  using splitter = await proxy.client();
  // No connection can be made, so nothing is sent.
  const replies = client.pipeline([
    ...[1, 2, 3].map((i) => ["RPUSH", KEY, i]),
    ...[["MULTI"], ["RPUSH", KEY, "queued"], ["EXEC"], ["SET", OTHER_KEY, "v"]],
  ]);
  const split = splitter.call("MGET", KEY, OTHER_KEY);
  assert(!await isSettled(Promise.race([replies, split])));
  const ids = Array.from({ length: 1024 }, (_, id) => id);
  const change = { failedAddrs: [dead.addr] };
  const filled = Promise.all(ids.map((id) => proxy.fill(id, heir.addr, change)));
  const later = other.call("RPUSH", KEY, 4);
  await within(filled);
  const values = (await within(replies)).map(({ value }) => value);
  assertEquals(values, [1, 2, 3, "OK", "QUEUED", [5], "OK"]);
  // What asks for keys of several slots is not sent again, and the error says that it was not sent at all.
  assertError(await split, /^LOADING handle request, backend conn failure, .*has taken its place/);
  assertEquals(await later, 4);
  using direct = await heir.client();
  assertEquals(await direct.call("LRANGE", KEY, 0, -1), ["1", "2", "3", "4", "queued"]);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("of a hung server's requests, only those that were sent fail when another takes its place", async () => {
  await using servers = await RedisServer.startMany(2);
  const [hung, heir] = [servers[0]!, servers[1]!];
  await using proxy = await RouterServer.start({ servers: [hung] });
  await using clients = new AsyncDisposableStack();
  const all = await Promise.all(Array.from({ length: 200 }, () => proxy.client()));
  for (const client of all) clients.use(client);
  assertEquals(await all[0]!.call("EXISTS", KEY), 0);
  hung.pause();
  // More than the system takes for a process that does not read.
  const value = "x".repeat(64 * 1024);
  const replies = Promise.all(all.map((client, i) => client.call("RPUSH", KEY, `${i}:${value}`)));
  await until(() => proxy.router.shared.slots.all[SLOT]!.inFlight === all.length);
  await within(proxy.fill(SLOT, heir.addr, { failedAddrs: [hung.addr] }));
  const values = await within(replies);
  const failed = values.filter((value) => value instanceof ReplyError);
  for (const error of failed) assertError(error, /^ERR handle response, backend conn failure/);
  assert(failed.length > 0 && failed.length < all.length, `${failed.length} failed`);
  using direct = await heir.client();
  const kept = await direct.call("LRANGE", KEY, 0, -1) as string[];
  const sorted = kept.map((item) => Number.parseInt(item)).sort((a, b) => a - b);
  assertEquals(sorted, all.map((_, i) => i).filter((i) => typeof values[i] === "number"));
  assertEquals(proxy.leftovers(), []);
  hung.resume();
});
