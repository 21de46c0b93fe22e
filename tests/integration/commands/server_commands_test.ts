/**
 * Commands about servers: the answers are true of all masters and have redis-server's form, and orders
 * reach every master or say which they have not reached.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { MovingSlot, TAG } from "../../support/moving_slot.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer, slotOf } from "../../support/router_server.ts";

const ON = { serverCommands: true } as const;
/** Servers that log nothing as slow: a busy machine must not show. */
const DEBUG = {
  args: ["--enable-debug-command", "yes", "--slowlog-log-slower-than", "-1"],
} as const;

/** What a reply is made of: types and names, but no figures. */
function shapeOf(value: RespValue): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (value instanceof Map) return [...value].map(([name, each]) => [name, shapeOf(each)]);
  return value instanceof ReplyError ? value.message : typeof value;
}

function textOf(value: RespValue): string {
  return value instanceof ReplyError ? value.message : `${value}`;
}

async function each(
  servers: readonly RedisServer[],
  ...words: Word[]
): Promise<RespValue[]> {
  const replies: RespValue[] = [];
  for (const server of servers) {
    using direct = await server.client();
    replies.push(await direct.call(...words));
  }
  return replies;
}

for (const protocol of [2, 3]) {
  Deno.test(`answers about servers have the form of redis-server's, in RESP${protocol}`, async () => {
    await using servers = await RedisServer.startMany(2, DEBUG);
    await using proxy = await RouterServer.start({
      servers,
      options: { ...ON, slowerThanUs: -1 },
    });
    using client = await proxy.client();
    using direct = await servers[0]!.client();
    const both = async (...words: string[]) => {
      const [own, redis] = [await client.call(...words), await direct.call(...words)];
      assertEquals(shapeOf(own), shapeOf(redis), words.join(" "));
    };
    for (const one of [client, direct]) await one.call("HELLO", protocol);
    for (
      const line of [
        "ROLE",
        "LASTSAVE",
        "MODULE LIST",
        "LATENCY LATEST",
        "LATENCY HISTORY command",
        "LATENCY GRAPH command",
        "LATENCY DOCTOR",
        "LATENCY RESET",
        "MEMORY STATS",
        "MEMORY DOCTOR",
        "MEMORY MALLOC-STATS",
        "MEMORY PURGE",
        "MEMORY USAGE nothing",
        "SLOWLOG LEN",
        "SLOWLOG GET",
        "SLOWLOG GET x",
        "SLOWLOG GET -2",
        "SLOWLOG GET 1 2",
        "SLOWLOG RESET",
        "FUNCTION STATS",
        "ACL WHOAMI",
        "ACL CAT nonsense",
        "CONFIG GET maxmemory lazyfree-*",
        "CONFIG GET nothing-of-the-kind",
        "CONFIG GET MaxMemory",
        "CONFIG GET MAXMEMORY maxmemory",
        "CONFIG GET MaxMemory-Pol*",
        "CONFIG SET nothing-of-the-kind 1",
        "CONFIG SET hz",
        "CONFIG SET hz 10 hz 10",
        "CONFIG SET hz 10 hz",
        "CONFIG SET maxmemory lots",
        "CONFIG REWRITE",
        "CONFIG RESETSTAT",
        "SWAPDB 0 x",
        "SWAPDB 0 1",
        "DEBUG SLEEP 0",
        "DEBUG OBJECT nothing",
        "CLIENT PAUSE 0 ALL x",
        "CLIENT UNBLOCK 1 ERROR x",
        "CLUSTER INFO",
        "CLUSTER KEYSLOT k",
        "BGSAVE nonsense",
      ]
    ) await both(...line.split(" "));
  });
}

Deno.test("orders reach every master", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers, options: ON });
  using client = await proxy.client();
  assertEquals(
    await client.call("CONFIG", "SET", "notify-keyspace-events", "Ex", "hz", "20"),
    "OK",
  );
  assertEquals(await client.call("CONFIG", "GET", "hz"), ["hz", "20"]);
  assertEquals(await each(servers, "CONFIG", "GET", "notify-keyspace-events"), [
    ["notify-keyspace-events", "xE"],
    ["notify-keyspace-events", "xE"],
  ]);
  const keys = [keyOn(0, 2), keyOn(1, 2)];
  for (const key of keys) await client.call("SET", key, "v");
  assertEquals(await client.call("SWAPDB", 0, 1), "OK");
  for (const key of keys) assertEquals(await client.call("EXISTS", key), 0);
  await client.call("SELECT", 1);
  for (const key of keys) assertEquals(await client.call("EXISTS", key), 1);
  assertEquals(await client.call("SAVE"), "OK");
  assertEquals(await client.call("CONFIG", "RESETSTAT"), "OK");
});

Deno.test("without server_commands orders are refused, and answers are given", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  for (
    const line of [
      "CONFIG SET hz 10",
      "CONFIG RESETSTAT",
      "SWAPDB 0 1",
      "BGSAVE",
      "SAVE",
      "DEBUG SLEEP 0",
    ]
  ) assertMatch(textOf(await client.call(...line.split(" "))), /server_commands is off/, line);
  for (const line of ["CONFIG GET hz", "ROLE", "SLOWLOG GET", "MEMORY STATS", "LATENCY LATEST"]) {
    assert(Array.isArray(await client.call(...line.split(" "))), line);
  }
  for (const line of ["SHUTDOWN", "REPLICAOF a 1", "MODULE LOAD a"]) {
    assertMatch(textOf(await client.call(...line.split(" "))), /is not allowed: /, line);
  }
});

Deno.test("a CONFIG SET that the masters refuse sets nothing at the proxy, either", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers, options: ON });
  using client = await proxy.client();
  const before = await client.call("CONFIG", "GET", "slowlog-max-len");
  assertMatch(
    textOf(await client.call("CONFIG", "SET", "slowlog-max-len", 7, "maxmemory", "lots")),
    /CONFIG SET failed/,
  );
  assertEquals(await client.call("CONFIG", "GET", "slowlog-max-len"), before);
  assertEquals(await client.call("CONFIG", "SET", "slowlog-max-len", 7, "hz", 20), "OK");
  assertEquals(await client.call("CONFIG", "GET", "slowlog-max-len"), ["slowlog-max-len", "7"]);
});

Deno.test("an order that some masters do not carry out names them", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers, options: ON });
  using client = await proxy.client();
  await client.call("CONFIG", "SET", "hz", 10);
  using direct = await servers[1]!.client();
  await direct.call("DEBUG", "x");
  await direct.call("CONFIG", "SET", "save", "");
  await servers[1]!.kill();
  const text = textOf(await client.call("CONFIG", "SET", "hz", 20));
  assertMatch(
    text,
    /^ERR CONFIG SET was done at 1 of 2 masters, and not at 127\.0\.0\.1:\d+: ERR /,
  );
  assert(text.includes(servers[1]!.addr));
  assertMatch(
    textOf(await client.call("CONFIG", "SET", "hz", 20, "slowlog-max-len", 7)),
    /^ERR CONFIG SET was done at 1 of 2 masters, and not at the proxy itself and at 127\.0\.0\.1/,
  );
});

Deno.test("CONFIG RESETSTAT resets the proxy's own times when all masters have done so, and not before", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers, options: ON });
  using client = await proxy.client();
  const times = async () =>
    (await client.call("LATENCY", "HISTOGRAM", "get") as [string, unknown[]])[1]?.[1];
  for (let i = 0; i < 2; i++) await client.call("GET", keyOn(i, 2));
  await servers[1]!.kill();
  assertMatch(
    textOf(await client.call("CONFIG", "RESETSTAT")),
    /^ERR CONFIG RESETSTAT was done at 1 of 2 masters, and not at the proxy itself and at 127\.0\.0\.1:\d+: ERR /,
  );
  assertEquals(await times(), 2);
  await servers[0]!.kill();
  assertMatch(textOf(await client.call("CONFIG", "RESETSTAT")), /^ERR /);
  assertEquals(await times(), 2);
});

Deno.test("a master that is silent holds up an order no longer than backend_timeout, INFO less", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({
    servers,
    options: { ...ON, backendDialMs: 200, backendTimeoutMs: 1_000 },
  });
  using client = await proxy.client();
  await client.call("CONFIG", "SET", "hz", 10);
  servers[1]!.pause();
  try {
    const startedMs = performance.now();
    for (let i = 0; i < 3; i++) {
      assertMatch(textOf(await client.call("INFO")), /\nbackends_answering:1\r/);
    }
    assert(performance.now() - startedMs < 900);
    using leaving = await proxy.client();
    await leaving.send("CONFIG", "SET", "hz", 30);
    leaving.close();
    const text = textOf(await client.call("CONFIG", "SET", "hz", 20));
    assertMatch(text, /was done at 1 of 2 masters, and not at .*no answer for 1000 ms/);
    assert(performance.now() - startedMs < 4_000);
  } finally {
    servers[1]!.resume();
  }
  await until(() => proxy.leftovers().length === 0);
  await until(async () => await client.call("CONFIG", "SET", "hz", 40) === "OK");
});

Deno.test("CONFIG GET gives the proxy's own keys, then the masters', and keeps secrets", async () => {
  await using servers = await RedisServer.startMany(2, { args: ["--requirepass", "secret"] });
  await using proxy = await RouterServer.start({
    servers,
    options: {
      ...ON,
      backendPassword: "secret",
      shownConfig: [["max_clients", "5"], ["maxclients", "5"]],
    },
  });
  using client = await proxy.client();
  const all = await client.call("CONFIG", "GET", "*") as string[];
  const names = all.filter((_, i) => i % 2 === 0);
  assertEquals(new Set(names).size, names.length);
  for (const name of ["max_clients", "maxclients", "maxmemory-policy", "save"]) {
    assert(names.includes(name), name);
  }
  for (const name of ["requirepass", "masterauth", "port"]) assert(!names.includes(name), name);
  assertEquals(await client.call("CONFIG", "GET", "requirepass"), ["requirepass", "***"]);
  assertEquals(await client.call("CONFIG", "GET", "MaxClients"), ["MaxClients", "5"]);
  assertEquals(await client.call("CONFIG", "SET", "maxclients", "5"), "OK");
  assertMatch(textOf(await client.call("CONFIG", "SET", "maxclients", "6")), /the proxy's own/);
  for (const name of ["port", "requirepass", "bind"]) {
    assertMatch(textOf(await client.call("CONFIG", "SET", name, "1")), /how proxies reach/);
  }
  // Masters that differ: the first one's, and once a word in the log.
  using direct = await servers[1]!.client();
  await direct.call("AUTH", "secret");
  await direct.call("CONFIG", "SET", "hz", 50);
  for (let i = 0; i < 2; i++) assertEquals(await client.call("CONFIG", "GET", "hz"), ["hz", "10"]);
  const told = proxy.events.filter((event) => event.startsWith("hz differs"));
  assertEquals(told, [`hz differs: ${servers[0]!.addr} ${servers[1]!.addr}`]);
});

Deno.test("SWAPDB is refused while a slot is being changed", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers, options: ON });
  using client = await proxy.client();
  await proxy.fill(7, servers[1]!.addr, {
    groupId: 2,
    migrateFromAddr: servers[0]!.addr,
    migrateFromGroupId: 1,
  });
  assertMatch(textOf(await client.call("SWAPDB", 0, 1)), /slot 7 is being changed/);
  await proxy.fill(7, servers[1]!.addr, { groupId: 2 });
  assertEquals(await client.call("SWAPDB", 0, 1), "OK");
});

Deno.test("DEBUG finds a key of any bytes", async () => {
  await using servers = await RedisServer.startMany(2, DEBUG);
  await using proxy = await RouterServer.start({ servers, options: ON });
  using client = await proxy.client();
  for (const last of [0xfe, 0xff, 0x80]) {
    const key = new Uint8Array([0x6b, 0xff, last]);
    await client.call("SET", key, "1");
    assertMatch(textOf(await client.call("DEBUG", "OBJECT", key)), /encoding:int /);
  }
});

/** The subcommands of DEBUG in a row of their table in docs/commands.md. */
function documentedDebug(where: string): string[] {
  const text = Deno.readTextFileSync(new URL("../../../docs/commands.md", import.meta.url));
  const lines = text.slice(text.indexOf("\n## DEBUG\n")).split("\n");
  const row = lines.find((line) => line.startsWith(`| ${where} | `))!;
  return row.split(" | ")[1]!.replace(/ \|$/, "").split(", ");
}

Deno.test("of what redis-server's DEBUG can, clients can what docs/commands.md lists, and nothing else", async () => {
  await using servers = await RedisServer.startMany(2, DEBUG);
  await using proxy = await RouterServer.start({ servers, options: ON });
  using client = await proxy.client();
  using direct = await servers[0]!.client();
  const help = await direct.call("DEBUG", "HELP") as string[];
  const known = help.slice(1).filter((line) => /^[A-Z]/.test(line)).map((line) =>
    line.split(" ")[0]!
  );
  const everywhere = documentedDebug("every master");
  const ofKeys = documentedDebug("the server of the key");
  const listed = [...everywhere, ...ofKeys, ...documentedDebug("one server")];
  assert(known.length > 35 && listed.length > 15, `${known} ${listed}`);
  await client.call("SET", "k", "v");
  for (const word of listed) {
    const more = word === "PROTOCOL" ? "string" : ofKeys.includes(word) ? "k" : "0";
    const reply = textOf(await client.call("DEBUG", word, ...word === "HELP" ? [] : [more]));
    assertEquals(/is not allowed/.test(reply), false, `${word}: ${reply}`);
  }
  for (const word of known.filter((word) => !listed.includes(word))) {
    assertMatch(textOf(await client.call("DEBUG", word, "k")), /is not allowed: it can harm/, word);
  }
  assertEquals(await client.call("DEBUG", "SLEEP", "0"), "OK");
});

Deno.test("DEBUG is answered in a transaction, in its place", async () => {
  await using servers = await RedisServer.startMany(2, DEBUG);
  for (const multiSlotTransactions of [false, true]) {
    await using proxy = await RouterServer.start({
      servers,
      options: { ...ON, multiSlotTransactions },
    });
    using client = await proxy.client();
    await client.pipeline([
      ["MULTI"],
      ["SET", "k", 1],
      ["DEBUG", "ERROR", "LOADING all"],
      ["DEBUG", "OBJECT", "k"],
      ["DEBUG", "SLEEP", 0],
      ["GET", "k"],
    ]);
    const [set, error, object, sleep, get] = await client.call("EXEC") as RespValue[];
    assertEquals([set, sleep, get], ["OK", "OK", "1"]);
    assertEquals(textOf(error!), "LOADING all");
    assertMatch(textOf(object!), /encoding:int /);
    assertEquals(await client.call("PING"), "PONG");
  }
});

Deno.test("FUNCTION STATS shows a function that runs at any master, at once", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const body = "redis.register_function('forever', function() while true do end end)";
  await client.call("FUNCTION", "LOAD", `#!lua name=busy\n${body}`);
  using caller: RespClient = await proxy.client();
  await caller.send("FCALL", "forever", 1, keyOn(1, 2));
  for (;;) {
    const [, running] = await client.call("FUNCTION", "STATS") as [string, string[] | null];
    if (running === null) continue;
    assertEquals(running.slice(0, 2), ["name", "forever"]);
    break;
  }
  assertEquals(await client.call("FUNCTION", "KILL"), "OK");
});

Deno.test("a server that loses its last slot still answers what all masters were asked", async () => {
  await using moving = await MovingSlot.start();
  const [stays, leaves] = moving.servers as [RedisServer, RedisServer];
  using client = await moving.proxy.client();
  for (
    const [request, reply] of [["LASTSAVE", /^\d+$/], [
      "SCRIPT LOAD return",
      /^[0-9a-f]{40}$/,
    ]] as const
  ) {
    await moving.move();
    await client.call("SET", `${TAG}k`, 1);
    leaves.pause();
    try {
      await client.send(...request.split(" "));
      await delay(20);
      await moving.proxy.fill(slotOf(TAG), stays.addr);
      moving.owner = 0;
    } finally {
      leaves.resume();
    }
    assertMatch(textOf((await client.read()).value), reply);
    assertEquals(moving.proxy.leftovers(), []);
  }
});
