/**
 * A promotion that an operator asks for, with three real sentinels: none of them undoes it.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { SentinelsView } from "../../../src/api/cluster_view.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { say } from "../../support/replica_group.ts";
import { SentinelServer } from "../../support/sentinel_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** Whether all sentinels answer, and name one address as the master of group 1. */
async function doAllSay(dashboard: DashboardServer, addr: string): Promise<boolean> {
  const view: SentinelsView = (await dashboard.get("/api/sentinels")).json;
  return !view.out_of_sync &&
    view.servers.every(({ masters }) => masters[0]?.addr === addr && masters[0].replicas === 1);
}

async function masterIn(dashboard: DashboardServer): Promise<string> {
  const { servers } = (await dashboard.get("/api/server_group/1")).json;
  return servers.find(({ type }: { type: string }) => type === "master").addr;
}

Deno.test("sentinels do not undo a promotion, also not one that slept", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  await using sentinels = await SentinelServer.startMany(3);
  const [first, second] = servers.map(({ addr }) => addr) as [string, string];
  const store = await folder.openFilled(first);
  await using dashboard = await DashboardServer.start(store);
  const promote = (addr: string, force = false) =>
    dashboard.ask("POST", "/api/server_group/1/promote", { group_id: 1, addr, force });
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: second, type: "slave" });
  for (const { addr } of sentinels) await dashboard.done("POST", "/api/sentinels", { addr });
  await until(() => doAllSay(dashboard, first));
  // By a failover of Sentinel's own, so that it has a config epoch that it believes in.
  using sentinel = await sentinels[0]!.client();
  // It must have heard lately that the replica is a good one.
  await until(async () => await sentinel.call("SENTINEL", "FAILOVER", "test-1") === "OK", 15_000);
  await until(() => doAllSay(dashboard, second), 15_000);
  await until(async () => await masterIn(dashboard) === second);
  await say(servers[0]!, "REPLICAOF", "127.0.0.1", servers[1]!.port);

  const { status, text } = await promote(first);
  assertEquals([status, text], [200, '{"msg":"OK","ret":0}']);
  await until(() => doAllSay(dashboard, first));

  sentinels[2]!.pause();
  await until(async () => {
    const { servers } = (await dashboard.get("/api/sentinels")).json as SentinelsView;
    return servers[2]!.is_reachable === false;
  });
  const refused = await promote(second);
  assertEquals(refused.status, 500);
  assertMatch(
    refused.json.error,
    /^sentinel \S+ does not answer, and would undo this when it comes back/,
  );
  const reachable = async () => {
    const { servers } = (await dashboard.get("/api/sentinels")).json as SentinelsView;
    return servers.filter(({ is_reachable }) => is_reachable).length;
  };
  sentinels[1]!.pause();
  await until(async () => await reachable() === 1);
  assertMatch(
    (await promote(second)).json.error,
    /^sentinels \S+, \S+ do not answer, and would undo this when they come back: start them, remove them/,
  );
  sentinels[1]!.resume();
  await until(async () => await reachable() === 2);
  assertEquals((await promote(second, true)).status, 200);
  sentinels[2]!.resume();
  await until(() => doAllSay(dashboard, second), 15_000);
  assertEquals(await masterIn(dashboard), second);
  assertMatch(`${await say(servers[1]!, "ROLE")}`, /^master/);
});

Deno.test("a sentinel that has replaced a master before it is added is followed, and not told of the old one", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  await using sentinel = await SentinelServer.start();
  const [first, second] = servers.map(({ addr }) => addr) as [string, string];
  await using dashboard = await DashboardServer.start(await folder.openFilled(first));
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: second, type: "slave" });
  using client = await sentinel.client();
  // As Codis 3.x's dashboard had it watch the same group, by the same name.
  await client.call("SENTINEL", "MONITOR", "test-1", "127.0.0.1", servers[0]!.port, 1);
  await until(async () => await client.call("SENTINEL", "FAILOVER", "test-1") === "OK", 15_000);
  const named = async () => `${await client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "test-1")}`;
  const now = `127.0.0.1,${servers[1]!.port}`;
  await until(async () => await named() === now, 15_000);

  // Refused for now while it still has replicas follow the new master, and done a little later.
  await dashboard.ask("POST", "/api/sentinels", { addr: sentinel.addr });
  assertEquals(await masterIn(dashboard), second);
  await until(() => doAllSay(dashboard, second), 30_000);
  assertEquals([await masterIn(dashboard), await named()], [second, now]);
});
