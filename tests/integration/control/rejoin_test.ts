/**
 * What becomes of a master that was replaced by a failover: it is back as a replica, and what only it had is
 * told and kept.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import type { ServerView } from "../../../src/api/cluster_view.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

const AFTER_MS = 1_000;

async function events(dashboard: DashboardServer): Promise<string[]> {
  const { json } = await dashboard.get("/api/cluster");
  return json.events.map(({ text }: { text: string }) => text);
}

async function typesIn(dashboard: DashboardServer): Promise<Record<string, string>> {
  const { json } = await dashboard.get("/api/server_group/1");
  return Object.fromEntries(
    json.servers.map(({ addr, type }: { addr: string; type: string }) => [addr, type]),
  );
}

Deno.test("a master that hung is replaced in time; when it goes on it is a replica, and what only it had is kept", async () => {
  await using folder = await StoreFolder.make();
  const kept = await Deno.makeTempDir();
  await using servers = await RedisServer.startMany(2);
  const [master, replica] = servers.map(({ addr }) => addr) as [string, string];
  const store = await folder.openFilled(master);
  await using dashboard = await DashboardServer.start(store, {
    failover: "auto",
    failoverAfterMs: AFTER_MS,
    failoverLostWritesDir: kept,
  });
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: replica, type: "slave" });
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  using toMaster = await servers[0]!.client();
  using toReplica = await servers[1]!.client();
  await until(async () => /link_status:up/.test(`${await toReplica.call("INFO", "replication")}`));
  assertEquals(await client.call("SET", "both", "1"), "OK");
  await until(async () => await toReplica.call("GET", "both") === "1");

  // What comes now, the replica does not get.
  await toReplica.call("CONFIG", "SET", "masterauth", "wrong");
  await toMaster.call("CLIENT", "KILL", "TYPE", "replica");
  for (let i = 0; i < 3; i++) assertEquals(await client.call("SET", `lost${i}`, "x"), "OK");
  servers[0]!.pause();
  const began = performance.now();
  const hanging = client.call("SET", "hanging", "1");
  await until(async () => await (await proxy.client()).call("SET", "new", "1") === "OK", 10_000);
  const tookMs = performance.now() - began;
  console.log(`served again ${Math.round(tookMs)} ms after the master hung`);
  assertLess(tookMs, AFTER_MS + 2_000);
  assertMatch(
    Deno.inspect(await hanging),
    /backend conn failure.*(no answer for \d+ ms|another server)/,
  );
  assertEquals(await typesIn(dashboard), { [master]: "offline", [replica]: "master" });

  servers[0]!.resume();
  await until(async () => (await typesIn(dashboard))[master] === "slave", 10_000);
  await until(async () => await toMaster.call("GET", "lost0") === null, 10_000);
  const said = (await events(dashboard)).filter((text) => /are lost/.test(text));
  assertEquals(said.length, 1, said.join("\n"));
  // Requests that were broken off had reached the old master all the same.
  assertMatch(said[0]!, /\d+ commands \(\d+ bytes from offset \d+\) that only .* had are lost/);
  const files = [...Deno.readDirSync(kept)];
  assertEquals(files.length, 1);
  const text = await Deno.readTextFile(`${kept}/${files[0]!.name}`);
  assert(text.includes("*3\r\n$3\r\nSET\r\n$5\r\nlost0\r\n$1\r\nx\r\n"), text);
  await Deno.remove(kept, { recursive: true });
});

Deno.test("a master that was killed rejoins after its restart; with failover_rejoin off it stays offline", async () => {
  for (const failoverRejoin of [true, false]) {
    await using folder = await StoreFolder.make();
    await using servers = await RedisServer.startMany(2);
    const [master, replica] = servers.map(({ addr }) => addr) as [string, string];
    const store = await folder.openFilled(master);
    await using dashboard = await DashboardServer.start(store, {
      failover: "auto",
      failoverAfterMs: 500,
      failoverRejoin,
    });
    await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: replica, type: "slave" });
    await using _proxy = await ProxyProcess.start({
      config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
    });
    using toReplica = await servers[1]!.client();
    await until(async () =>
      /link_status:up/.test(`${await toReplica.call("INFO", "replication")}`)
    );
    await servers[0]!.kill();
    await until(async () => (await typesIn(dashboard))[replica] === "master", 10_000);
    await servers[0]!.restart();
    await until(async () => (await events(dashboard)).some((text) => /was restarted/.test(text)));
    if (failoverRejoin) await until(async () => (await typesIn(dashboard))[master] === "slave");
    else assertEquals((await typesIn(dashboard))[master], "offline");
  }
});

Deno.test("a master that was down when an operator forced another one rejoins, too, and what it alone had is told", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const [master, replica] = servers.map(({ addr }) => addr) as [string, string];
  const store = await folder.openFilled(master);
  await using dashboard = await DashboardServer.start(store, { failover: "auto" });
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: replica, type: "slave" });
  await servers[0]!.kill();
  const forced = { addr: replica, group_id: 1, force: true };
  await dashboard.done("POST", "/api/server_group/1/promote", forced);
  assertEquals(await typesIn(dashboard), { [master]: "offline", [replica]: "master" });
  await servers[0]!.restart();
  await until(async () => (await typesIn(dashboard))[master] === "slave");
  const said = await events(dashboard);
  assert(
    said.some((text) => text.includes(`${master} was restarted: it is not known`)),
    said.join("\n"),
  );
});

Deno.test("a failed master that rejoins one that hangs does not hold up the failovers of other groups", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(4);
  const [old, next, other, spare] = servers.map(({ addr }) => addr) as [
    string,
    string,
    string,
    string,
  ];
  const store = await folder.openFilled(`${old},${other}`);
  await using dashboard = await DashboardServer.start(store, {
    failover: "auto",
    failoverAfterMs: AFTER_MS,
  });
  await using _proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  const masterOf = async (groupId: number) => {
    const { json } = await dashboard.get(`/api/server_group/${groupId}`);
    return json.servers.find(({ type }: { type: string }) => type === "master").addr;
  };
  for (const [groupId, addr] of [[1, next], [2, spare]] as const) {
    const path = `/api/server_group/${groupId}/addServer`;
    await dashboard.done("PUT", path, { addr, type: "slave" });
  }
  await until(async () => {
    const { json } = await dashboard.get("/api/cluster");
    return json.groups.every(({ servers }: { servers: ServerView[] }) =>
      servers.some(({ replication }) => replication?.is_up === true)
    );
  });
  await servers[0]!.kill();
  await until(async () => await masterOf(1) === next, 10_000);
  servers[1]!.pause();
  await servers[0]!.restart();
  await servers[2]!.kill();
  const began = performance.now();
  await until(async () => await masterOf(2) === spare, 20_000);
  const tookMs = performance.now() - began;
  servers[1]!.resume();
  console.log(`replaced ${Math.round(tookMs)} ms after the kill`);
  assertLess(tookMs, AFTER_MS + 4_000);
});
