/**
 * Publish and subscribe, byte for byte as one redis-server answers them, under RESP2 and RESP3.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient, type Word } from "../../support/resp_client.ts";
import { PushMessage, ReplyError } from "../../support/resp_value.ts";
import { textOf } from "../../support/pieces.ts";
import { RouterServer } from "../../support/router_server.ts";

/** A step of one client, and how many replies it has. */
type Step = readonly [replies: number, ...words: Word[]];

/** Each is sent to a fresh connection; what starts with `@` is sent by another one. */
const CASES: Readonly<Record<string, readonly Step[]>> = {
  "subscribe, a message, unsubscribe": [
    [1, "SUBSCRIBE", "a"],
    [2, "SUBSCRIBE", "a", "b"],
    [1, "@PUBLISH", "a", "hello"],
    [1, "@PUBLISH", "b", ""],
    [1, "@PUBLISH", "b", new Uint8Array([0, 13, 10, 255])],
    [3, "UNSUBSCRIBE", "b", "x", "a"],
    [0, "@PUBLISH", "a", "nobody"],
    [1, "GET", "k"],
  ],
  "names of channels are bytes": [
    [2, "SUBSCRIBE", new Uint8Array([255, 0, 10]), ""],
    [1, "@PUBLISH", new Uint8Array([255, 0, 10]), "bytes"],
    [1, "@PUBLISH", "", "empty"],
    [1, "UNSUBSCRIBE", ""],
    [1, "UNSUBSCRIBE"],
  ],
  "unsubscribe from nothing": [
    [1, "UNSUBSCRIBE"],
    [1, "PUNSUBSCRIBE"],
    [1, "SUNSUBSCRIBE"],
    [2, "UNSUBSCRIBE", "x", "y"],
    [1, "PUNSUBSCRIBE", "x*"],
    [1, "SUNSUBSCRIBE", "x"],
    [1, "PING"],
  ],
  "patterns and channels are counted together, shard channels alone": [
    [1, "SUBSCRIBE", "ch1"],
    [2, "PSUBSCRIBE", "ch*", "x?2"],
    [2, "SSUBSCRIBE", "s1", "s2"],
    [2, "@PUBLISH", "ch1", "1"],
    [1, "@PUBLISH", "xa2", "2"],
    [1, "@SPUBLISH", "s1", "3"],
    [0, "@SPUBLISH", "ch1", "4"],
    [0, "@PUBLISH", "s1", "5"],
    [1, "UNSUBSCRIBE", "ch1"],
    [1, "SUNSUBSCRIBE", "s2"],
    [1, "PUNSUBSCRIBE", "x?2"],
    [1, "PUNSUBSCRIBE"],
    [1, "SUNSUBSCRIBE"],
    [1, "PING"],
  ],
  "twice the same name in one command": [
    [3, "SUBSCRIBE", "a", "a", "b"],
    [1, "@PUBLISH", "a", "once"],
    [2, "UNSUBSCRIBE", "a", "a"],
    [3, "PSUBSCRIBE", "p*", "p*", "q*"],
    [1, "@PUBLISH", "pp", "once"],
  ],
  "what RESP2 allows meanwhile": [
    [1, "SUBSCRIBE", "a"],
    [1, "PING"],
    [1, "PING", "text"],
    [1, "GET", "k"],
    [1, "SET", "k", "v"],
    [1, "PUBLISH", "a", "x"],
    [1, "SELECT", "1"],
    [1, "HELLO", "3"],
    [1, "CLIENT", "GETNAME"],
    [1, "MULTI"],
    [1, "PUBSUB", "NUMPAT"],
    [1, "PING", "a", "b"],
    [1, "NOCOMMAND"],
    [1, "GET"],
    [1, "UNSUBSCRIBE"],
    [1, "SELECT", "0"],
  ],
  "RESET ends subscriptions": [
    [1, "SUBSCRIBE", "a"],
    [1, "PSUBSCRIBE", "a*"],
    [1, "RESET"],
    [0, "@PUBLISH", "a", "nobody"],
    [1, "PING"],
    [1, "UNSUBSCRIBE"],
  ],
  "RESP3: its own messages come before the replies that count them": [
    [1, "SUBSCRIBE", "a"],
    [1, "PSUBSCRIBE", "a*"],
    [1, "SSUBSCRIBE", "s"],
    ...Array.from({ length: 20 }, (_, i): Step => [3, "PUBLISH", "a", `${i}`]),
    [2, "PUBLISH", "ab", "x"],
    [1, "PUBLISH", "none", "x"],
    [2, "SPUBLISH", "s", "x"],
    [1, "GET", "k"],
  ],
  "in a transaction": [
    [1, "MULTI"],
    [1, "PING"],
    [1, "SSUBSCRIBE", "s"],
    [1, "SUBSCRIBE", "a"],
    [1, "PING"],
    [1, "UNSUBSCRIBE", "a"],
    [1, "PING", "text"],
    [1, "EXEC"],
    [1, "PING"],
    [1, "MULTI"],
    [1, "SSUBSCRIBE", "s"],
    [1, "EXEC"],
    [0, "@SPUBLISH", "s", "nobody"],
  ],
  "QUIT while subscribed": [[1, "SUBSCRIBE", "a"], [1, "QUIT"]],
  "wrong numbers of arguments": [
    [1, "SUBSCRIBE"],
    [1, "PSUBSCRIBE"],
    [1, "SSUBSCRIBE"],
    [1, "PUBLISH"],
    [1, "PUBLISH", "a"],
    [1, "PUBLISH", "a", "b", "c"],
    [1, "SPUBLISH", "a"],
    [1, "PUBSUB"],
    [1, "PUBSUB", "NOPE"],
    [1, "PUBSUB", "CHANNELS", "a", "b"],
    [1, "PUBSUB", "NUMPAT", "a"],
  ],
  "PUBSUB's answers": [
    [1, "PUBSUB", "CHANNELS"],
    [1, "PUBSUB", "NUMSUB"],
    [1, "PUBSUB", "NUMSUB", "a", "b"],
    [1, "PUBSUB", "NUMPAT"],
    [1, "PUBSUB", "SHARDCHANNELS"],
    [1, "PUBSUB", "SHARDNUMSUB", "a"],
    [1, "PUBSUB", "HELP"],
  ],
};

/** What a client gets for the steps, and what the other one does. */
async function run(port: number, steps: readonly Step[], protocol: 2 | 3): Promise<string[]> {
  using client = await RespClient.connect(port);
  using other = await RespClient.connect(port);
  if (protocol === 3) await client.call("HELLO", "3");
  const got: string[] = [];
  for (const [replies, ...words] of steps) {
    const [name, ...rest] = words;
    const isOther = String(name).startsWith("@");
    if (isOther) {
      got.push(`other: ${await other.call(String(name).slice(1), ...rest)}`);
    } else {
      await client.send(...words);
    }
    for (let i = 0; i < replies; i++) got.push(textOf((await client.read()).raw));
  }
  return got;
}

Deno.test("publish and subscribe answer byte for byte as redis-server", async () => {
  await using servers = await RedisServer.startMany(3);
  const [redis, ...behind] = servers;
  await using proxy = await RouterServer.start({ servers: behind });
  for (const [name, steps] of Object.entries(CASES)) {
    for (const protocol of [2, 3] as const) {
      if (protocol === 2 && name.includes("RESP3")) continue;
      // RESP3 lets a client go on: what it would get for these is tested elsewhere.
      if (protocol === 3 && name.includes("RESP2")) continue;
      const [direct, through] = [
        await run(redis!.port, steps, protocol),
        await run(proxy.port, steps, protocol),
      ];
      assertEquals(through, direct, `${name}, RESP${protocol}`);
    }
  }
});

Deno.test("between MULTI and EXEC, PUBLISH is a part of the transaction, but not behind SUBSCRIBE", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  using subscriber = await proxy.client();
  await subscriber.call("SUBSCRIBE", "c");
  assertEquals(await client.call("MULTI"), "OK");
  assertEquals(await client.call("PUBLISH", "c", "x"), "QUEUED");
  assertEquals(await client.call("SPUBLISH", "other", "x"), "QUEUED");
  assertEquals(await client.call("EXEC"), [1, 0]);
  assertEquals((await subscriber.read()).value, ["message", "c", "x"]);
  // It would be executed first, and the client not hear itself.
  await client.call("MULTI");
  assertEquals(await client.call("SUBSCRIBE", "c"), "QUEUED");
  const refused = await client.call("PUBLISH", "c", "y");
  assert(refused instanceof ReplyError && refused.message.includes("send it before them"));
  const aborted = await client.call("EXEC");
  assert(aborted instanceof ReplyError && aborted.message.startsWith("EXECABORT"));
  // A message that comes meanwhile does not get into EXEC's reply.
  await client.call("MULTI");
  const channels = Array.from({ length: 50 }, (_, i) => `c${i}`);
  for (const channel of channels) await client.call("SUBSCRIBE", channel);
  using publisher = await proxy.client();
  const exec = client.call("EXEC");
  const publishing = publisher.pipeline(channels.map(() => ["PUBLISH", "c0", "x"]));
  assertEquals(await exec, channels.map((channel, i) => ["subscribe", channel, i + 1]));
  const counts = (await publishing).map(({ value }) => value);
  for (const count of counts.filter((count) => count === 1)) {
    assertEquals((await client.read()).value, ["message", "c0", "x"], `${count}`);
  }
});

Deno.test("a client of RESP3 goes on while it subscribes; a large message arrives whole", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  using publisher = await proxy.client();
  await client.call("HELLO", "3");
  const replies = await client.pipeline([["SET", "k", "v"], ["SUBSCRIBE", "c"], ["GET", "k"]]);
  assertEquals(replies.map(({ raw }) => textOf(raw)), [
    "+OK\r\n",
    ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
    "$1\r\nv\r\n",
  ]);
  const text = "m".repeat(3_000_000);
  assertEquals(await publisher.call("PUBLISH", "c", text), 1);
  assertEquals((await client.read()).value, new PushMessage(["message", "c", text]));
  await client.send("CLIENT", "REPLY", "OFF");
  assertEquals(await client.call("SUBSCRIBE", "d"), new PushMessage(["subscribe", "d", 2]));
  assertEquals(await publisher.call("PUBLISH", "d", "y"), 1);
  assertEquals((await client.read()).value, new PushMessage(["message", "d", "y"]));
});
