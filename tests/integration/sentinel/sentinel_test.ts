/**
 * What operators may rely on with Redis Sentinel, with three real ones: the table follows them, and does
 * nothing else.
 *
 * @module
 */

import { assertEquals, assertLess } from "@std/assert";
import type { SentinelsView } from "../../../src/api/cluster_view.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { SentinelServer } from "../../support/sentinel_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** A busy machine alone must not be taken for a death. */
const DOWN_AFTER_MS = 2_000;

async function sentinelsOf(dashboard: DashboardServer): Promise<SentinelsView> {
  return (await dashboard.get("/api/sentinels")).json;
}

async function roles(dashboard: DashboardServer): Promise<Record<string, string>> {
  const { servers } = (await dashboard.get("/api/server_group/1")).json;
  return Object.fromEntries(
    servers.map(({ addr, type }: { addr: string; type: string }) => [addr, type]),
  );
}

/** Waits until every sentinel knows the replicas and the other sentinels of group 1. */
async function untilReady(dashboard: DashboardServer, replicas: number): Promise<void> {
  await until(async () => {
    const { servers, out_of_sync } = await sentinelsOf(dashboard);
    return !out_of_sync && servers.every(({ masters }) =>
      masters[0]?.replicas === replicas &&
      masters[0].other_sentinels === servers.length - 1 && masters[0].flags.length === 0
    );
  }, 20_000);
}

/**
 * Sets a key right after the table names another master. One request may fail: one that the old master was sent, and
 * had not answered when the proxy changed over; its error says so. The next one is for the new master.
 */
async function setAtChange(client: RespClient, key: string, value: string, old: string) {
  const reply = await client.call("SET", key, value);
  if (reply === "OK") return;
  const text = `backend conn failure, ${old}: another server has taken its place`;
  assertEquals(reply instanceof ReplyError && reply.message, `ERR handle response, ${text}`);
  assertEquals(await client.call("SET", key, value), "OK");
}

Deno.test("when Sentinel replaces a master, the table follows, and the old one becomes a replica", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  await using sentinels = await SentinelServer.startMany(3);
  const [first, second] = servers.map(({ addr }) => addr) as [string, string];
  const store = await folder.openFilled(first);
  await using dashboard = await DashboardServer.start(store, {
    failover: "auto",
    failoverAfterMs: 500,
    sentinels: { downAfterMs: DOWN_AFTER_MS },
  });
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: second, type: "slave" });
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  // A proxy of Codis 3.x that still serves, and follows the sentinels by itself.
  await dashboard.done("PUT", "/api/fence", { addr: "127.0.0.1:9" });
  for (const { addr } of sentinels) await dashboard.done("POST", "/api/sentinels", { addr });
  await untilReady(dashboard, 1);

  // A failover that somebody asks Sentinel for: both servers are alive.
  using sentinel = await sentinels[0]!.client();
  assertEquals(await sentinel.call("SENTINEL", "FAILOVER", "test-1"), "OK");
  await until(async () => (await roles(dashboard))[second] === "master", 10_000);
  assertEquals(await roles(dashboard), { [first]: "offline", [second]: "master" });
  await setAtChange(client, "a", "0", first);
  await dashboard.done("POST", "/api/remove_fence");
  // As Sentinel itself does ten seconds later.
  using old = await servers[0]!.client();
  await old.call("REPLICAOF", "127.0.0.1", servers[1]!.port);
  await until(async () => (await roles(dashboard))[first] === "slave", 10_000);
  assertEquals(await client.call("SET", "a", "1"), "OK");
  await until(async () => {
    const { servers } = await sentinelsOf(dashboard);
    return servers.every(({ masters }) => masters[0]?.addr === second);
  });

  // The death of a master. Our own failover would be faster, and must do nothing.
  const before = sentinels.map(({ log }) => log.length);
  await servers[1]!.kill();
  const isSwitched = () =>
    sentinels.some(({ log }, i) => log.slice(before[i]).includes("+switch-master"));
  await until(isSwitched, 20_000);
  const began = performance.now();
  await until(async () => (await roles(dashboard))[first] === "master", 5_000);
  await until(async () => await client.call("SET", "a", "2") === "OK", 5_000);
  const tookMs = performance.now() - began;
  console.log(`served again ${Math.round(tookMs)} ms after the switch`);
  assertLess(tookMs, 2_000);
  assertEquals(await roles(dashboard), { [first]: "master", [second]: "offline" });
  const { json: view } = await dashboard.get("/api/cluster");
  assertEquals(view.dashboard.failover, "sentinel");
});
