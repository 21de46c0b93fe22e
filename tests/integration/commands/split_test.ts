/**
 * Commands of many keys that live on many servers: the client sees one Redis.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { chance } from "../../support/fuzz.ts";
import { textOf } from "../../support/pieces.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

function assertError(reply: RespValue, text: RegExp): void {
  assert(reply instanceof ReplyError, `an error was expected, not ${reply}`);
  assertMatch(reply.message, text);
}

/** Sends the same requests both ways and asserts that the same bytes come back. */
async function assertSame(proxy: RespClient, redis: RespClient, requests: Word[][]): Promise<void> {
  const [ours, theirs] = [await proxy.pipeline(requests), await redis.pipeline(requests)];
  for (const [i, request] of requests.entries()) {
    const what = request.slice(0, 8).join(" ");
    assertEquals(textOf(ours[i]!.raw), textOf(theirs[i]!.raw), `request ${i}: ${what}`);
  }
}

for (const protocol of [2, 3]) {
  Deno.test(`MGET, MSET, DEL, UNLINK, EXISTS and TOUCH over three servers answer as one redis-server (RESP${protocol})`, async () => {
    await using servers = await RedisServer.startMany(3);
    await using single = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers });
    using client = await proxy.client();
    using direct = await single.client();
    for (const one of [client, direct]) await one.call("HELLO", protocol);
    const random = chance(21);
    const key = () => `key${Math.floor(random() * 300)}`;
    const keys = (count: number) => Array.from({ length: count }, key);
    const requests: Word[][] = [["LPUSH", "key7", "no string"]];
    for (let i = 0; i < 400; i++) {
      const count = 1 + Math.floor(random() ** 4 * 200);
      const pairs = keys(count).flatMap((name) => [name, `v${i}`]);
      requests.push(["mset", ...pairs], ["MGET", ...keys(count)], ["EXISTS", ...keys(count)]);
      requests.push(["Touch", ...keys(count)], ["DEL", ...keys(count >> 2 || 1)]);
      requests.push(["UNLINK", ...keys(count >> 3 || 1)], ["SET", key(), i], ["GET", key()]);
    }
    await assertSame(client, direct, requests);
    assertEquals(proxy.leftovers(), []);
  });
}

Deno.test("a split command may have 100 000 keys, and the order is theirs", async () => {
  await using servers = await RedisServer.startMany(3);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const keys = Array.from({ length: 100_000 }, (_, i) => `key:${i}`);
  const pairs = keys.flatMap((key, i) => [key, `${i}`]);
  const replies = await client.pipeline([
    ["MSET", ...pairs],
    ["MGET", ...keys],
    ["EXISTS", ...keys, "nothing"],
    ["TOUCH", ...keys, ...keys],
    ["DEL", ...keys.slice(1)],
    ["MGET", ...keys.slice(0, 3)],
  ]);
  assertEquals(replies[0]!.value, "OK");
  const values = replies[1]!.value as string[];
  assertEquals(values.length, 100_000);
  assert(values.every((value, i) => value === `${i}`));
  assertEquals(replies.slice(2, 5).map(({ value }) => value), [100_000, 200_000, 99_999]);
  assertEquals(replies[5]!.value, ["0", null, null]);
});

Deno.test("a key that is named more than once counts as often as in redis-server", async () => {
  await using servers = await RedisServer.startMany(2);
  await using single = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  using direct = await single.client();
  const [a, b] = [keyOn(0, 2), keyOn(1, 2)];
  await assertSame(client, direct, [
    ["MSET", a, 1, b, 2, a, 3, b, 4, a, 5],
    ["MGET", a, b, a, a, b, "nothing", a],
    ["EXISTS", a, a, b, b, b],
    ["TOUCH", b, a, b],
    ["DEL", a, b, a, b, a],
    ["EXISTS", a, b],
  ]);
});

Deno.test("a split command goes to each server once, not once for each key", async () => {
  const script = (words: string[]) =>
    words[0] === "MGET"
      ? `*${words.length - 1}\r\n${"$-1\r\n".repeat(words.length - 1)}`
      : answerNothing(words);
  await using first = new FakeRedis(script);
  await using second = new FakeRedis(script);
  await using proxy = await RouterServer.start({ servers: [first, second] });
  using client = await proxy.client();
  const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
  assertEquals(await client.call("MGET", ...keys), keys.map(() => null));
  const asked = [first, second].map(({ received }) => received.filter(([name]) => name === "MGET"));
  assertEquals(asked.map((requests) => requests.length), [1, 1]);
  const sent = asked.flatMap(([words]) => words!.slice(1));
  assertEquals(sent.sort(), [...keys].sort());
});

Deno.test("split commands and others of one client on the same key keep their order", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const [a, b] = [keyOn(0, 2), keyOn(1, 2)];
  const requests: Word[][] = [];
  const expected: RespValue[] = [];
  for (let i = 0; i < 200; i++) {
    requests.push(["SET", a, i], ["MSET", b, i, a, i + 1], ["GET", a], ["MGET", a, b]);
    requests.push(["DEL", a, b], ["EXISTS", b]);
    expected.push("OK", "OK", `${i + 1}`, [`${i + 1}`, `${i}`], 2, 0);
  }
  assertEquals((await client.pipeline(requests)).map(({ value }) => value), expected);
});

Deno.test("an error in one part is the answer, and the client stays connected", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const [a, b] = [keyOn(0, 2), keyOn(1, 2)];
  using direct = await servers[1]!.client();
  await direct.call("CONFIG", "SET", "maxmemory", "1");
  const replies = await client.pipeline([
    ["MSET", a, 1, b, 2],
    ["MGET", a, b],
    ["MSET", b, 2, a, 3],
    ["GET", a],
    ["DEL", a, b],
  ]);
  assertError(replies[0]!.value, /^OOM command not allowed/);
  assertEquals(replies[1]!.value, ["1", null]);
  assertError(replies[2]!.value, /^OOM command not allowed/);
  assertEquals(replies[3]!.value, "3");
  assertEquals(replies[4]!.value, 1);
});

Deno.test("a split command with a server down is answered with an error that names it", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const [a, b] = [keyOn(0, 2), keyOn(1, 2)];
  assertEquals(await client.call("MSET", a, 1, b, 2), "OK");
  await servers[1]!.kill();
  for (const request of [["MGET", a, b], ["MSET", a, 5, b, 5], ["DEL", a, b], ["EXISTS", b, a]]) {
    assertError(
      await client.call(...request),
      new RegExp(`backend conn failure, ${servers[1]!.addr}`),
    );
  }
  assertEquals(await client.call("MGET", a, `{${a}}2`), [null, null]);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a server that answers a part with something else makes an error, not a wrong reply", async () => {
  const lies: Record<string, string> = {
    MGET: "*1\r\n$1\r\nx\r\n",
    DEL: "+OK\r\n",
    EXISTS: "$1\r\n1\r\n",
    TOUCH: "*0\r\n",
  };
  await using liar = new FakeRedis((words) => lies[words[0]!] ?? answerNothing(words));
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis, liar] });
  using client = await proxy.client();
  const [a, b, c] = [keyOn(0, 2), keyOn(1, 2, "b"), keyOn(1, 2, "c")];
  for (const name of Object.keys(lies)) {
    assertError(await client.call(name, a, b, c), /^ERR handle response, unexpected reply/);
  }
  assertEquals(await client.call("GET", a), null);
});

Deno.test("values of megabytes come back in the order of their keys", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const keys = Array.from({ length: 12 }, (_, i) => keyOn(i % 2, 2, `big${i}:`));
  for (const [i, key] of keys.entries()) {
    await client.call("SET", key, String.fromCharCode(97 + i).repeat(1_000_000 + i));
  }
  const values = await client.call("MGET", ...keys, "nothing") as string[];
  assertEquals(values.map((value) => value?.length ?? null), [
    ...keys.map((_, i) => 1_000_000 + i),
    null,
  ]);
  assertEquals(values.slice(0, 12).map((value) => value[999_999]), [..."abcdefghijkl"]);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("wrong counts of arguments are refused before anything is sent", async () => {
  await using fake = new FakeRedis();
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  for (const words of [["MSET", "a"], ["MSET", "a", "1", "b"], ["MGET"], ["DEL"]]) {
    const text = `ERR wrong number of arguments for '${words[0]!.toLowerCase()}' command`;
    assertEquals(await client.call(...words), new ReplyError(text));
  }
  assertEquals(fake.connectionCount, 0);
});
