/**
 * CLUSTER and what goes with it, byte for byte as a real redis-server in a cluster answers.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

const REQUESTS = [
  ..."SLOTS|SHARDS|HELP|KEYSLOT {tag}key|KEYSLOT key|REPLICAS nobody|SLAVES x\x01y".split("|"),
  ..."COUNT-FAILURE-REPORTS nobody|NOTHING|KEYSLOT|SLOTS more|NODES more|MYID more".split("|"),
].map((words) => `CLUSTER ${words}`).concat("ASKING", "READONLY", "READWRITE", "SELECT 0");

async function bytesOf(client: RespClient, line: string): Promise<string> {
  await client.send(...line.split(" "));
  const { raw } = await client.read();
  return new TextDecoder("latin1").decode(raw);
}

/** A cluster of one node, which has all slots. */
async function startCluster(): Promise<RedisServer> {
  const redis = await RedisServer.start({
    args: ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"],
  });
  using client = await RespClient.connect(redis.port);
  await client.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  await until(async () => `${await client.call("CLUSTER", "INFO")}`.includes("cluster_state:ok"));
  return redis;
}

async function startProxy(redis: RedisServer): Promise<RouterServer> {
  const proxy = await RouterServer.start({ servers: [redis], options: { clusterMode: true } });
  const own = { id: "0123456789".repeat(4), host: "127.0.0.1", port: proxy.port, tlsPort: 0 };
  proxy.router.shared.cluster = { nodes: [own], own };
  return proxy;
}

Deno.test("CLUSTER in both protocols is answered as Redis does", async () => {
  await using cluster = await startCluster();
  await using redis = await RedisServer.start();
  await using proxy = await startProxy(redis);
  using real = await RespClient.connect(cluster.port);
  using ours = await proxy.client();
  const [{ id }] = [proxy.router.shared.cluster.own];
  const mask = (reply: string, port: number) =>
    reply.replaceAll(/[0-9a-f]{40}/g, "<id>").replaceAll(`${port + 10_000}`, "<bus>")
      .replaceAll(`${port}`, "<port>");
  for (const protocol of [2, 3]) {
    await real.call("HELLO", `${protocol}`);
    await ours.call("HELLO", `${protocol}`);
    // A lone node says no host before it has met another one.
    const realMasked = async (line: string) =>
      mask(await bytesOf(real, line), cluster.port).replaceAll("$0\r\n\r\n", "$9\r\n127.0.0.1\r\n");
    for (const line of REQUESTS) {
      assertEquals(mask(await bytesOf(ours, line), proxy.port), await realMasked(line), line);
    }
    const [nodes, realNodes] = [
      await bytesOf(ours, "CLUSTER NODES"),
      await bytesOf(real, "CLUSTER NODES"),
    ];
    const line = (host: string) =>
      new RegExp(`<id> ${host}:<port>@<bus> myself,master - 0 0 \\d connected 0-16383\\n`);
    assertMatch(mask(nodes, proxy.port), line("127.0.0.1"));
    assertMatch(mask(realNodes, cluster.port), line(""));
    assertEquals(await ours.call("CLUSTER", "MYID"), id);
    // Of Redis 7.2: ioredis, node-redis and redis-py have a function for it.
    assertEquals(await ours.call("CLUSTER", "MYSHARDID"), id);
    assertEquals(await ours.call("CLUSTER", "REPLICAS", id), []);
    assertEquals(await ours.call("CLUSTER", "COUNT-FAILURE-REPORTS", id), 0);
    const stateOf = (info: string) =>
      info.split("\r\n").filter((each) => /^cluster_(state|slots|known|size)/.test(each));
    const [info, realInfo] = [
      await bytesOf(ours, "CLUSTER INFO"),
      await bytesOf(real, "CLUSTER INFO"),
    ];
    assertEquals(stateOf(info), stateOf(realInfo));
    assertEquals(info[0], realInfo[0]);
  }
});

Deno.test("HELLO, INFO and a transaction say and answer that it is a cluster", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await startProxy(redis);
  using client = await proxy.client();
  assertMatch(await bytesOf(client, "HELLO 3"), /\$4\r\nmode\r\n\$7\r\ncluster\r\n/);
  assertMatch(await bytesOf(client, "INFO"), /redis_mode:cluster[^]*cluster_enabled:1/);
  await client.call("MULTI");
  assertEquals(await client.call("CLUSTER", "KEYSLOT", "a"), "QUEUED");
  assertEquals(await client.call("EXEC"), [15495]);
  // Databases stay: clients of a cluster never ask for one, all others go on as before.
  assertEquals(await client.call("SELECT", "1"), "OK");
});

Deno.test("who has asked for it is told where to go when the proxy lets its clients go, others are not", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await startProxy(redis);
  const { router } = proxy;
  using told = await proxy.client();
  using silent = await proxy.client();
  using untold = await proxy.client();
  using old = await proxy.client();
  await told.call("HELLO", "3");
  await untold.call("HELLO", "3");
  const asked = ["CLIENT", "MAINT_NOTIFICATIONS", "ON", "moving-endpoint-type", "internal-ip"];
  assertEquals(await told.call(...asked), "OK");
  await silent.call("HELLO", "3");
  assertEquals(await silent.call(...asked), "OK");
  await silent.send("CLIENT", "REPLY", "OFF"); // in Redis, too, it does not keep pushes away
  await old.call("HELLO", "3");
  assertEquals(await old.call(...asked), "OK");
  await old.call("HELLO", "2");
  const node = (id: string, host: string) => ({ id: id.repeat(40), host, port: 9000, tlsPort: 0 });
  const { own } = router.shared.cluster;
  const nodes = [node("a", "a"), node("b", "b")];
  router.setCluster({ nodes: [...nodes, own], own });
  router.setCluster({ nodes: [], own, leftAt: 6 });
  router.setCluster({ nodes, own, leftAt: 7 });
  const line = (text: string) => `$${text.length}\r\n${text}\r\n`;
  const part = (to: string, slots: string) =>
    `*3\r\n${line(`127.0.0.1:${proxy.port}`)}${line(to)}${line(slots)}`;
  for (const client of [told, silent]) {
    const { raw } = await client.read();
    assertEquals(
      new TextDecoder().decode(raw),
      `>3\r\n${line("SMIGRATED")}:7\r\n*2\r\n${part("a:9000", "0-8191")}${
        part("b:9000", "8192-16383")
      }`,
    );
  }
  // Whoever was told leaves by itself; the others go behind a reply.
  const left = router.leaveSessions(10_000);
  await until(async () => await untold.call("PING").then(() => false, () => true));
  assertEquals(await told.call("PING"), "PONG");
  assertEquals(await told.call("PING"), "PONG");
  await left;
  assertEquals(router.sessions.size, 0);
});

Deno.test("clients that speak TLS are told the ports of TLS", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await startProxy(redis);
  const node = (id: string, port: number, tlsPort: number) => ({
    ...{ id: id.repeat(40), host: "proxy", port, tlsPort },
  });
  proxy.router.shared.cluster = {
    nodes: [node("a", 9000, 9443), node("b", 9443, 9443), node("c", 9000, 0)],
    own: node("d", 9000, 0),
  };
  using client = await proxy.client();
  const ports = async () =>
    (await client.call("CLUSTER", "SLOTS") as [number, number, [string, number]][])
      .map(([, , [, port]]) => port);
  assertEquals(await ports(), [9000, 9443, 9000]);
  const [session] = proxy.router.sessions.values();
  Object.assign(session!, { isTls: true });
  assertEquals(await ports(), [9443, 9443, 9000]);
  const shards = await client.call("CLUSTER", "SHARDS") as unknown[][];
  const portsOf = (shard: unknown[]) => {
    const fields = (shard[3] as unknown[][])[0]!;
    return ["port", "tls-port"].map((name) => fields[fields.indexOf(name) + 1])
      .filter((_, i) => fields.includes(["port", "tls-port"][i]));
  };
  assertEquals(shards.map(portsOf), [[9000, 9443], [9443], [9000], [9000]]);
  // Who is not, or no longer, one to send clients to has no slot.
  assertEquals(shards[3]![1], []);
  assertMatch(
    `${await client.call("CLUSTER", "NODES")}`,
    /d{40} proxy:9000@19000 myself,master - 0 0 4 connected\n$/,
  );
});
