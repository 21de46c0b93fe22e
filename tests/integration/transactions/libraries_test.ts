/**
 * Transactions of node-redis and ioredis, with their defaults.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { createClient, WatchError } from "redis";
import { RedisServer } from "../../support/redis_server.ts";
import { RouterServer } from "../../support/router_server.ts";

Deno.test("ioredis: multi, watch, an error in the middle, and a pipeline within", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const client = new Redis(proxy.port);
  const other = new Redis(proxy.port);
  try {
    assertEquals(await client.multi().set("{t}a", 1).incr("{t}a").get("{t}a").exec(), [
      [null, "OK"],
      [null, 2],
      [null, "2"],
    ]);
    const [first, second] = (await client.multi().lpush("{t}a", 1).incr("{t}a").exec())!;
    assertEquals([first![0]?.message.slice(0, 9), second], ["WRONGTYPE", [null, 3]]);
    await client.watch("{t}a");
    await other.set("{t}a", 7);
    assertEquals(await client.multi().set("{t}a", 8).exec(), null);
    await client.multi({ pipeline: false });
    await client.set("{t}b", 1);
    assertEquals(await client.exec(), [[null, "OK"]]);
    await assertRejects(() => client.multi().set("x", 1).set("y", 1).exec(), Error, "CROSSSLOT");
  } finally {
    client.disconnect();
    other.disconnect();
  }
});

Deno.test("node-redis: multi and watch, in RESP3", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const client = createClient({ url: `redis://127.0.0.1:${proxy.port}` });
  await client.connect();
  try {
    const replies = await client.multi().set("{t}a", "1").incr("{t}a").hSet("{t}h", "f", "v")
      .hGetAll("{t}h").exec();
    assertEquals(replies.map((reply) => ({ ...Object(reply) }.f ?? reply)), ["OK", 2, 1, "v"]);
    await client.watch("{t}a");
    await client.incr("{t}a");
    await assertRejects(() => client.multi().set("{t}a", "9").exec(), WatchError);
    await client.watch("{t}a");
    assertEquals<unknown>(await client.multi().get("{t}a").exec(), ["3"]);
  } finally {
    client.destroy();
  }
});
