/**
 * Publish and subscribe of the client libraries people use, with the options they come with, through two
 * servers whose slots move.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RouterServer, slotFill, slotOf } from "../../support/router_server.ts";

const CHANNEL = "room:1";

/** A library's client that subscribes: what it got, as `channel text`. */
interface Subscribing extends AsyncDisposable {
  readonly got: string[];
  unsubscribe(): Promise<unknown>;
  ping(): Promise<unknown>;
}

type Subscribe = (port: number) => Promise<Subscribing>;

/** Subscribes to a channel and a pattern. */
function ioredis(options: { protocol?: 2 | 3 }): Subscribe {
  return async (port) => {
    const client = new Redis({ port, host: "127.0.0.1", retryStrategy: null, ...options });
    client.on("error", () => {});
    const got: string[] = [];
    client.on("message", (channel, text) => got.push(`${channel} ${text}`));
    client.on("pmessage", (_pattern, channel, text) => got.push(`${channel} ${text}`));
    assertEquals(await client.subscribe(CHANNEL), 1);
    assertEquals(await client.psubscribe("user:*"), 2);
    return {
      got,
      unsubscribe: async () => {
        await client.unsubscribe(CHANNEL);
        await client.punsubscribe();
      },
      ping: () => client.ping(),
      [Symbol.asyncDispose]: async () => void await client.quit(),
    };
  };
}

function nodeRedis(options: { RESP?: 2 | 3 }): Subscribe {
  return async (port) => {
    const client = createClient({ socket: { port, host: "127.0.0.1" }, ...options });
    client.on("error", () => {});
    await client.connect();
    const got: string[] = [];
    const take = (text: string, channel: string) => void got.push(`${channel} ${text}`);
    await client.subscribe(CHANNEL, take);
    await client.pSubscribe("user:*", take);
    return {
      got,
      unsubscribe: async () => {
        await client.unsubscribe(CHANNEL);
        await client.pUnsubscribe();
      },
      ping: () => client.ping(),
      [Symbol.asyncDispose]: async () => void await client.close(),
    };
  };
}

const LIBRARIES: Readonly<Record<string, Subscribe>> = {
  "ioredis": ioredis({}),
  "ioredis, RESP2": ioredis({ protocol: 2 }),
  "node-redis": nodeRedis({}),
  "node-redis, RESP2": nodeRedis({ RESP: 2 }),
};

for (const [name, subscribe] of Object.entries(LIBRARIES)) {
  Deno.test(`${name} gets each message once, also from a slot that has moved`, async () => {
    await using servers = await RedisServer.startMany(2);
    await using proxy = await RouterServer.start({ servers });
    using publisher = await proxy.client();
    {
      await using subscriber = await subscribe(proxy.port);
      const sent: string[] = [];
      for (const server of [...servers, ...servers]) {
        const { slots } = proxy.router.shared;
        await slots.fillSlot(slotFill(slotOf(CHANNEL), server.addr));
        for (const channel of [CHANNEL, "user:7", "user:{9}"]) {
          sent.push(`${channel} ${sent.length}`);
          const count = await publisher.call("PUBLISH", channel, `${sent.length - 1}`);
          assertEquals(count, 1);
        }
      }
      await until(() => subscriber.got.length === sent.length);
      assertEquals(subscriber.got.toSorted(), sent.toSorted());
      const inRoom = (line: string) => line.startsWith(CHANNEL);
      assertEquals(subscriber.got.filter(inRoom), sent.filter(inRoom));
      await subscriber.ping();
      await subscriber.unsubscribe();
      assertEquals(await publisher.call("PUBLISH", CHANNEL, "nobody"), 0);
      await subscriber.ping();
    }
    await until(() => proxy.router.shared.subscribers.size === 0);
  });
}
