/**
 * SLOWLOG and LATENCY: Redis's form, the proxy's own figures, of all workers.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { writeAll } from "../../../src/io/dial.ts";
import { encodeRequest } from "../../../src/resp/encoder.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { keyOn, RouterServer, slotOf } from "../../support/router_server.ts";

type Entry = [
  id: number,
  seconds: number,
  usecs: number,
  args: string[],
  addr: string,
  name: string,
];

const ON = { serverCommands: true };

/** Requests whose arguments are cut, or not shown. */
const REQUESTS: readonly (readonly Word[])[] = [
  ["sadd", "set", ...Array.from({ length: 30 }, (_, i) => i + 3)],
  ["sadd", "set", ...Array.from({ length: 31 }, (_, i) => i + 3)],
  ["SADD", "set", "A".repeat(128), "A".repeat(129)],
  ["set", "\x00\xff\r\n", ""],
  ["get", "wrong", "arguments"],
  ["lpush", "set", "wrong type"],
  ["acl", "setuser", "somebody", ">secret", "on"],
  ["acl", "getuser", "somebody"],
  ["auth", "somebody", "wrong"],
  ["auth", "wrong"],
  ["hello", "2", "auth", "somebody", "wrong", "setname", "auth"],
  ["config", "get", "requirepass"],
  ["client", "setname", "me"],
  ["object", "help"],
  ["object", "encoding", "set"],
  ["eval", "return ARGV[1]", 1, "set", "x".repeat(100)],
];

async function shown(client: RespClient): Promise<Entry[]> {
  return await client.call("SLOWLOG", "GET", -1) as Entry[];
}

Deno.test("SLOWLOG shows requests as redis-server does, cut and without passwords", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server], options: ON });
  using client = await proxy.client();
  using direct = await server.client();
  const logs: string[][][] = [];
  for (const one of [direct, client]) {
    await one.call("DEL", "set");
    await one.call("CONFIG", "SET", "slowlog-log-slower-than", 0);
    await one.call("SLOWLOG", "RESET");
    for (const words of REQUESTS) await one.call(...words);
    await one.call("CONFIG", "SET", "slowlog-log-slower-than", -1);
    const entries = await shown(one);
    assertEquals(await one.call("SLOWLOG", "LEN"), entries.length);
    assert(entries.every((entry, i) => i === 0 || entry[0] < entries[i - 1]![0]), "ids count up");
    assertEquals([entries[0]!.length, entries[0]![5]], [6, "me"]);
    assertMatch(entries[0]![4], /^127\.0\.0\.1:\d+$/);
    logs.push(entries.map(([, , , args]) => args));
  }
  assertEquals(logs[1], logs[0]);
});

Deno.test("the slow log is bounded, and set while the proxy runs", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server], options: ON });
  using client = await proxy.client();
  const set = (name: string, value: Word) => client.call("CONFIG", "SET", name, value);
  assertEquals(await client.call("CONFIG", "GET", "slowlog-*"), [
    ...["slowlog-log-slower-than", "10000", "slowlog-max-len", "128"],
  ]);
  await client.call("SLOWLOG", "RESET"); // on a busy machine, what asks servers may be slow
  for (let i = 0; i < 20; i++) await client.call("PING");
  assertEquals(await client.call("SLOWLOG", "LEN"), 0);
  await set("slowlog-log-slower-than", 0);
  await set("slowlog-max-len", 10);
  for (let i = 0; i < 20; i++) await client.call("SET", "k", i);
  assertEquals([await client.call("SLOWLOG", "LEN"), (await shown(client)).length], [10, 10]);
  assertEquals((await client.call("SLOWLOG", "GET", 2) as Entry[]).length, 2);
  await set("slowlog-max-len", 0);
  assertEquals(await client.call("SLOWLOG", "LEN"), 0);
  // It is the proxy's own: servers have theirs.
  using direct = await server.client();
  assertEquals(await direct.call("CONFIG", "GET", "slowlog-max-len"), ["slowlog-max-len", "128"]);
  for (
    const [value, fault] of [
      ["x", "argument couldn't be parsed into an integer"],
      [-2, "argument must be between -1 and 9007199254740991 inclusive"],
    ] as const
  ) {
    assertEquals(
      (await set("slowlog-log-slower-than", value) as ReplyError).message,
      "ERR CONFIG SET failed (possibly related to argument 'slowlog-log-slower-than') - " + fault,
    );
  }
  const twice = ["slowlog-max-len", 1, "slowlog-max-len", 2];
  assertEquals(
    await client.call("CONFIG", "SET", ...twice),
    await direct.call("CONFIG", "SET", ...twice),
  );
});

Deno.test("a large request that is passed on as it comes is shown by its key", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [server],
    options: { slowerThanUs: 0 },
  });
  using client = await proxy.client();
  await client.call("AUTH", "a secret that is not to be seen again");
  await client.call("SET", "large", "x".repeat(2 * 1024 * 1024));
  const { entries } = proxy.router.shared.orderSlowLog({});
  const { args, requestBytes, slot } = entries.find(({ command }) => command === "set")!;
  assertEquals(args, ["set", "large", "... (1 more arguments)"]);
  assertEquals([requestBytes > 2 * 1024 * 1024, slot], [true, slotOf("large")]);
  assertEquals(JSON.stringify(entries).includes("secret"), false);
});

Deno.test("a large request is not slow while its client has more of it to send", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [server],
    options: { slowerThanUs: 0 },
  });
  const bytes = encodeRequest(["SET", "large", "x".repeat(2 * 1024 * 1024)]);
  using raw = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
  for (const [start, end] of [[0, 1_000_000], [1_000_000, bytes.length]]) {
    await writeAll(raw, bytes.subarray(start, end));
    if (start === 0) await delay(1_000);
  }
  assertEquals(await raw.read(new Uint8Array(99)), 5);
  const took = () =>
    proxy.router.shared.orderSlowLog({}).entries.find(({ command }) => command === "set")?.usecs;
  await until(() => took() !== undefined);
  assertGreater(900_000, took()!);
});

Deno.test("a large request that waits for its slot is slow in that stage", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  await proxy.fill(slotOf("large"), server.addr, { isBlocked: true });
  const set = client.call("SET", "large", "x".repeat(2 * 1024 * 1024));
  await delay(300);
  await proxy.fill(slotOf("large"), server.addr);
  assertEquals(await set, "OK");
  const entries = () => proxy.router.shared.orderSlowLog({}).entries;
  await until(() => entries().length > 0);
  const { stages, usecs } = entries()[0]!;
  assertGreater(stages.slot ?? 0, 200_000);
  assertEquals(Object.values(stages).reduce((sum, stage) => sum + stage), usecs);
});

Deno.test("a blocked command is not slow, a transaction is one request", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  using other = await proxy.client();
  const popped = client.call("BLPOP", "list", 5);
  await delay(60);
  await other.call("LPUSH", "list", "v");
  assertEquals(await popped, ["list", "v"]);
  assertEquals(await client.call("WAIT", 1, 50), 0);
  const paths = proxy.router.shared.orderSlowLog({ settings: { slowerThanUs: 0 } }).entries
    .map(({ args }) => args[0]);
  assertEquals(paths.filter((name) => name === "BLPOP" || name === "WAIT"), []);
  await client.call("MULTI");
  await client.call("SET", "k", 1);
  await client.call("EXEC");
  const entries = await shown(client);
  assertEquals(entries.filter(([, , , [name]]) => name === "EXEC").length, 1);
});

Deno.test("LATENCY tells which stage was slow, when, and what to do", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server], options: ON });
  using client = await proxy.client();
  for (let i = 0; i < 3; i++) await client.call("SET", "k", i);
  let events: [string, number, number, number][] = [];
  // On a busy machine this thread, which is the proxy's, may be held up for longer than the server.
  await until(async () => {
    server.pause();
    setTimeout(() => server.resume(), 200);
    await client.call("GET", "k");
    events = await client.call("LATENCY", "LATEST") as typeof events;
    return events.some(([event]) => event === "server");
  });
  const [name, seconds, ms, most] = events.find(([event]) => event === "server")!;
  assertEquals([name, Math.abs(seconds - Date.now() / 1000) < 10, ms === most], [
    ...["server", true, true],
  ]);
  assertGreater(ms, 50);
  assertEquals(await client.call("LATENCY", "HISTORY", "server"), [[seconds, ms]]);
  assertEquals(await client.call("LATENCY", "HISTORY", "nothing"), []);
  assertMatch(`${await client.call("LATENCY", "GRAPH", "server")}`, /^server - high \d+ ms, low/);
  const report = `${await client.call("LATENCY", "DOCTOR")}`;
  assertMatch(report, /server: waited for the server's reply.*\n.*ms on average[^]*SLOWLOG/);
  assertEquals(await client.call("LATENCY", "RESET", "server", "nothing"), 1);
  assertEquals(await client.call("LATENCY", "HISTORY", "server"), []);
});

Deno.test("LATENCY HISTOGRAM counts what the proxy has answered", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers, options: ON });
  using client = await proxy.client();
  await client.call("CONFIG", "RESETSTAT");
  for (let i = 0; i < 2; i++) await client.call("GET", keyOn(i, 2));
  await client.call("CLIENT", "ID");
  const [, figures] = await client.call("LATENCY", "HISTOGRAM", "get") as [string, unknown[]];
  assertEquals(figures.slice(0, 3), ["calls", 2, "histogram_usec"]);
  const steps = figures[3] as number[];
  assertEquals(steps.at(-1), 2);
  assertEquals(
    steps.filter((_, i) => i % 2 === 0).every((limit) => Number.isInteger(Math.log2(limit))),
    true,
  );
  assertEquals(
    (await client.call("LATENCY", "HISTOGRAM", "client", "blabla") as unknown[]).filter((_, i) =>
      i % 2 === 0
    ),
    ["client|id"],
  );
  await client.call("CONFIG", "RESETSTAT");
  assertEquals(await client.call("LATENCY", "HISTOGRAM", "get"), []);
});

Deno.test("the slow log is that of all workers", async () => {
  await using server = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [server],
    cpu: 2,
    config: { slowlog_slower_than: 0, server_commands: "on" },
  });
  // So many clients are spread over both.
  const clients = await Promise.all(Array.from({ length: 12 }, () => proxy.client()));
  for (const [i, client] of clients.entries()) await client.call("SET", `k${i}`, i);
  const [one, two] = clients as [RespClient, RespClient];
  const keys = (await shown(one)).flatMap(([, , , [name, key]]) => name === "SET" ? [key] : []);
  assertEquals(keys.length, 12);
  const ids = (await shown(two)).map(([id]) => id);
  assertEquals(ids, ids.toSorted((a, b) => b - a), "who has seen an id knows what is newer");
  assertEquals(new Set(ids).size, ids.length);
  await one.call("SLOWLOG", "RESET");
  const left = (await shown(two)).map(([, , , args]) => args.join(" "));
  assertEquals(left.filter((line) => line.startsWith("SET")), []);
  await one.call("CONFIG", "SET", "slowlog-log-slower-than", -1);
  await one.call("SLOWLOG", "RESET");
  for (const client of clients) await client.call("GET", "k1");
  assertEquals(await shown(two), []);
  for (const client of clients) client.close();
});
