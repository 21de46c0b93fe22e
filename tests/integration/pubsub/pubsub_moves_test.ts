/**
 * What subscribers are promised while slots and servers change: every message once, and the messages of one
 * publisher to one channel in order.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { PushMessage } from "../../support/resp_value.ts";
import { keyOn, RouterServer, slotFill, slotOf } from "../../support/router_server.ts";

const SLOTS = 1024;

/** Moves a range of slots from one server to another as a dashboard does: blocked, migrating, there. */
async function moveSlots(
  proxy: RouterServer,
  slotIds: readonly number[],
  from: { addr: string },
  to: { addr: string },
): Promise<void> {
  const fill = (addr: string, change = {}) =>
    Promise.all(
      slotIds.map((id) => proxy.router.shared.slots.fillSlot(slotFill(id, addr, change))),
    );
  await fill(from.addr, { isBlocked: true });
  await fill(to.addr, { migrateFromAddr: from.addr, migrateFromGroupId: 1, groupId: 2 });
  await fill(to.addr, { groupId: 2 });
}

/** Reads what a subscribed client gets, as `channel publisher number`, until it is closed. */
async function collect(client: RespClient, into: string[]): Promise<void> {
  try {
    for (;;) {
      const { value } = await client.read();
      const words = (value instanceof PushMessage ? value.items : value) as string[];
      if (words[0]?.endsWith("message")) into.push(words.slice(-2).join(" "));
    }
  } catch {
    // closed
  }
}

Deno.test("each message reaches each subscriber once and in order while all slots move to and fro", async () => {
  await using servers = await RedisServer.startMany(2);
  const [a, b] = servers as unknown as [RedisServer, RedisServer];
  await using proxy = await RouterServer.start({ servers: [a] });
  const channels = Array.from({ length: 50 }, (_, i) => `ch:${i}`);
  const received: string[][] = [];
  const subscribers: RespClient[] = [];
  for (let i = 0; i < 20; i++) {
    const client = await proxy.client();
    subscribers.push(client);
    if (i % 2 === 1) await client.call("HELLO", "3");
    if (i % 4 < 2) {
      await client.send("SUBSCRIBE", ...channels);
      for (const _ of channels) await client.read();
    } else {
      await client.call("PSUBSCRIBE", "ch:*");
    }
    received.push([]);
    collect(client, received.at(-1)!);
  }
  let isMoving = true;
  const counts: number[] = [];
  const publishers = Array.from({ length: 5 }, async (_, publisher) => {
    using client = await proxy.client();
    for (let n = 0; isMoving || n < 200; n++) {
      const channel = channels[(n * 7 + publisher) % channels.length]!;
      counts.push(await client.call("PUBLISH", channel, `${publisher} ${n}`) as number);
      if (n % 10 === 0) await delay(1);
    }
  });
  const all = Array.from({ length: SLOTS }, (_, id) => id);
  for (let round = 0; round < 8; round++) {
    await moveSlots(proxy, all, a, b);
    await moveSlots(proxy, all, b, a);
  }
  isMoving = false;
  await Promise.all(publishers);
  await until(() => received.every((got) => got.length >= counts.length));
  await delay(50);
  assertEquals(counts.filter((count) => count !== 20), [], "each PUBLISH counts each subscriber");
  for (const got of received) {
    assertEquals(got.length, counts.length);
    const last = new Map<string, number>();
    for (const line of got) {
      const [channel, publisher, number] = line.split(" ");
      const place = `${channel} ${publisher}`;
      assert(Number(number) > (last.get(place) ?? -1), `${line} after ${last.get(place)}`);
      last.set(place, Number(number));
    }
  }
  for (const client of subscribers) client.close();
});

Deno.test("what a script or a transaction publishes reaches subscribers once, wherever it is executed", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using subscriber = await proxy.client();
  using publisher = await proxy.client();
  await subscriber.call("SUBSCRIBE", "news");
  const got: string[] = [];
  const collecting = collect(subscriber, got);
  const keys = [keyOn(0, 2), keyOn(1, 2)];
  const script = "return redis.call('publish', 'news', ARGV[1])";
  const sent: string[] = [];
  for (let n = 0; n < 60; n++) {
    const key = keys[n % 2]!;
    sent.push(`news ${n}`);
    if (n % 3 === 0) assertEquals(await publisher.call("PUBLISH", "news", `${n}`), 1);
    else if (n % 3 === 1) assertEquals(await publisher.call("EVAL", script, 1, key, `${n}`), 1);
    else {
      await publisher.call("MULTI");
      await publisher.call("SET", key, `${n}`);
      await publisher.call("PUBLISH", "news", `${n}`);
      assertEquals(await publisher.call("EXEC"), ["OK", 1]);
    }
    // Whoever publishes at another server within a round trip is promised no order.
    if (n < 30) await until(() => got.length === sent.length);
  }
  await until(() => got.length === sent.length);
  assertEquals(got.slice(0, 30), sent.slice(0, 30));
  assertEquals(got.toSorted(), sent.toSorted());
  subscriber.close();
  await collecting;
});

Deno.test("a server that is new is subscribed at before it serves, one without slots is left", async () => {
  await using servers = await RedisServer.startMany(2);
  const [a, b] = servers as unknown as [RedisServer, RedisServer];
  await using proxy = await RouterServer.start({ servers: [a] });
  using subscriber = await proxy.client();
  await subscriber.call("SUBSCRIBE", "c");
  await subscriber.call("PSUBSCRIBE", "p*");
  using atB = await b.client();
  assertEquals(await atB.call("PUBSUB", "NUMSUB", "c"), ["c", 0]);
  const { slots } = proxy.router.shared;
  const blocked = slotFill(slotOf("c"), a.addr, { isBlocked: true, nextAddrs: [a.addr, b.addr] });
  await slots.fillSlot(blocked);
  assertEquals(await atB.call("PUBSUB", "NUMSUB", "c"), ["c", 1], "another proxy may be earlier");
  await slots.fillSlot(slotFill(slotOf("c"), a.addr));
  await until(async () => (await atB.call("PUBSUB", "NUMPAT")) === 0);
  await slots.fillSlot(slotFill(slotOf("c"), b.addr));
  assertEquals(await atB.call("PUBSUB", "NUMSUB", "c"), ["c", 1]);
  assertEquals(await atB.call("PUBSUB", "NUMPAT"), 1);
  await slots.fillSlot(slotFill(slotOf("c"), a.addr));
  await until(async () => (await atB.call("PUBSUB", "NUMPAT")) === 0);
});

Deno.test("keyspace events of every server reach a subscriber once, also while slots move", async () => {
  await using servers = await RedisServer.startMany(2, {
    args: ["--notify-keyspace-events", "KE$"],
  });
  const [a, b] = servers as unknown as [RedisServer, RedisServer];
  await using proxy = await RouterServer.start({ servers });
  using subscriber = await proxy.client();
  using writer = await proxy.client();
  const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
  await subscriber.send(
    "SUBSCRIBE",
    "__keyevent@0__:set",
    ...keys.map((k) => `__keyspace@0__:${k}`),
  );
  for (let i = 0; i <= keys.length; i++) await subscriber.read();
  const got: string[] = [];
  collect(subscriber, got);
  const upper = Array.from({ length: SLOTS / 2 }, (_, id) => id + SLOTS / 2);
  const moving = moveSlots(proxy, upper, b, a);
  for (const key of keys) await writer.call("SET", key, "v");
  await moving;
  for (const key of keys) await writer.call("SET", key, "v");
  await until(() => got.length >= 4 * keys.length);
  await delay(20);
  const expected = keys.flatMap((
    key,
  ) => [`__keyevent@0__:set ${key}`, `__keyspace@0__:${key} set`]);
  assertEquals(got.toSorted(), [...expected, ...expected].toSorted());
  assertEquals(await writer.call("PUBLISH", "__keyevent@0__:set", "mine"), 1);
  await until(() => got.at(-1) === "__keyevent@0__:set mine");
  subscriber.close();
});
