/**
 * Rebalancing through the API: as Codis 2.0's command does, and by the requests that real proxies count.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import type { ClusterView } from "../../../src/api/cluster_view.ts";
import { CountingLoad, keysInSlots } from "../../support/counting_load.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** All of the requests go to these, and all of these are in group 1. */
const BUSY = [0, 7, 20, 33, 100, 101, 300, 301, 444, 500];
/** Long enough for the proxy to be asked a few times, in milliseconds. */
const MEASURE_MS = 5_000;

Deno.test("as in Codis 2.0, groups get slots by maxmemory, and nothing moves when a master has none", async () => {
  await using servers = await RedisServer.startMany(2);
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  await using dashboard = await DashboardServer.start(store);
  await until(async () => {
    const { text } = await dashboard.ask("POST", "/api/rebalance");
    return /^redis 127\.0\.0\.1:\d+ should set maxmemory$/.test(text);
  });
  for (const [i, megabytes] of [300, 100].entries()) {
    using client = await servers[i]!.client();
    await client.call("CONFIG", "SET", "maxmemory", `${megabytes}mb`);
  }
  // At once: an operator who has followed the advice need not wait.
  assertEquals((await dashboard.ask("POST", "/api/rebalance")).status, 200);
  const view = async (): Promise<ClusterView> => (await dashboard.get("/api/cluster")).json;
  await until(async () => (await view()).migrations.length === 0);
  const { slots: { group } } = await view();
  assertEquals([1, 2].map((id) => group.filter((each) => each === id).length), [768, 256]);
  // Nothing is left to move, and that is what is said.
  const again = await dashboard.ask("POST", "/api/rebalance");
  assertEquals(again.text, '{"msg":"OK","ret":0,"slots":0,"moves":[]}');
});

Deno.test("maxmemory is read with CONFIG where INFO lacks it, as codis-server 2.8's does", async () => {
  const old = (megabytes: number) =>
    new FakeRedis(([command, , name]) => {
      const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
      if (command === "INFO") return bulk("# Server\r\nredis_version:2.8.21\r\n");
      if (command !== "CONFIG" || name !== "maxmemory") return answerNothing([command!]);
      return `*2\r\n${bulk(name)}${bulk(`${megabytes * 1024 * 1024}`)}`;
    });
  await using first = old(300);
  await using second = old(100);
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled([first.addr, second.addr].join(","));
  await using dashboard = await DashboardServer.start(store);
  const { status, json } = await dashboard.ask("POST", "/api/rebalance", { dry_run: true });
  assertEquals([status, json.slots], [200, 256]);
  const stat = await dashboard.get(`/api/redis/${first.addr}/stat`);
  assertEquals(stat.json.maxmemory, `${300 * 1024 * 1024}`);
});

Deno.test("slots are spread by requests: busy slots move, and few of them", async () => {
  await using servers = await RedisServer.startMany(2);
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  await using dashboard = await DashboardServer.start(store);
  const plan = () => dashboard.ask("POST", "/api/rebalance", { by: "ops", dry_run: true });
  const early = await plan();
  assertEquals(early.status, 500);
  assertStringIncludes(early.text, "no requests were measured");

  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  const load = await CountingLoad.start([proxy], keysInSlots(BUSY, 2), 10);
  await delay(MEASURE_MS);
  const { status, json } = await plan();
  assertEquals(status, 200);
  assert(json.slots >= 4 && json.slots <= 6, JSON.stringify(json));
  const [first, second] = json.loads;
  assert(first.ops_before > 0 && second.ops_before === 0, JSON.stringify(json.loads));
  const difference = Math.abs(first.ops_after - second.ops_after);
  assert(difference < first.ops_before * 0.3, JSON.stringify(json.loads));
  const moved: number[] = json.moves.flatMap((move: { from_slot: number; to_slot: number }) =>
    Array.from({ length: move.to_slot - move.from_slot + 1 }, (_, i) => move.from_slot + i)
  );
  assertEquals(moved.filter((slot) => !BUSY.includes(slot)), []);

  const queued = await dashboard.ask("POST", "/api/rebalance", { by: "ops" });
  const { moves, ...told } = queued.json;
  assertEquals(told, { msg: "OK", ret: 0, slots: json.slots });
  // Which they are, for whoever waits for these and no others.
  const sizes = moves.map((move: { from_slot: number; to_slot: number; to_group: number }) => {
    assertEquals(move.to_group, 2);
    return move.to_slot - move.from_slot + 1;
  });
  assertEquals(sizes.reduce((sum: number, size: number) => sum + size, 0), json.slots);
  const view = async (): Promise<ClusterView> => (await dashboard.get("/api/cluster")).json;
  await until(async () => (await view()).migrations.length === 0);
  const owners = (await view()).slots.group;
  const busy = BUSY.filter((slot) => owners[slot] === 2).length;
  assert(busy >= 4 && busy <= 6, `${busy} of the busy slots are in group 2`);
  assertEquals(owners.filter((group) => group === 2).length, 512 + busy);
  await load.stop();
  assertEquals([load.errors, await load.lostUpdates(proxy)], [[], []]);
});

Deno.test("nothing is planned by requests while a proxy does not report them", async () => {
  await using servers = await RedisServer.startMany(2);
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  await using dashboard = await DashboardServer.start(store);
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  const proxies = async () => (await dashboard.get("/api/cluster")).json.proxies;
  await until(async () => (await proxies())[0]?.state === "online");
  proxy.child.signal("SIGSTOP");
  try {
    await until(async () => (await proxies())[0]?.is_reachable === false);
    const { status, text } = await dashboard.ask("POST", "/api/rebalance", { by: "ops" });
    assertEquals(
      [status, text],
      [500, "proxy one does not report how many requests each slot gets"],
    );
  } finally {
    proxy.child.signal("SIGCONT");
  }
});
