/**
 * Client-side caching: the same bytes, in the same order, as from one redis-server.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, RespClient, type Word } from "../../support/resp_client.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const utf8 = new TextDecoder();

/**
 * A step: what one of the connections sends, or with `read` so many messages more than the answers. The word
 * ID stands for the number of connection `listener`.
 */
type Step = readonly [who: "reader" | "writer" | "listener", ...words: Word[]];

const PUSH: Record<string, number> = { pushed: 1, pushed2: 2 };

/** Runs steps one after the other; the answer to each, and what was pushed where a step says so. */
async function run(port: number, steps: readonly Step[]): Promise<string[]> {
  using reader = await RespClient.connect(port);
  using writer = await RespClient.connect(port);
  using listener = await RespClient.connect(port);
  const clients = { reader, writer, listener };
  const id = await listener.call("CLIENT", "ID");
  const anyId = (text: string) => text.replaceAll(`:${id}\r\n`, ":ID\r\n");
  await writer.call("FLUSHALL");
  const log: string[] = [];
  for (const [who, ...words] of steps) {
    const count = PUSH[String(words[0])];
    if (count !== undefined) {
      const messages: string[] = [];
      for (let i = 0; i < count; i++) messages.push(utf8.decode((await clients[who].read()).raw));
      log.push(`${who} pushed ${anyId(messages.sort().join(""))}`);
      continue;
    }
    await clients[who].send(...words.map((word) => word === "ID" ? `${id}` : word));
    const answer = anyId(utf8.decode((await clients[who].read()).raw));
    log.push(`${who} ${words.join(" ")} => ${words[0] === "HELLO" ? "" : answer}`);
  }
  return log;
}

const on = (...words: Word[]): Step => ["reader", "CLIENT", "TRACKING", "ON", ...words];
const info: Step = ["reader", "CLIENT", "TRACKINGINFO"];
const three: Step = ["reader", "HELLO", 3];

const CASES: Readonly<Record<string, readonly Step[]>> = {
  "a key that was read, and one that was not": [
    ...[three, on(), info],
    ...[["reader", "GET", "a"], ["writer", "SET", "a", 1], ["reader", "pushed"]] as Step[],
    ...[["writer", "SET", "a", 2], ["reader", "GET", "a"], ["writer", "SET", "a", 3]] as Step[],
    ["reader", "pushed"],
    ["reader", "CLIENT", "TRACKING", "OFF"],
    info,
    ["reader", "PING"],
  ],
  "its own writes, before the next answer": [
    ...[three, on()],
    ["reader", "HSET", "h", "f", 1],
    ["reader", "HGET", "h", "f"],
    ["reader", "HDEL", "h", "f"],
    ["reader", "pushed"],
    ...[on("NOLOOP"), info],
    ["reader", "GET", "x"],
    ["reader", "SET", "x", 1],
    ["reader", "GET", "x"],
    ["writer", "SET", "x", 2],
    ["reader", "pushed"],
  ],
  "keys of several servers": [
    ...[three, on()],
    ["reader", "MGET", "a", "b", "c", "d", "e"],
    ["writer", "SET", "a", 1],
    ["reader", "pushed"],
    ["writer", "SET", "e", 1],
    ["reader", "pushed"],
    ["writer", "MSET", "b", 1, "c", 2],
    ["reader", "pushed2"],
    ["reader", "MGET", "a", "b", "c", "d", "e"],
  ],
  "transactions": [
    ...[three, on()],
    ["reader", "MSET", "a{t}", 1, "b{t}", 2],
    ["reader", "GET", "a{t}"],
    ["reader", "MULTI"],
    ["reader", "PING"],
    ["reader", "INCR", "a{t}"],
    ["reader", "GET", "b{t}"],
    ["reader", "EXEC"],
    ["reader", "pushed"],
    ["writer", "SET", "b{t}", 1],
    ["reader", "pushed"],
  ],
  "OPTIN": [
    ...[three, on("OPTIN"), info],
    ["reader", "GET", "a"],
    ["writer", "SET", "a", 1],
    ["reader", "CLIENT", "CACHING", "YES"],
    info,
    ["reader", "GET", "b"],
    info,
    ["reader", "GET", "c"],
    ["writer", "SET", "c", 1],
    ["writer", "SET", "b", 1],
    ["reader", "pushed"],
    ["reader", "CLIENT", "CACHING", "NO"],
    on("OPTOUT"),
    on("BCAST"),
  ],
  "OPTOUT": [
    ...[three, on("OPTOUT"), info],
    ["reader", "CLIENT", "CACHING", "NO"],
    info,
    ["reader", "GET", "a"],
    ["reader", "GET", "b"],
    ["writer", "SET", "a", 1],
    ["writer", "SET", "b", 1],
    ["reader", "pushed"],
    ["reader", "CLIENT", "CACHING", "YES"],
  ],
  "BCAST with prefixes": [
    ...[three, on("BCAST", "PREFIX", "x:", "PREFIX", "y:"), info],
    ["writer", "SET", "x:1", 1],
    ["reader", "pushed"],
    ["writer", "SET", "z:1", 1],
    ["writer", "SET", "y:1", 1],
    ["reader", "pushed"],
    on("BCAST", "PREFIX", "z:"),
    info,
    ["writer", "SET", "z:1", 2],
    ["reader", "pushed"],
    on("BCAST", "PREFIX", "x:1"),
    on("BCAST", "PREFIX", "a", "PREFIX", "ab"),
    on(),
  ],
  "REDIRECT to a subscriber in RESP2": [
    ["listener", "SUBSCRIBE", "__redis__:invalidate"],
    on("REDIRECT", "ID"),
    ...[info, ["reader", "CLIENT", "GETREDIR"]] as Step[],
    ["reader", "GET", "a"],
    ["reader", "HGETALL", "h"],
    ["writer", "SET", "a", 1],
    ["listener", "pushed"],
    ["writer", "HSET", "h", "f", 1],
    ["listener", "pushed"],
    ["reader", "HGETALL", "h"],
    three,
    ["reader", "HGETALL", "h"],
    ["writer", "HSET", "h", "f", 2],
    ["listener", "pushed"],
  ],
  "REDIRECT to a client of RESP3": [
    ["listener", "HELLO", 3],
    on("REDIRECT", "ID", "BCAST", "NOLOOP"),
    info,
    ["reader", "SET", "a", 1],
    ["writer", "SET", "b", 1],
    ["listener", "pushed"],
    ["listener", "PING"],
  ],
  "REDIRECT to a client that is gone": [
    three,
    on("REDIRECT", "ID"),
    ["reader", "GET", "a"],
    ["listener", "QUIT"],
    ["writer", "SET", "a", 1],
    ["reader", "pushed"],
    info,
  ],
  "switches of protocol and database": [
    on(),
    ["reader", "GET", "a"],
    three,
    ["writer", "SET", "a", 1],
    ["reader", "pushed"],
    ["reader", "SELECT", 3],
    ["reader", "GET", "a"],
    ["writer", "SELECT", 3],
    ["writer", "SET", "a", 1],
    ["reader", "pushed"],
    ["reader", "GET", "a"],
    ["reader", "RESET"],
    ["writer", "SET", "a", 2],
    ["reader", "PING"],
    info,
  ],
  "what is wrong": [
    on("REDIRECT", 999_999),
    on("REDIRECT", "x"),
    on("REDIRECT", "ID", "REDIRECT", "ID"),
    on("PREFIX", "a"),
    on("PREFIX"),
    on("BCAST", "OPTIN"),
    on("OPTIN", "OPTOUT"),
    on("NONSENSE"),
    ["reader", "CLIENT", "TRACKING"],
    ["reader", "CLIENT", "TRACKING", "PERHAPS"],
    ["reader", "CLIENT", "CACHING", "YES"],
    ["reader", "CLIENT", "GETREDIR"],
    on(),
    ["reader", "CLIENT", "CACHING", "YES"],
    ["reader", "CLIENT", "CACHING", "NO"],
    ["reader", "CLIENT", "CACHING", "X"],
    info,
  ],
  "FLUSHALL": [
    ...[three, on()],
    ["reader", "MGET", "a", "b", "c", "d", "e"],
    ["writer", "FLUSHALL"],
    ["reader", "pushed"],
    ["reader", "PING"],
  ],
};

Deno.test("FLUSHALL is told once to who asks for nothing meanwhile, and else once for each master", async () => {
  await using servers = await RedisServer.startMany(3);
  await using proxy = await RouterServer.start({ servers });
  using writer = await RespClient.connect(proxy.port);
  for (
    const [options, isOwn, count] of [
      [[], false, 1],
      [[], true, 3],
      [["BCAST"], false, 3],
      [["BCAST"], true, 3],
    ] as const
  ) {
    using reader = await RespClient.connect(proxy.port);
    await reader.call("HELLO", 3);
    await reader.call("CLIENT", "TRACKING", "ON", ...options);
    await reader.pipeline([0, 1, 2].map((i) => ["GET", keyOn(i, 3)]));
    if (isOwn) assertEquals(await reader.call("FLUSHALL"), "OK");
    else await writer.call("FLUSHALL");
    // Of every master that is there when this is answered.
    await reader.send("PING");
    const messages: string[] = [];
    while (messages.at(-1) !== "+PONG\r\n") {
      messages.push(utf8.decode((await reader.read()).raw));
    }
    const invalidated = ">2\r\n$10\r\ninvalidate\r\n_\r\n";
    assertEquals(messages.slice(0, -1), Array(count).fill(invalidated), `${options} ${isOwn}`);
  }
});

Deno.test("what is read over another link is told of at once, behind the reply", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using reader = await RespClient.connect(proxy.port);
  const invalid = /^>2\r\n\$10\r\ninvalidate\r\n\*1\r\n\$1\r\ns\r\n$/;
  await reader.pipeline([["HELLO", 3], ["CLIENT", "TRACKING", "ON"], [
    "XADD",
    "s",
    "1-1",
    "f",
    "v",
  ]]);
  for (
    const requests of [
      [["WATCH", "s"], ["MULTI"], ["XLEN", "s"], ["EXEC"]],
      [["XREAD", "BLOCK", 1_000, "STREAMS", "s", "0"]],
    ]
  ) {
    const replies = await reader.pipeline(requests);
    assertMatch(utf8.decode(replies.at(-1)!.raw), /^\*1\r\n:1\r\n$|^%1\r\n\$1\r\ns\r\n/);
    assertMatch(utf8.decode((await reader.read()).raw), invalid);
  }
  assertEquals(await reader.call("PING"), "PONG");
});

Deno.test("what a tracking client has asked before it left is executed", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using other = await RespClient.connect(proxy.port);
  for (let round = 0; round < 20; round++) {
    const leaving = await RespClient.connect(proxy.port);
    await leaving.call("CLIENT", "TRACKING", "ON");
    await leaving.call("MGET", "a", "b", "c", "d"); // its connections are open
    await leaving.sendRaw(encodeRequests(["a", "b", "c", "d"].map((key) => ["INCR", key])));
    leaving.close();
  }
  await delay(100);
  assertEquals(await other.call("MGET", "a", "b", "c", "d"), ["20", "20", "20", "20"]);
  for (const server of servers) {
    using client = await RespClient.connect(server.port);
    const list = String(await client.call("CLIENT", "LIST"));
    assertEquals(list.match(/flags=\w*t/g), null, list);
  }
});

Deno.test("client-side caching: the bytes are those of one redis-server", async (t) => {
  await using redis = await RedisServer.start();
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  for (const [name, steps] of Object.entries(CASES)) {
    await t.step(name, async () => {
      assertEquals(await run(proxy.port, steps), await run(redis.port, steps));
    });
  }
  assertEquals(proxy.leftovers(), []);
  assertEquals(proxy.router.shared.trackers.size, 0);
});
