/**
 * What operators may rely on when records of the coordinator cannot be read: each is named with the reason, and all
 * else goes on, failover above all.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { concernsOf } from "../../../src/dashboard/page/attention.js";
import { encodeProxy } from "../../../src/model/proxy.ts";
import { deleteFence } from "../../../src/store/fences.ts";
import { loadProxy } from "../../../src/store/proxies.ts";
import type { Store } from "../../../src/store/store.ts";
import { callCli } from "../../support/cli_call.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

async function concerns(dashboard: DashboardServer): Promise<string[]> {
  return concernsOf((await dashboard.get("/api/cluster")).json).map(({ text }) => text);
}

/** The master of a group in the store, as the API tells it. */
async function masterOf(dashboard: DashboardServer, groupId: number): Promise<string> {
  const { servers } = (await dashboard.get(`/api/server_group/${groupId}`)).json;
  return servers.find(({ type }: { type: string }) => type === "master")?.addr;
}

async function spoil(store: Store, ...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await store.coordinator.write(path, "garbage")
      .catch(() => store.coordinator.create(path, "garbage"));
  }
}

Deno.test("with records that cannot be read, masters that fail are replaced, and status is that of now", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(4);
  const [first, second, other, third] = servers.map(({ addr }) => addr) as [
    string,
    string,
    string,
    string,
  ];
  const store = await folder.openFilled(`${first},${other}`);
  await using dashboard = await DashboardServer.start(store, {
    failover: "auto",
    failoverAfterMs: 500,
    failoverRejoin: false,
  });
  for (const addr of [second, third]) {
    await dashboard.done("PUT", "/api/server_group/1/addServer", { addr, type: "slave" });
  }
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  assertEquals(await client.call("SET", "k1", "v"), "OK");
  const { paths } = store;
  const spoiled = [
    paths.slot(900),
    paths.server(1, "127.0.0.1:1"),
    paths.server(2, "127.0.0.1:2"),
    paths.proxy("gone"),
    paths.migrateTask("0000000077"),
    paths.failedMaster("127.0.0.1:3"),
    paths.serverZones,
    paths.apiTokens,
  ];
  await spoil(store, ...spoiled);
  for (const replica of [second, third]) await dashboard.seesLinked(replica, first);
  await servers[0]!.kill();
  await until(async () => await masterOf(dashboard, 1) !== first, 15_000);
  // The view is not that of before.
  await until(async () => {
    const { slots, groups } = (await dashboard.get("/api/cluster")).json;
    return slots.served === 1023 && groups[0].servers[0].type === "master" &&
      groups[0].servers[0].addr !== first;
  });
  assertEquals(await client.call("SET", "k1", "w"), "OK");
  // A second time: the new master is watched as a master.
  const heir = await masterOf(dashboard, 1);
  await dashboard.seesLinked(heir === second ? third : second, heir);
  await servers.find(({ addr }) => addr === heir)!.kill();
  await until(async () => await masterOf(dashboard, 1) !== heir, 15_000);
  await until(async () => (await client.call("SET", "k1", "x")) === "OK");
  const seen = () => concerns(dashboard);
  await until(async () => (await seen()).some((text) => text.includes(paths.slot(900))), 15_000);
  const { unreadable_records: records, slots } = (await dashboard.get("/api/cluster")).json;
  assertEquals(records.map(({ path }: { path: string }) => path).sort(), spoiled.toSorted());
  assertEquals(slots.status[900], "u");
  const { text: metrics } = await dashboard.get("/metrics");
  assertStringIncludes(
    metrics,
    `codis_cluster_unreadable_record{path="${
      paths.slot(900)
    }",reason="slot is not JSON: garbage"} 1`,
  );
  assert(!(await seen()).some((text) => /not stored/.test(text)));
});

Deno.test("config status names a record that cannot be read at once, with --short too", async () => {
  await using folder = await StoreFolder.make();
  await using server = await RedisServer.start();
  const store = await folder.openFilled(server.addr);
  await using dashboard = await DashboardServer.start(store);
  const status = async (...words: string[]) => {
    const at = [`--dashboard=${dashboard.addr}`, "--output=table", "status"];
    return (await callCli("config", ...at, ...words)).stdout;
  };
  const { paths } = store;
  const spoilt = [paths.slot(900), paths.server(1, server.addr), paths.redisUsers];
  for (const [i, path] of spoilt.entries()) {
    await spoil(store, path);
    const shown = i % 2 === 0 ? [["--short"], []] : [[], ["--short"]];
    for (const words of shown) {
      assertStringIncludes(await status(...words), `${path} in the coordinator cannot be read: `);
    }
  }
});

Deno.test("a promotion that an operator asks for is seen at once, whatever record cannot be read", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const [master, replica] = servers.map(({ addr }) => addr) as [string, string];
  const store = await folder.openFilled(master);
  await spoil(store, store.paths.slot(900));
  // It leads all the same.
  await using dashboard = await DashboardServer.start(store);
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: replica, type: "slave" });
  await dashboard.done("POST", "/api/server_group/1/promote", {
    group_id: 1,
    addr: replica,
  });
  const { groups } = (await dashboard.get("/api/cluster")).json;
  assertEquals(groups[0].servers.map(({ addr }: { addr: string }) => addr), [replica, master]);
  assertStringIncludes(
    (await concerns(dashboard)).join("\n"),
    `${store.paths.slot(900)} in the coordinator cannot be read: slot is not JSON: garbage`,
  );
});

Deno.test("a proxy whose record cannot be read writes it anew, and follows changes as before", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const store = await folder.openFilled(servers[0]!.addr);
  await using dashboard = await DashboardServer.start(store);
  await using _proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  await until(async () => (await loadProxy(store, "one"))?.state === "online");
  const before = (await loadProxy(store, "one"))!;
  await spoil(store, store.paths.proxy("one"));
  await until(async () => {
    const { data } = await store.coordinator.read(store.paths.proxy("one"));
    return data === encodeProxy(before);
  });
  // It must confirm this.
  await dashboard.done("PUT", "/api/server_group/2/addServer", {
    addr: servers[1]!.addr,
    type: "master",
  });
});

Deno.test("no master is replaced while a proxy may serve whose record cannot be read", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const [master, replica] = servers.map(({ addr }) => addr) as [string, string];
  const store = await folder.openFilled(master);
  await using dashboard = await DashboardServer.start(store, {
    failover: "auto",
    failoverAfterMs: 500,
  });
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: replica, type: "slave" });
  await using _proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using direct = await servers[1]!.client();
  await until(async () => /link_status:up/.test(`${await direct.call("INFO", "replication")}`));
  await spoil(store, store.paths.proxy("other"), store.paths.fence("127.0.0.1:4"));
  await servers[0]!.kill();
  await until(async () => {
    const { events } = (await dashboard.get("/api/cluster")).json;
    return events.some(({ text }: { text: string }) => /no failover/.test(text));
  }, 15_000);
  assertEquals(await masterOf(dashboard, 1), master);
  // Nobody serves there any more.
  await deleteFence(store, "127.0.0.1:4");
  await until(async () => await masterOf(dashboard, 1) === replica, 15_000);
});
