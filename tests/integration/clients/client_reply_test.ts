/**
 * CLIENT REPLY, LIST and KILL: the same bytes as from redis-server.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { COMMANDS } from "../../../src/command/command_table.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, RespClient, type Word } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

const utf8 = new TextDecoder();

/** What a server at a port answers to requests in one write, up to the answer to a last ECHO. */
async function answers(port: number, requests: readonly (readonly Word[])[]): Promise<string> {
  using client = await RespClient.connect(port);
  await client.sendRaw(encodeRequests([...requests, ["QUIT"]]));
  return utf8.decode(await client.readToEnd());
}

const big = "x".repeat(2_000_000);
const REPLY_CASES: readonly (readonly (readonly Word[])[])[] = [
  [["CLIENT", "REPLY", "ON"], ["PING"]],
  [["CLIENT", "REPLY", "OFF"], ["PING"], ["SET", "k", "1"], ["CLIENT", "REPLY", "ON"], [
    "GET",
    "k",
  ]],
  [["CLIENT", "REPLY", "SKIP"], ["PING"], ["PING", "two"]],
  [["CLIENT", "REPLY", "SKIP"], ["SET", "k", "2"], ["GET", "k"]],
  [["CLIENT", "REPLY", "SKIP"], ["SET", "big", big], ["STRLEN", "big"]],
  [["CLIENT", "REPLY", "SKIP"], ["GET", "big"], ["STRLEN", "big"]],
  [["CLIENT", "REPLY", "SKIP"], ["CLIENT", "REPLY", "SKIP"], ["PING", "1"], ["PING", "2"]],
  [["CLIENT", "REPLY", "SKIP"], ["CLIENT", "REPLY", "ON"], ["PING", "1"]],
  [["CLIENT", "REPLY", "SKIP"], ["NOSUCH"], ["PING", "1"]],
  [["CLIENT", "REPLY", "SKIP"], ["CLIENT", "REPLY", "OFF"], ["PING"], ["CLIENT", "REPLY", "ON"]],
  [["CLIENT", "REPLY", "OFF"], ["CLIENT", "REPLY", "SKIP"], ["PING"], ["CLIENT", "REPLY", "ON"]],
  [["CLIENT", "REPLY", "maybe"], ["CLIENT", "REPLY"], ["PING"]],
  [["GET", "k"], ["CLIENT", "REPLY", "SKIP"], ["MGET", "k", "a", "b", "c", "d"], ["GET", "k"]],
  [
    ["CLIENT", "REPLY", "OFF"],
    ...[["MULTI"], ["SET", "k", "3"], ["GET", "k"], ["EXEC"]],
    ...[["CLIENT", "REPLY", "ON"], ["GET", "k"]],
  ],
  [["CLIENT", "REPLY", "OFF"], ["DBSIZE"], ["GET", "big"], ["RESET"], ["PING"]],
  [["CLIENT", "REPLY", "SKIP"], ["RESET"], ["PING", "1"], ["RESET"]],
  [
    ["CLIENT", "REPLY", "OFF"],
    ...[["MULTI"], ["PING"], ["SUBSCRIBE", "a"], ["PING", "x"], ["UNSUBSCRIBE"], ["EXEC"]],
    ...[["PING"], ["CLIENT", "REPLY", "ON"], ["PING"]],
  ],
  [["CLIENT", "REPLY", "OFF"], ["MULTI"], ["SUBSCRIBE", "a"], ["EXEC"], ["RESET"], ["PING", "1"]],
  [["CLIENT", "REPLY", "SKIP"], ["CLIENT", "REPLY", "SKIP"], ["RESET"], ["PING", "1"]],
  [["MULTI"], ["RESET"], ["CLIENT", "REPLY", "SKIP"], ["RESET"], ["GET", "k"], ["GET", "k"]],
  [["CLIENT", "TRACKING", "ON"], ["GET", "k"], ["CLIENT", "REPLY", "SKIP"], ["RESET"], ["PING"]],
  [["CLIENT", "REPLY", "SKIP"], [], ["PING", "1"], ["PING", "2"]],
];

/** Of these Redis 7.0 leaves the connection open without a word, or shows what the client itself asks. */
const NOT_COMPARED = new Set(["quit", "monitor"]);
/** What is sent before and behind a command. */
const REPLY_MODES: readonly (readonly [before: readonly Word[][], behind: readonly Word[][]])[] = [
  [[["CLIENT", "REPLY", "SKIP"]], []],
  [[["CLIENT", "REPLY", "SKIP"], ["CLIENT", "REPLY", "SKIP"]], []],
  [[["CLIENT", "REPLY", "OFF"]], [["PING", "1"], ["CLIENT", "REPLY", "ON"]]],
  [[["CLIENT", "REPLY", "OFF"], ["CLIENT", "REPLY", "SKIP"]], [["CLIENT", "REPLY", "ON"]]],
];

Deno.test("CLIENT REPLY drops the replies that redis-server drops, and no others", async () => {
  await using redis = await RedisServer.start();
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  for (const requests of REPLY_CASES) {
    const names = requests.map((words) => words.map((word) => `${word}`.slice(0, 10)).join(" "));
    assertEquals(
      await answers(proxy.port, requests),
      await answers(redis.port, requests),
      names.join(" | "),
    );
  }
});

Deno.test("CLIENT REPLY drops the reply to every command that the proxy answers itself", async () => {
  await using redis = await RedisServer.start();
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const own = COMMANDS.filter(({ handling, name }) =>
    (handling === "local" || handling === "transaction") && !NOT_COMPARED.has(name)
  );
  const requests: Word[][] = [["NOSUCH"], ["CLIENT", "NOSUCH"], ["GET"]];
  for (const { name, arity } of own) {
    const words = name.split("|");
    for (let count = words.length; count <= Math.abs(arity) + 1; count++) {
      requests.push([...words, ...Array.from({ length: count - words.length }, (_, i) => `${i}`)]);
    }
  }
  assert(requests.length > 200);
  for (const [before, behind] of REPLY_MODES) {
    for (const words of requests) {
      const all = [...before, words, ...behind, ["PING", "2"], ["RESET"], ["PING", "3"]];
      const [got, expected] = await Promise.all([
        answers(proxy.port, all),
        answers(redis.port, all),
      ]);
      assertEquals(got, expected, all.map((each) => each.join(" ")).join(" | "));
    }
  }
});

Deno.test("QUIT closes the connection of a client without replies, and nothing behind it is executed", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  for (const mode of ["OFF", "SKIP"]) {
    using client = await RespClient.connect(proxy.port);
    await client.sendRaw(encodeRequests([
      ...[["CLIENT", "REPLY", mode], ["QUIT"]],
      ...[["SET", "late", "1"], ["CLIENT", "REPLY", "ON"], ["PING"]],
    ]));
    assertEquals(utf8.decode(await client.readToEnd()), "");
    using other = await proxy.client();
    assertEquals(await other.call("EXISTS", "late"), 0);
  }
});

Deno.test("replies that are dropped weigh nothing: 100 000 of them, and what follows is served", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await RespClient.connect(proxy.port);
  await client.send("CLIENT", "REPLY", "OFF");
  const sets = encodeRequests(Array.from({ length: 100 }, (_, i) => ["SET", `k${i}`, "v"]));
  for (let i = 0; i < 1_000; i++) await client.sendRaw(sets);
  assertEquals(await client.call("CLIENT", "REPLY", "ON"), "OK");
  assertEquals(await client.call("GET", "k99"), "v");
  const [session] = [...proxy.router.sessions.values()];
  assertEquals([session!.replies.heldBytes, session!.replies.requestBytes], [0, 0]);
  assertEquals(session!.extras, null);
});

Deno.test("what changes the connection is refused inside MULTI, and EXEC is not executed", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  for (
    const words of [
      ["CLIENT", "REPLY", "SKIP"],
      ["CLIENT", "TRACKING", "ON"],
      ["CLIENT", "CACHING", "YES"],
      ["HELLO", "3"],
    ]
  ) {
    using client = await RespClient.connect(proxy.port);
    const requests = [["MULTI"], words, ["EXEC"], ["PING"]];
    const replies = await client.pipeline(requests);
    assertMatch(utf8.decode(replies[1]!.raw), /send it (right )?before MULTI/);
    assertMatch(utf8.decode(replies[2]!.raw), /^-EXECABORT/);
    assertEquals(replies[3]!.value, "PONG");
  }
});

/** A line of CLIENT LIST with what differs from run to run taken out. */
function comparable(line: string): string {
  return line
    .replace(/(id|addr|laddr|fd|age|idle|qbuf-free|rbs|rbp|tot-mem)=\S+/g, "$1=*")
    .trimEnd();
}

Deno.test("CLIENT INFO and LIST have the line of redis-server 7.0, field for field", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  const requests: (readonly Word[])[][] = [
    [["CLIENT", "INFO"]],
    [["CLIENT", "LIST"]],
    [["CLIENT", "SETNAME", "me"], ["SELECT", 3], ["CLIENT", "NO-EVICT", "on"], ["CLIENT", "INFO"]],
    [["HELLO", 3], ["CLIENT", "LIST", "TYPE", "NORMAL"]],
  ];
  const last = async (port: number, words: readonly (readonly Word[])[]) => {
    using client = await RespClient.connect(port);
    let text = "";
    for (const each of words) text = String(await client.call(...each));
    return comparable(text.trimEnd().split("\n").at(-1)!);
  };
  for (const words of requests) {
    assertEquals(await last(proxy.port, words), await last(redis.port, words));
  }
});

Deno.test("CLIENT LIST shows who is in a transaction, subscribes, watches or tracks", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  const states: (readonly Word[])[][] = [
    [["MULTI"]],
    [["MULTI"], ["SET", "k", 1], ["GET", "k"]],
    [["SUBSCRIBE", "a"]],
    [["PSUBSCRIBE", "a*"]],
    [["HELLO", 3], ["CLIENT", "TRACKING", "ON", "BCAST"]],
    [["CLIENT", "TRACKING", "ON"]],
    [["MONITOR"]],
  ];
  const seen = async (port: number) => {
    const found: string[] = [];
    for (const words of states) {
      using client = await RespClient.connect(port);
      using other = await RespClient.connect(port);
      const id = await client.call("CLIENT", "ID") as number;
      for (const each of words) await client.call(...each);
      const line = String(await other.call("CLIENT", "LIST", "ID", id));
      const fields = /flags|sub|psub|multi|cmd|redir|resp/;
      found.push(
        line.split(" ").filter((field) => fields.test(field) && !/mem|tot/.test(field)).join(" "),
      );
    }
    return found;
  };
  assertEquals(await seen(proxy.port), await seen(redis.port));
});

Deno.test("CLIENT LIST ID keeps the order of the ids, and CLIENT KILL the last of each filter", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  const errors: Word[][] = [
    ["CLIENT", "KILL", "ID", "10", "wrong"],
    ["CLIENT", "KILL", "ID", "str"],
    ["CLIENT", "KILL", "ID", "-1"],
    ["CLIENT", "KILL", "ID", "0", "more"],
    ["CLIENT", "KILL", "TYPE", "wrong"],
    ["CLIENT", "KILL", "USER", "wrong"],
    ["CLIENT", "KILL", "SKIPME", "perhaps"],
    ["CLIENT", "KILL", "TYPE", "master"],
    ["CLIENT", "KILL", "1.2.3.4:5"],
    ["CLIENT", "LIST", "ID", "x"],
    ["CLIENT", "LIST", "TYPE"],
  ];
  assertEquals(await answers(proxy.port, errors), await answers(redis.port, errors));
  using one = await RespClient.connect(proxy.port);
  using two = await RespClient.connect(proxy.port);
  const ids = [await one.call("CLIENT", "ID"), await two.call("CLIENT", "ID")] as number[];
  const list = String(await one.call("CLIENT", "LIST", "ID", ids[1]!, ids[0]!));
  assertMatch(list, new RegExp(`^id=${ids[1]} .*\\nid=${ids[0]} .*\\n$`));
  const kill = ["CLIENT", "KILL", "ID", ids[0]!, "ID", ids[1]!, "TYPE", "master", "TYPE", "normal"];
  assertEquals(await one.call(...kill), 1);
  assert((await two.readToEnd()).length === 0);
});
