/**
 * What is published after a SUBSCRIBE was sent, and before it was answered: as with one Redis, the subscriber
 * gets it, though it has to be connected to the servers first.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { within } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, type RespClient } from "../../support/resp_client.ts";
import type { RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const ROUNDS = 10;

/** Resolves when the proxy has read what a client has sent. */
async function wasRead(proxy: RouterServer, client: RespClient): Promise<void> {
  const session = proxy.sessionOf(client);
  while (session.lastCommand?.name.endsWith("subscribe") !== true) await delay(0);
}

/** Publishes while each of some new subscribers is not yet subscribed; returns who got nothing. */
async function missedBy(
  proxy: RouterServer,
  subscribe: (channel: string) => string[],
  publish: (publisher: RespClient, channel: string) => Promise<void>,
): Promise<string[]> {
  const publishers = await Promise.all(Array.from({ length: 4 }, () => proxy.client()));
  for (const each of publishers) await each.call("PING");
  const missed: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const channel = `early:${round}`;
    const subscriber = await proxy.client();
    await subscriber.call("PING");
    await subscriber.send(...subscribe(channel));
    await wasRead(proxy, subscriber);
    await publish(publishers[round % 4]!, channel);
    await subscriber.read();
    const message = await Promise.race([subscriber.read(), delay(1000)]);
    if (message === undefined) missed.push(channel);
    subscriber.close();
  }
  for (const each of publishers) each.close();
  return missed;
}

Deno.test("PUBLISH, also in a transaction, does not overtake a SUBSCRIBE that was read before", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const publish = async (client: RespClient, channel: string) => {
    assertEquals(await client.call("PUBLISH", channel, "x"), 1);
  };
  assertEquals(await missedBy(proxy, (channel) => ["SUBSCRIBE", channel], publish), []);
  assertEquals(await missedBy(proxy, () => ["PSUBSCRIBE", "early:*"], publish), []);
  const spublish = async (client: RespClient, channel: string) => {
    assertEquals(await client.call("SPUBLISH", channel, "x"), 1);
  };
  assertEquals(await missedBy(proxy, (channel) => ["SSUBSCRIBE", channel], spublish), []);
  const inTransaction = async (client: RespClient, channel: string) => {
    for (const words of [["MULTI"], ["SET", "key", "1"], ["PUBLISH", channel, "x"]]) {
      await client.call(...words);
    }
    assertEquals(await client.call("EXEC"), ["OK", 1]);
  };
  assertEquals(await missedBy(proxy, (channel) => ["SUBSCRIBE", channel], inTransaction), []);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("PUBLISH does not overtake the last of several SUBSCRIBEs and UNSUBSCRIBEs that were read before", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using publisher = await proxy.client();
  await publisher.call("PING");
  for (let round = 0; round < ROUNDS; round++) {
    using subscriber = await proxy.client();
    await subscriber.call("PING");
    const channel = `early:${round}`;
    // As Celery does, beside what it sends over other connections.
    const words = [["SUBSCRIBE", "first"], ["SUBSCRIBE", channel], ["UNSUBSCRIBE", channel]];
    await subscriber.sendRaw(encodeRequests([...words, ["SUBSCRIBE", channel]]));
    await wasRead(proxy, subscriber);
    assertEquals(await publisher.call("PUBLISH", channel, "x"), 1);
    const told: RespValue[] = [];
    for (let i = 0; i < 5; i++) {
      told.push((await within(subscriber.read(), 1_000, "the message")).value);
    }
    assertEquals(told, [
      ["subscribe", "first", 1],
      ["subscribe", channel, 2],
      ["unsubscribe", channel, 1],
      ["subscribe", channel, 2],
      ["message", channel, "x"],
    ]);
    const after = [["UNSUBSCRIBE", channel], ["UNSUBSCRIBE"], ["PING"], ["UNSUBSCRIBE"]];
    assertEquals((await subscriber.pipeline(after)).map(({ value }) => value), [
      ["unsubscribe", channel, 1],
      ["unsubscribe", "first", 0],
      "PONG",
      ["unsubscribe", null, 0],
    ]);
  }
  assertEquals(proxy.leftovers(), []);
});

Deno.test("PUBLISH waits until an UNSUBSCRIBE that was read before is in force at every master", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using publisher = await proxy.client();
  for (
    const [subscribe, unsubscribe, publish] of [
      ["SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH"],
      ["PSUBSCRIBE", "PUNSUBSCRIBE", "PUBLISH"],
      ["SSUBSCRIBE", "SUNSUBSCRIBE", "SPUBLISH"],
    ] as const
  ) {
    using subscriber = await proxy.client();
    const channel = keyOn(1, 2);
    await subscriber.call(subscribe, channel);
    assertEquals(await publisher.call(publish, channel, "x"), 1);
    await subscriber.read();
    servers[0]!.pause(); // the other one, not the channel's
    let count: RespValue | undefined;
    let published: Promise<void>;
    try {
      await subscriber.send(unsubscribe);
      const session = proxy.sessionOf(subscriber);
      while (session.lastCommand?.name !== unsubscribe.toLowerCase()) await delay(0);
      published = publisher.call(publish, channel, "x").then((reply) => void (count = reply));
      await delay(50);
      assertEquals(count, undefined, publish);
    } finally {
      servers[0]!.resume();
    }
    await published;
    assertEquals(count, 0);
    await subscriber.read();
  }
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a server that hangs holds up a PUBLISH no longer than backend_dial_timeout", async () => {
  await using servers = await RedisServer.startMany(2);
  const [a, b] = servers as unknown as [RedisServer, RedisServer];
  await using proxy = await RouterServer.start({
    servers: [b, a],
    options: { backendDialMs: 300 },
  });
  using subscriber = await proxy.client();
  using publisher = await proxy.client();
  assertEquals(await publisher.call("PUBLISH", "a", "x"), 0);
  a.pause();
  try {
    await subscriber.send("SUBSCRIBE", "a", "b", "c", "d", "e", "f", "g", "h");
    await wasRead(proxy, subscriber);
    const startMs = performance.now();
    const slots = proxy.router.shared.slots.all;
    const isOnB = (channel: string) =>
      slots[proxy.router.shared.slots.placement.slotIdOf(new TextEncoder().encode(channel), 0, 1)]!
        .server!.address === b.addr;
    const channel = [..."abcdefgh"].find(isOnB)!;
    await publisher.call("PUBLISH", channel, "x");
    const tookMs = performance.now() - startMs;
    assert(tookMs < 5_000, `${tookMs} ms`);
  } finally {
    a.resume();
  }
});
