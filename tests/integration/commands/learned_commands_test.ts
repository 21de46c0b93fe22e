/**
 * Commands that the proxy's table has not, but its servers have.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import {
  type CommandFields,
  KnowingServer,
  madeUp,
  recordedCommands,
} from "../../support/knowing_server.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { keyOn, RouterServer, type RouterServerOptions } from "../../support/router_server.ts";

/** Servers that know different things, a proxy before them, and a client. */
async function start(
  knowledge: readonly (readonly CommandFields[] | null)[],
  options: RouterServerOptions["options"] = {},
) {
  const stack = new AsyncDisposableStack();
  const servers = knowledge.map((commands) => stack.use(new KnowingServer(commands)));
  const proxy = stack.use(await RouterServer.start({ servers, options }));
  const client = await proxy.client();
  stack.defer(() => client[Symbol.dispose]());
  return { stack, servers, proxy, client };
}

async function errorOf(client: RespClient, ...words: string[]): Promise<string> {
  const reply = await client.call(...words);
  return reply instanceof ReplyError ? reply.message : `no error: ${JSON.stringify(reply)}`;
}

Deno.test("commands of Redis 7.4 go to the server of their key, and are asked for once", async () => {
  const redis = recordedCommands("redis-7.4.1");
  const { stack, servers, client } = await start([redis, redis]);
  await using _ = stack;
  for (let i = 0; i < 20; i++) {
    const words = ["HEXPIRE", `${i}:key`, "10", "FIELDS", "1", "f"];
    assertEquals(await client.call(...words), words);
  }
  assertEquals(servers.map(({ questions }) => questions), [1, 1]);
  const counts = servers.map(({ asked }) => asked.length);
  assertEquals(counts.reduce((a, b) => a + b), 20);
  assertEquals(counts.every((count) => count > 3), true, `${counts}`);
  // A known command that takes more arguments since 7.2.
  assertEquals(await client.call("ZRANK", "z", "m", "WITHSCORE"), ["ZRANK", "z", "m", "WITHSCORE"]);
  assertEquals(
    await errorOf(client, "ZRANK", "z"),
    "ERR wrong number of arguments for 'zrank' command",
  );
  assertEquals(
    await errorOf(client, "HEXPIRE", "k"),
    "ERR wrong number of arguments for 'hexpire' command",
  );
});

Deno.test("requests that are pipelined while servers are asked keep their order", async () => {
  const redis = recordedCommands("redis-7.4.1");
  const { stack, client } = await start([redis]);
  await using _ = stack;
  await client.send("SET", "k", "1");
  await client.send("HTTL", "k", "FIELDS", "1", "f");
  await client.send("NONSENSE");
  await client.send("GET", "k");
  assertEquals((await client.read()).value, ["SET", "k", "1"]);
  assertEquals((await client.read()).value, ["HTTL", "k", "FIELDS", "1", "f"]);
  const unknown = (await client.read()).value as ReplyError;
  assertMatch(unknown.message, /unknown command 'NONSENSE'/);
  assertEquals((await client.read()).value, ["GET", "k"]);
});

Deno.test("a command that only some servers know is refused with the addresses of the others", async () => {
  const { stack, servers, client } = await start([[madeUp("json.set")], [], []]);
  await using _ = stack;
  assertEquals(
    await errorOf(client, "JSON.SET", "k", ".", "1"),
    "ERR handle request, command 'JSON.SET' is not allowed: not all servers know it: " +
      `${servers[1]!.addr}, ${servers[2]!.addr} do not`,
  );
  assertEquals(servers.flatMap(({ asked }) => asked), []);
});

Deno.test("a server that is replaced by another version is asked again", async () => {
  const { stack, servers, client } = await start([
    recordedCommands("redis-7.4.1"),
    recordedCommands("redis-6.2.14"),
  ]);
  await using _ = stack;
  const words = ["HPTTL", "k", "FIELDS", "1", "f"];
  assertMatch(await errorOf(client, ...words), /not all servers know it/);
  servers[1]!.commands = recordedCommands("redis-7.4.1");
  servers[1]!.disconnectAll();
  await until(async () => !(await client.call(...words) instanceof ReplyError));
  for (const server of servers) {
    server.commands = [];
    server.disconnectAll();
  }
  await until(async () => (await errorOf(client, ...words)).includes("unknown command 'HPTTL'"));
});

Deno.test("servers whose keys are at different places for one name get none of its requests", async () => {
  const { stack, servers, client } = await start([
    [madeUp("my.cmd", { arity: -3 })],
    [madeUp("my.cmd", { arity: -3, keys: [2, 2, 1] })],
  ]);
  await using _ = stack;
  assertMatch(
    await errorOf(client, "MY.CMD", "a", "b"),
    new RegExp(
      `keys are at different places for the servers ${servers[0]!.addr}, ${servers[1]!.addr}`,
    ),
  );
});

Deno.test("servers that may not say what they know do not keep others' commands back", async () => {
  const { stack, client } = await start([[madeUp("my.get")], null]);
  await using _ = stack;
  assertEquals(await client.call("MY.GET", "k"), ["MY.GET", "k"]);
});

Deno.test("while no server has said what it knows, nothing is called unknown", async () => {
  const { stack, client, servers } = await start([null], { backendDialMs: 200 });
  await using _ = stack;
  assertMatch(await errorOf(client, "MY.GET", "k"), /no server has said yet whether it knows this/);
  servers[0]!.commands = [madeUp("my.get")];
  servers[0]!.disconnectAll();
  await until(async () => !(await client.call("MY.GET", "k") instanceof ReplyError));
});

Deno.test("commands without keys go to every master, and the replies are merged, as their tips say", async () => {
  const everyMaster = (name: string, response?: string) =>
    madeUp(name, {
      arity: -1,
      keys: [0, 0, 0],
      tips: ["request_policy:all_shards", ...(response ? [`response_policy:${response}`] : [])],
    });
  const commands = [
    everyMaster("my.sum", "agg_sum"),
    everyMaster("my.min", "agg_min"),
    everyMaster("my.max", "agg_max"),
    everyMaster("my.or", "agg_logical_or"),
    everyMaster("my.and", "agg_logical_and"),
    everyMaster("my.list"),
    everyMaster("my.own", "special"),
    madeUp("my.none", { keys: [0, 0, 0] }),
  ];
  const { stack, servers, client } = await start([commands, commands]);
  await using _ = stack;
  for (const name of ["my.sum", "my.min", "my.max"]) {
    servers[0]!.replies[name] = ":3\r\n";
    servers[1]!.replies[name] = ":4\r\n";
  }
  for (const name of ["my.or", "my.and"]) {
    servers[0]!.replies[name] = ":0\r\n";
    servers[1]!.replies[name] = ":1\r\n";
  }
  const names = ["MY.SUM", "MY.MIN", "MY.MAX", "MY.OR", "MY.AND"];
  const replies = [];
  for (const name of names) replies.push(await client.call(name));
  assertEquals(replies, [7, 3, 4, 1, 0]);
  assertEquals(await client.call("MY.LIST", "a"), ["MY.LIST", "a", "MY.LIST", "a"]);
  assertMatch(
    await errorOf(client, "MY.OWN"),
    /'config command allow "MY.OWN" key=N \| block=N \| any \| all'/,
  );
  assertMatch(
    await errorOf(client, "MY.NONE", "x"),
    /it names no keys, nor which servers it is for/,
  );
});

Deno.test("a command for several shards is split by server, its replies in the order of its keys", async () => {
  const commands = [madeUp("my.mget", { keys: [1, -1, 1], tips: ["request_policy:multi_shard"] })];
  const { stack, servers, client } = await start([commands, commands]);
  await using _ = stack;
  const keys = Array.from({ length: 10 }, (_, i) => `${i}:key`);
  // As MGET: one element for each key.
  const mget = (words: string[]) =>
    `*${words.length - 1}\r\n${
      words.slice(1).map((key) => `$${key.length}\r\n${key}\r\n`).join("")
    }`;
  for (const server of servers) server.answers["my.mget"] = mget;
  assertEquals(await client.call("MY.MGET", ...keys), keys);
  assertEquals(servers.map(({ asked }) => asked.length), [1, 1]);
});

Deno.test("what blocks, subscribes, administers or belongs to one connection is not sent", async () => {
  const keyless = { keys: [0, 0, 0] as const, arity: -1 };
  const commands = [
    madeUp("my.block", { ...keyless, flags: ["blocking"] }),
    madeUp("my.sub", { ...keyless, flags: ["pubsub"] }),
    madeUp("my.admin", { ...keyless, flags: ["admin"] }),
    madeUp("my.danger", { categories: ["@dangerous"] }),
    madeUp("my.state", { ...keyless, categories: ["@connection"] }),
    madeUp("my.noscript", { flags: ["noscript"] }),
    madeUp("ft.search", {}),
    madeUp("my.found", { flags: ["readonly", "movablekeys", "module"] }),
  ];
  const { stack, servers, client } = await start([commands]);
  await using _ = stack;
  for (const [name] of commands) {
    assertMatch(
      await errorOf(client, String(name), "x"),
      /^ERR handle request, command '.*' is not allowed/,
    );
  }
  assertEquals(servers[0]!.asked, []);
});

Deno.test("subcommands of a learned command are looked up as Redis does", async () => {
  const commands = [
    madeUp("my.set", {
      keys: [0, 0, 0],
      subcommands: [madeUp("my.set|add", { arity: -3, keys: [2, 2, 1] })],
    }),
  ];
  const { stack, client } = await start([commands]);
  await using _ = stack;
  assertEquals(await client.call("MY.SET", "add", "k"), ["MY.SET", "add", "k"]);
  assertEquals(
    await errorOf(client, "MY.SET", "drop", "k"),
    "ERR unknown subcommand 'drop'. Try MY.SET HELP.",
  );
  assertEquals(
    await errorOf(client, "MY.SET", "add"),
    "ERR wrong number of arguments for 'my.set|add' command",
  );
});

Deno.test("large requests of a learned command arrive whole, the first one and those after it", async () => {
  const { stack, servers, client } = await start([[madeUp("my.put", { flags: ["write"] })]]);
  await using _ = stack;
  servers[0]!.answers["my.put"] = (words) => `:${words[2]!.length}\r\n`;
  const value = "v".repeat(3_000_000);
  for (let i = 0; i < 3; i++) assertEquals(await client.call("MY.PUT", "k", value), value.length);
  assertMatch(await errorOf(client, "MY.OTHER", "k", value), /unknown command 'MY\.OTHER'/);
  assertEquals(await client.call("MY.PUT", "k", "v"), 1);
});

Deno.test("a learned command that blocks holds up nobody, and its client's order is kept", async () => {
  const { stack, servers, client, proxy } = await start([
    [madeUp("my.bpop", { arity: -1, flags: ["write", "blocking"] })],
  ]);
  await using _ = stack;
  using other = await proxy.client();
  const { promise, resolve } = Promise.withResolvers<string>();
  servers[0]!.blocks["my.bpop"] = promise;
  await client.send("MY.BPOP", "k", "0");
  await client.send("GET", "k");
  await until(() => servers[0]!.asked.some((line) => line === "MY.BPOP k 0"));
  assertEquals(await other.call("GET", "other"), ["GET", "other"]);
  assertEquals(servers[0]!.asked.includes("GET k"), false);
  resolve("$1\r\nv\r\n");
  assertEquals((await client.read()).value, "v");
  assertEquals((await client.read()).value, ["GET", "k"]);
});

Deno.test("inside a transaction, a learned command is queued like others", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  // What redis-server 7.0 has not is refused there, too.
  await client.call("MULTI");
  assertMatch(await errorOf(client, "HEXPIRE", "k", "1", "FIELDS", "1", "f"), /unknown command/);
  assertMatch(await errorOf(client, "EXEC"), /^EXECABORT/);
  const { stack, servers, client: other } = await start([recordedCommands("redis-7.4.1")]);
  await using _ = stack;
  servers[0]!.replies["multi"] = "+OK\r\n";
  servers[0]!.replies["httl"] = "+QUEUED\r\n";
  servers[0]!.replies["exec"] = "*1\r\n*1\r\n:5\r\n";
  await other.call("MULTI");
  assertEquals(await other.call("HTTL", "k", "FIELDS", "1", "f"), "QUEUED");
  assertEquals(await other.call("EXEC"), [[5]]);
});

Deno.test("a module's command that says nothing of its arguments still needs its key", async () => {
  const { stack, client } = await start([[madeUp("my.get", { arity: -1 })]]);
  await using _ = stack;
  assertEquals(
    await errorOf(client, "MY.GET"),
    "ERR wrong number of arguments for 'my.get' command",
  );
});

Deno.test("COMMAND tells of what all servers know, as they describe it", async () => {
  const own = madeUp("my.set", {
    flags: ["write"],
    categories: ["@write", "@mine"],
    subcommands: [madeUp("my.set|add", { arity: -3, keys: [2, 2, 1] })],
  });
  const redis = recordedCommands("redis-7.4.1");
  const { stack, servers, client } = await start([
    [...redis, own, madeUp("only.here")],
    [...redis, own],
  ]);
  await using _ = stack;
  const httl = redis.find(([name]) => name === "httl")!;
  assertEquals(await client.call("COMMAND", "INFO", "HTTL", "only.here", "my.set"), [
    flat(httl),
    null,
    flat(own),
  ]);
  // A known command as its servers take it.
  const [[, arity]] = await client.call("COMMAND", "INFO", "zrank") as [[string, number]];
  assertEquals(arity, -3);
  const all = await client.call("COMMAND", "LIST") as string[];
  assertEquals(["get", "hexpire", "my.set"].map((name) => all.includes(name)), [true, true, true]);
  assertEquals(all.includes("only.here"), false);
  const commands = all.filter((name) => !name.includes("|"));
  assertEquals(await client.call("COMMAND", "COUNT"), commands.length);
  assertEquals((await client.call("COMMAND") as unknown[]).length, commands.length);
  assertEquals(await client.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", "mine"), ["my.set"]);
  assertEquals(
    await client.call("COMMAND", "LIST", "FILTERBY", "PATTERN", "my.*"),
    ["my.set", "my.set|add"],
  );
  assertEquals(await client.call("COMMAND", "GETKEYS", "my.set", "add", "k"), ["k"]);
  assertEquals(await client.call("COMMAND", "GETKEYS", "HTTL", "k", "FIELDS", "1", "f"), ["k"]);
  for (const server of servers) {
    server.documents = { "my.set": { summary: "Of ours", group: "module" } };
  }
  assertEquals(await client.call("COMMAND", "DOCS", "my.set", "nonsense"), [
    "my.set",
    ["summary", "Of ours", "group", "module"],
  ]);
});

/** As a client reads it in RESP2. */
function flat(value: unknown): RespValue {
  if (Array.isArray(value)) return value.map(flat);
  if (typeof value !== "object" || value === null) return value as RespValue;
  return Object.entries(value).flatMap(([name, field]) => [name, flat(field)]);
}

Deno.test("WAITAOF answers the least of both numbers of all servers that the client wrote to", async () => {
  const redis = recordedCommands("redis-7.4.1");
  const { stack, servers, client } = await start([redis, redis]);
  await using _ = stack;
  const [a, b] = servers as [KnowingServer, KnowingServer];
  Object.assign(a.replies, { set: "+OK\r\n", waitaof: "*2\r\n:1\r\n:2\r\n" });
  Object.assign(b.replies, { set: "+OK\r\n", waitaof: "*2\r\n:0\r\n:3\r\n" });
  await client.call("SET", keyOn(0, 2), "1");
  assertEquals(await client.call("WAITAOF", 1, 2, 0), [1, 2]);
  await client.pipeline([["SET", keyOn(0, 2), "1"], ["SET", keyOn(1, 2), "1"]]);
  assertEquals(await client.call("WAITAOF", 1, 2, 0), [0, 2]);
  await client.call("MULTI");
  await client.call("WAITAOF", 1, 2, 1000);
  assertEquals(await client.call("EXEC"), [[0, 2]]);
  assertEquals(a.asked.at(-1), "waitaof 0 0 0", "nothing waits in a transaction");
  b.replies.waitaof =
    "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n";
  assertMatch(await errorOf(client, "WAITAOF", "1", "0", "0"), /^ERR WAITAOF cannot be used/);
  // Only where all servers have it.
  const { stack: others, client: other } = await start([redis, recordedCommands("redis-6.2.14")]);
  await using _others = others;
  assertMatch(await errorOf(other, "WAITAOF", "1", "0", "0"), /not all servers know it/);
});
