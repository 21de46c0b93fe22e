/**
 * Clients of a Redis Cluster that people use, unchanged, with the proxies as its nodes.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Cluster } from "ioredis";
import { createCluster } from "redis";
import { ProxyCluster } from "./proxy_cluster.ts";

const KEYS = 300;

async function ioredis({ host, proxies }: ProxyCluster): Promise<void> {
  const client = new Cluster([{ host, port: proxies[0]!.port }]);
  const subscriber = new Cluster([{ host, port: proxies[1]!.port }]);
  try {
    const keys = Array.from({ length: KEYS }, (_, i) => `io:${i}`);
    await Promise.all(keys.map((key, i) => client.set(key, i)));
    assertEquals(await Promise.all(keys.map((key) => client.get(key))), keys.map((_, i) => `${i}`));
    const ports = client.nodes("master").map(({ options }) => options.port!);
    assertEquals(ports.toSorted(), proxies.map(({ port }) => port).toSorted());
    const piped = await client.pipeline().set("{io}a", 1).incr("{io}a").exec();
    assertEquals(piped, [[null, "OK"], [null, 2]]);
    await client.mset("{io}b", 3, "{io}c", 4);
    assertEquals(await client.mget("{io}a", "{io}b", "{io}c"), ["2", "3", "4"]);
    assertEquals(await client.multi().incr("{io}a").get("{io}b").exec(), [[null, 3], [null, "3"]]);
    const heard = Promise.withResolvers<string>();
    subscriber.on("message", (channel, text) => heard.resolve(`${channel} ${text}`));
    await subscriber.subscribe("io:news");
    assertEquals(await client.publish("io:news", "hello"), 1);
    assertEquals(await heard.promise, "io:news hello");
    const found = new Set<string>();
    for await (const some of client.nodes("master")[0]!.scanStream({ match: "io:*", count: 100 })) {
      for (const key of some) found.add(key);
    }
    assertEquals(found.size, KEYS);
  } finally {
    client.disconnect();
    subscriber.disconnect();
  }
}

async function nodeRedis({ host, proxies }: ProxyCluster): Promise<void> {
  const client = createCluster({ rootNodes: [{ url: `redis://${host}:${proxies[0]!.port}` }] });
  client.on("error", () => {});
  await client.connect();
  try {
    const keys = Array.from({ length: KEYS }, (_, i) => `node:${i}`);
    await Promise.all(keys.map((key, i) => client.set(key, i)));
    assertEquals(await Promise.all(keys.map((key) => client.get(key))), keys.map((_, i) => `${i}`));
    assertEquals(client.masters.length, proxies.length);
    await client.mSet({ "{node}a": "1", "{node}b": "2" });
    assertEquals(await client.mGet(["{node}a", "{node}b"]), ["1", "2"]);
    const both = await client.multi().incr("{node}a").get("{node}b").exec();
    assertEquals(both as unknown[], [2, "2"]);
    const heard = Promise.withResolvers<string>();
    await client.subscribe("node:news", heard.resolve);
    assertEquals(await client.publish("node:news", "hello"), 1);
    assertEquals(await heard.promise, "hello");
    const heardOfShard = Promise.withResolvers<string>();
    await client.sSubscribe("node:shard", heardOfShard.resolve);
    assertEquals(await client.sPublish("node:shard", "hello"), 1);
    assertEquals(await heardOfShard.promise, "hello");
    const found = new Set<string>();
    const node = await client.nodeClient(client.masters[1]!);
    for await (const some of node.scanIterator({ MATCH: "node:*", COUNT: 100 })) {
      for (const key of some) found.add(key);
    }
    assertEquals(found.size, KEYS);
  } finally {
    await client.close();
  }
}

async function redisPy({ host, proxies }: ProxyCluster): Promise<void> {
  const program = new URL("redis_py.py", import.meta.url).pathname;
  const { stdout, stderr } = await new Deno.Command("/usr/bin/python3", {
    args: ["-B", program, host, `${proxies[1]!.port}`],
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(err, "");
  assertEquals(JSON.parse(out!), {
    nodes: proxies.map(({ port }) => port).sort((a, b) => a - b),
    total: 300 * 299 / 2,
    piped: new Array(20).fill(1),
    together: ["1", "2"],
    apart: ["1", "2", "3"],
    deleted: 3,
    message: "hello",
    scanned: 300 - 3 + 20,
    script: "1",
    state: "ok",
    slot: true,
  });
}

Deno.test("clients of a Redis Cluster find the proxies, and spread their requests over them", async (t) => {
  await using cluster = await ProxyCluster.start(2);
  for (
    const [name, use] of Object.entries({ ioredis, "node-redis": nodeRedis, "redis-py": redisPy })
  ) {
    await t.step(name, async () => {
      const before = await cluster.requests();
      await use(cluster);
      const after = await cluster.requests();
      const requests = after.map((count, i) => count - before[i]!);
      const sum = requests.reduce((a, b) => a + b);
      assert(requests.every((count) => count > 0.35 * sum), `${requests}`);
    });
  }
});
