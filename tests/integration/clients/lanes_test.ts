/**
 * Large replies beside small ones: other clients do not wait behind them, and nothing else changes.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { keyOn, RouterServer, slotOf } from "../../support/router_server.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";

const MB = 1024 * 1024;
/** Over the relay it takes a third of a second at least. */
const GIANT_BYTES = 4 * MB;
const SMALL_WAIT_MS = 250;
const RELAY = { delayMs: 6 };

const giant = "x".repeat(GIANT_BYTES);

/** A proxy that knows of a large value; its way to the server is slow for each connection alone. */
async function start() {
  const server = await RedisServer.start();
  const relay = TcpRelay.start(server.port, RELAY);
  const proxy = await RouterServer.start({ servers: [relay] });
  const direct = await server.client();
  const client = await proxy.client();
  await direct.call("SET", "giant", giant);
  await direct.call("SET", "small", "s");
  assertEquals(await client.call("GET", "giant"), giant);
  return {
    ...{ server, proxy, direct, client },
    connections: () => connectionsOf(direct),
    async [Symbol.asyncDispose]() {
      for (const each of [direct, client]) each.close();
      await proxy[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** How many connections its server has. */
async function connectionsOf(direct: RespClient): Promise<number> {
  return Number(/connected_clients:(\d+)/.exec(`${await direct.call("INFO")}`)![1]);
}

async function tookMs(call: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await call();
  return performance.now() - startedMs;
}

Deno.test("a client does not wait behind a large reply to another one", async () => {
  await using scene = await start();
  const { proxy, client } = scene;
  using other = await proxy.client();
  assertEquals(await other.call("GET", "small"), "s");
  const reading = client.call("GET", "giant");
  const waits: number[] = [];
  let isWhole = false;
  reading.then(() => isWhole = true);
  while (!isWhole) waits.push(await tookMs(() => other.call("GET", "small")));
  assertGreater(waits.length, 5, "small replies have waited for the large one");
  assertLess(Math.max(...waits), SMALL_WAIT_MS);
  assertEquals(await reading, giant);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("what one client asks keeps its order around a large reply", async () => {
  await using scene = await start();
  const { client, proxy, direct } = scene;
  const key = `{giant}small`;
  const rest = giant.slice(1);
  const values = await client.pipeline([
    ["SET", key, "before"],
    ["SET", "giant", `1${rest}`],
    ["GET", "giant"],
    ["GET", key],
    ["SETRANGE", "giant", 0, "y"],
    ["GET", "giant"],
    ["SET", key, "after"],
    ["GET", key],
  ]);
  const expected = ["OK", "OK", `1${rest}`, "before", GIANT_BYTES, `y${rest}`, "OK", "after"];
  assertEquals(values.map(({ value }) => value), expected);
  assertEquals(proxy.leftovers(), []);
  assertEquals(await direct.call("GET", key), "after");
});

Deno.test("a key that is small again is read over the shared connection", async () => {
  await using scene = await start();
  const { client, proxy } = scene;
  assertEquals(await client.call("GET", "giant"), giant);
  await client.call("SET", "giant", "small now");
  for (let i = 0; i < 30; i++) assertEquals(await client.call("GET", "giant"), "small now");
  const { server } = proxy.router.shared.slots.all[slotOf("giant")]!;
  const lastOverLanes = () =>
    Math.max(...[...server!.backends()].filter((b) => b.isPrivate).map((b) => b.progressMs));
  const before = lastOverLanes();
  const pipelined = await client.pipeline(Array.from({ length: 50 }, () => ["GET", "giant"]));
  assertEquals(new Set(pipelined.map(({ value }) => value)), new Set(["small now"]));
  assertEquals(lastOverLanes(), before);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a server that takes no more connections gives large replies over the shared one", async () => {
  await using scene = await start();
  const { client, direct, connections } = scene;
  await direct.call("CONFIG", "SET", "maxclients", await connections());
  for (let i = 0; i < 3; i++) assertEquals(await client.call("GET", "giant"), giant);
  assertEquals(await client.call("GET", "small"), "s");
});

Deno.test("servers that take no more connections give the large replies of one MGET over the shared ones", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const keys = [0, 1].flatMap((at) => [keyOn(at, 2, "a"), keyOn(at, 2, "b")]);
  for (const key of keys) await client.call("SET", key, giant);
  const expected = keys.map(() => giant);
  assertEquals(await client.call("MGET", ...keys), expected);
  await using directs = new AsyncDisposableStack();
  for (const [at, server] of servers.entries()) {
    const direct = directs.use(await server.client());
    // No lane is left of what was read before.
    await direct.call("CLIENT", "KILL", "TYPE", "normal");
    await until(async () => await client.call("EXISTS", keyOn(at, 2, "a")) === 1);
    await direct.call("CONFIG", "SET", "maxclients", await connectionsOf(direct));
  }
  for (let i = 0; i < 3; i++) assertEquals(await client.call("MGET", ...keys), expected);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("the rest of a large reply is not read when its client has gone", async () => {
  await using scene = await start();
  const { proxy, client, connections } = scene;
  assertEquals(await client.call("GET", "giant"), giant);
  const before = await connections();
  const leaving = await proxy.client();
  await leaving.send("GET", "giant");
  await leaving.conn.read(new Uint8Array(1));
  leaving.close();
  await until(async () => await connections() < before, 5_000);
  assertEquals(await client.call("GET", "giant"), giant);
  await until(() => proxy.leftovers().length === 0, 5_000);
});

Deno.test("a slot changes hands when the large reply is through", async () => {
  await using scene = await start();
  await using target = await RedisServer.start();
  const { proxy, client } = scene;
  using there = await target.client();
  await there.call("SET", "giant", "there");
  let isWhole = false;
  const reading: Promise<unknown> = client.call("GET", "giant").then((value) => {
    isWhole = true;
    return value;
  });
  await until(() => proxy.router.shared.slots.all[slotOf("giant")]!.inFlight > 0, 5_000);
  await proxy.fill(slotOf("giant"), target.addr);
  assert(isWhole || proxy.leftovers().length === 0, "it was not waited for");
  assertEquals(await reading, giant);
  assertEquals(await client.call("GET", "giant"), "there");
});

Deno.test("large replies of several servers to one MGET are merged, with small ones between", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const keys = [keyOn(0, 2, "a"), keyOn(1, 2, "b")];
  for (const key of keys) await client.call("SET", key, giant);
  const ask = async (from: RespClient) =>
    assertEquals(await from.call("MGET", ...keys), [giant, giant]);
  using other = await proxy.client();
  for (let i = 0; i < 3; i++) await Promise.all([ask(client), ask(other)]);
  assertEquals(proxy.leftovers(), []);
});
