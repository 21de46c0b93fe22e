/**
 * What operators may rely on when a master dies: with `failover = auto` a replica takes over in time,
 * and it never does when only the dashboard has lost sight of the master.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { createFence, deleteFence } from "../../../src/store/fences.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";

const AFTER_MS = 1_000;

interface Event {
  readonly text: string;
}

async function events(dashboard: DashboardServer): Promise<string[]> {
  const { json } = await dashboard.get("/api/cluster");
  return json.events.map(({ text }: Event) => text);
}

Deno.test("a killed master is replaced in time, with every write that its replica had", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(3);
  const [master, replica, other] = servers.map(({ addr }) => addr) as [string, string, string];
  const store = await folder.openFilled(`${master},${other}`);
  await using dashboard = await DashboardServer.start(store, {
    failover: "auto",
    failoverAfterMs: AFTER_MS,
    failoverRejoin: false,
  });
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: replica, type: "slave" });
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  await dashboard.seesLinked(replica, master);

  // Keys of both groups, written all the time; what was acknowledged a moment before the kill and
  // reached the replica must be there afterwards.
  const acknowledged = new Map<string, number>();
  for (let i = 0; i < 2_000; i++) {
    assertEquals(await client.call("SET", `k${i}`, i), "OK");
    acknowledged.set(`k${i}`, i);
  }
  // WAIT is about what its own connection has written, and so about all that was written before.
  using toMaster = await servers[0]!.client();
  assertEquals(await toMaster.call("SET", "last", "1"), "OK");
  assertEquals(await toMaster.call("WAIT", 1, 10_000), 1);
  let isLoading = true;
  const load = (async () => {
    using loader = await proxy.client();
    for (let i = 0; isLoading; i++) await loader.call("SET", `load${i % 100}`, i);
  })();

  const began = performance.now();
  await servers[0]!.kill();
  await until(async () => {
    const [one, two] = [await client.call("SET", "k1", 1), await client.call("SET", "k7", 7)];
    return one === "OK" && two === "OK";
  }, AFTER_MS + 10_000);
  const tookMs = performance.now() - began;
  console.log(`served again ${Math.round(tookMs)} ms after the kill`);
  isLoading = false;
  await load;
  assertLess(tookMs, AFTER_MS + 2_000);
  assert(tookMs >= AFTER_MS - 50, "not before its time");
  for (const [key, value] of acknowledged) {
    assertEquals(await client.call("GET", key), `${value}`);
  }
  const group = (await dashboard.get("/api/server_group/1")).json;
  assertEquals(
    Object.fromEntries(
      group.servers.map(({ addr, type }: { addr: string; type: string }) => [addr, type]),
    ),
    { [master]: "offline", [replica]: "master" },
  );
  assert((await events(dashboard)).some((text) => /promoting .* which has \d+ bytes/.test(text)));
  assertEquals(await client.call("SET", "after", "1"), "OK");
});

Deno.test("a master that only the dashboard cannot see stays master", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  await using relay = TcpRelay.start(servers[0]!.port);
  const [master, replica] = servers.map(({ addr }) => addr) as [string, string];
  const store = await folder.openFilled(master);
  // The dashboard reaches the master through a relay; all others directly.
  await using dashboard = await DashboardServer.start(store, {
    failover: "auto",
    failoverAfterMs: 1_000,
    via: (addr) => addr === master ? `127.0.0.1:${relay.port}` : addr,
  });
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: replica, type: "slave" });
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  assertEquals(await client.call("SET", "a", "1"), "OK");
  relay.stall();
  await until(
    async () => (await events(dashboard)).some((text) => /no failover/.test(text)),
    15_000,
  );
  const said = (await events(dashboard)).filter((text) => /no failover/.test(text));
  assertMatch(said[0]!, /does not answer this dashboard: no failover.*1 of 1 proxy can reach it/);
  await delay(2_000);
  const { servers: stored } = (await dashboard.get("/api/server_group/1")).json;
  assertEquals(
    stored.find(({ type }: { type: string }) => type === "master").addr,
    master,
  );
  assertEquals((await events(dashboard)).filter((text) => /no failover/.test(text)).length, 1);
  relay.resume();
  await until(async () => (await events(dashboard)).some((text) => /answers again/.test(text)));
});

Deno.test("without a replica, or with a proxy that cannot be reached, nothing is promoted and the reason is reported", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(3);
  const [lone, master, replica] = servers.map(({ addr }) => addr) as [string, string, string];
  const store = await folder.openFilled(`${lone},${master}`);
  await using dashboard = await DashboardServer.start(store, {
    failover: "auto",
    failoverAfterMs: 500,
  });
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  await dashboard.done("PUT", "/api/server_group/2/addServer", { addr: replica, type: "slave" });
  await dashboard.seesLinked(replica, master);
  using client = await proxy.client();
  assertEquals(await client.call("MSET", "a", "1", "bar", "2"), "OK"); // one key in each group
  await createFence(store, "crashed:9000");
  await servers[0]!.kill();
  await servers[1]!.kill();
  await client.call("MSET", "a", "1", "bar", "2");
  await until(async () => {
    const said = await events(dashboard);
    return said.some((text) =>
      /group 1: the master .* does not answer: .*the group has no replica/.test(text)
    ) &&
      said.some((text) => /group 2: .*no failover.*Some proxies .*: crashed:9000/.test(text));
  });
  const ofLone = (await events(dashboard)).filter((text) => text.includes(lone));
  assertEquals(ofLone.length, 1, ofLone.join("\n"));
  for (const [groupId, addr] of [[1, lone], [2, master]] as const) {
    const { servers: stored } = (await dashboard.get(`/api/server_group/${groupId}`)).json;
    const masters = stored.filter(({ type }: { type: string }) => type === "master");
    assertEquals(masters.map((server: { addr: string }) => server.addr), [addr]);
  }
  // Once it can be told, the replica takes over.
  await deleteFence(store, "crashed:9000");
  await until(async () => await client.call("SET", "a", "2") === "OK", 10_000);
});

Deno.test("a replica takes the place of a lost master only if it has had its first sync", async () => {
  await using folder = await StoreFolder.make();
  // First syncs begin when the test lets them.
  const args = ["--repl-diskless-sync-delay", "600", "--appendonly", "yes"];
  await using servers = await RedisServer.startMany(2, { args });
  const [master, replica] = servers.map(({ addr }) => addr) as [string, string];
  const store = await folder.openFilled(master);
  await using dashboard = await DashboardServer.start(store, {
    failover: "auto",
    failoverAfterMs: 500,
  });
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  assertEquals(await client.call("SET", "kept", "1"), "OK");
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: replica, type: "slave" });
  await servers[0]!.kill();
  await until(async () => {
    const said = await events(dashboard);
    return said.some((text) =>
      text.includes(`${replica} is not known to have synced with ${master}`)
    ) &&
      said.some((text) => text.includes("start it again: no replica with its data answers"));
  });
  await servers[0]!.restart();
  await until(async () => await client.call("GET", "kept") === "1", 10_000);
  {
    using direct = await servers[0]!.client();
    await direct.call("CONFIG", "SET", "repl-diskless-sync-delay", "0");
  }
  await dashboard.seesLinked(replica, master);
  await servers[0]!.kill();
  await until(async () => await client.call("SET", "next", "2") === "OK", 10_000);
  assertEquals(await client.call("GET", "kept"), "1");
});
