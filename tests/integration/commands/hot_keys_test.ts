/**
 * HOTKEYS and BIGKEYS: which keys are hot, which are big, of all workers.
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { chance } from "../../support/fuzz.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { RouterServer, slotOf } from "../../support/router_server.ts";
import { WorkerPoolServer } from "../../support/worker_pool_server.ts";

/** The flat arrays of RESP2 as records. */
async function listed(client: RespClient, ...words: string[]): Promise<Record<string, unknown>[]> {
  const entries = await client.call(...words) as unknown[][];
  return entries.map((flat) =>
    Object.fromEntries(
      Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]),
    )
  );
}

async function errorOf(client: RespClient, ...words: string[]): Promise<string> {
  await client.send(...words);
  return new TextDecoder().decode((await client.read()).raw).trim();
}

Deno.test("of a Zipf load over two workers the ten hottest keys are found, their shares within 10 %", async () => {
  await using one = await RedisServer.start();
  await using other = await RedisServer.start();
  const servers = [one, other];
  // More samples than by default, since the load lasts a second or two, not ten.
  await using proxy = await WorkerPoolServer.start(2, servers, { hotKeySamples: 50_000 });
  const random = chance(5);
  const ranks = Array.from({ length: 40_000 }, () => Math.floor(1_000 ** random()) - 1);
  const counts = new Map<string, number>();
  const clients = await Promise.all(Array.from({ length: 8 }, () => proxy.client()));
  await Promise.all(clients.map(async (client, i) => {
    const own = ranks.slice(i * ranks.length / 8, (i + 1) * ranks.length / 8);
    for (let at = 0; at < own.length; at += 50) {
      const keys = own.slice(at, at + 50).map((rank) => `key:${rank}`);
      for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
      await client.pipeline(keys.map((key, n) => n % 5 === 0 ? ["SET", key, "v"] : ["GET", key]));
    }
  }));
  const hot = await listed(clients[0]!, "HOTKEYS", "GET", "COUNT", "12");
  const exact = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 10);
  for (const [key, count] of exact) {
    const found = hot.find((each) => each.key === key);
    assert(found !== undefined, `${key} is not among ${hot.map(({ key }) => key)}`);
    const share = 100 * count / ranks.length;
    assertAlmostEquals(Number(found.share), share, share / 10, key);
    assertEquals([found.db, found.slot], [0, slotOf(key)]);
    assert(servers.some(({ addr }) => addr === found.server));
    const [reads, writes] = [Number(found.reads), Number(found.writes)];
    assertAlmostEquals(reads / (reads + writes), 0.8, 0.06);
    assertAlmostEquals(Number(found.qps), reads + writes, 1);
  }
  assertEquals(await clients[1]!.call("HOTKEYS", "RESET"), "OK");
  assertEquals(await listed(clients[0]!, "HOTKEYS", "GET"), []);
  for (const client of clients) client.close();
});

Deno.test("keys of MGET, scripts and transactions count as their own, wherever they are", async () => {
  await using one = await RedisServer.start();
  await using other = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [one, other] });
  using client = await proxy.client();
  await client.call("SELECT", 3);
  for (let i = 0; i < 4; i++) await client.call("MGET", "a", "b", "c", "a");
  await client.call("EVAL", "return 1", 1, "s");
  await client.call("MULTI");
  await client.call("INCR", "t");
  await client.call("EXEC");
  await client.call("DBSIZE");
  await client.call("SET", "\x00\xff \n", "binary");
  const hot = await listed(client, "HOTKEYS", "GET");
  const rows = hot.map(({ key, db, qps, writes }) => [key, db, qps, writes]);
  assertEquals(rows.slice(0, 3).sort(), ["a", "b", "c"].map((key) => [key, 3, 4, 0]));
  assertEquals(rows.slice(3).map(([key]) => key).sort(), ["\x00\u00ff \n", "s", "t"]);
  assertEquals(hot[0]!.share, "57.14"); // 4 of 7 requests with keys
});

Deno.test("a sampled transaction is executed and counted, however many keys a command of it has", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  const keys = Array.from({ length: 130_000 }, (_, i) => `{t}${i}`);
  const requests = [["MULTI"], ["EXISTS", ...keys], ["SET", "{t}own", "x"], ["EXEC"]];
  const replies = await client.pipeline(requests);
  assertEquals(replies.at(-1)!.value, [0, "OK"]);
  assertEquals((await listed(client, "HOTKEYS", "GET", "COUNT", "100")).length, 16);
});

Deno.test("big keys are found by their replies and requests, the largest first", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  const MB = 1024 * 1024;
  await client.call("SET", "huge", "x".repeat(3 * MB));
  await client.call("SET", "large", "x".repeat(100_000));
  await client.call("GET", "huge");
  await client.call("MGET", "large", "huge");
  await client.call("GET", "small");
  const big = await listed(client, "BIGKEYS", "GET");
  const rows = big.map(({ key, of, command, "more-keys": more }) => [key, of, command, more]);
  assertEquals(rows, [
    ["large", "reply", "mget", 1],
    ["huge", "request", "set", 0],
    ["huge", "reply", "get", 0],
    ["large", "request", "set", 0],
  ]);
  assertEquals(big[2]!.bytes, 3 * MB + 12);
  assertEquals([big[0]!.server, big[1]!.slot, big[1]!.db], [server.addr, slotOf("huge"), 0]);
  assertGreater(Number(big[0]!.time), Date.now() / 1000 - 60);
  assertEquals((await listed(client, "BIGKEYS", "GET", "COUNT", "1")).length, 1);
  await client.call("BIGKEYS", "RESET");
  assertEquals(await listed(client, "BIGKEYS", "GET"), []);
  assertGreater((await listed(client, "HOTKEYS", "GET")).length, 0);
});

Deno.test("every reply of a megabyte is noticed, also where few requests are sampled, in a pipeline", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [server],
    options: { hotKeySamples: 1, slowerThanUs: -1 },
  });
  using client = await proxy.client();
  for (let i = 0; i < 50; i++) await client.call("GET", "warm");
  await client.call("SET", "huge", "x".repeat(1_200_000));
  for (let i = 0; i < 2; i++) await client.pipeline(Array(8).fill(["GET", "huge"]));
  const big = await listed(client, "BIGKEYS", "GET");
  assertEquals(big.map(({ key, of }) => [key, of]), [["huge", "request"], ["huge", "reply"]]);
});

Deno.test("RESP3 gets maps; wrong forms get Redis's errors; HELP explains", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  await client.call("HELLO", 3);
  await client.call("GET", "k");
  await client.send("HOTKEYS", "GET");
  const { raw } = await client.read();
  assertMatch(
    new TextDecoder().decode(raw),
    /^\*1\r\n%8\r\n\$3\r\nkey\r\n\$1\r\nk\r\n\$2\r\ndb\r\n:0\r\n\$3\r\nqps\r\n:1\r\n\$5\r\nshare\r\n,100\r\n/,
  );
  assertEquals(
    [
      await errorOf(client, "HOTKEYS", "GET", "COUNT", "0"),
      await errorOf(client, "HOTKEYS", "GET", "COUNT"),
      await errorOf(client, "BIGKEYS", "GET", "x", "1"),
      await errorOf(client, "HOTKEYS", "START"),
      await errorOf(client, "HOTKEYS"),
    ],
    [
      "-ERR COUNT must be an integer greater than 0",
      "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try HOTKEYS HELP.",
      "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try BIGKEYS HELP.",
      "-ERR unknown subcommand 'START'. Try HOTKEYS HELP.",
      "-ERR wrong number of arguments for 'hotkeys' command",
    ],
  );
  for (const name of ["HOTKEYS", "BIGKEYS"]) {
    const help = await client.call(name, "HELP") as string[];
    assertMatch(help[0]!, new RegExp(`^${name} <subcommand>`));
  }
});

Deno.test("only those may see keys who may see the slow log; off says so", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  await client.call("ACL", "SETUSER", "reader", "on", "nopass", "~*", "+@all", "-@dangerous");
  using reader = await proxy.client();
  await reader.call("AUTH", "reader", "x");
  for (const name of ["HOTKEYS", "BIGKEYS"]) {
    for (const word of ["GET", "RESET"]) {
      assertMatch(await errorOf(reader, name, word), /^-NOPERM /);
    }
    assertMatch(await errorOf(reader, name, "HELP"), /^\*/);
  }
  await using off = await RouterServer.start({ servers: [server], options: { hotKeySamples: 0 } });
  using other = await off.client();
  await other.call("GET", "k");
  const error = "-ERR keys are not looked at: hot_key_samples is 0 in the proxy's configuration";
  assertEquals(await errorOf(other, "HOTKEYS", "GET"), error);
  assertEquals(await errorOf(other, "BIGKEYS", "GET"), error);
});
