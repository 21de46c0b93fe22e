/**
 * Migrations as users ask for them: through the dashboard's HTTP interface, with all its parts at work.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { MigrationView } from "../../../src/api/cluster_view.ts";
import { CountingLoad, keysInSlots } from "../../support/counting_load.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

const SLOTS = Array.from({ length: 30 }, (_, i) => i);
/** Keys of a slot that clients count up, and that nobody asks for: only the dashboard moves those. */
const BUSY_KEYS = 3;
const QUIET_KEYS = 40;

Deno.test("slots move, and go back when they are cancelled in the middle, under load", async () => {
  await using servers = await RedisServer.startMany(3);
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  await using dashboard = await DashboardServer.start(store);
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  const keys = keysInSlots(SLOTS, BUSY_KEYS + QUIET_KEYS);
  const busy = keysInSlots(SLOTS, BUSY_KEYS);
  const quiet = keys.filter((key) => !busy.includes(key));
  using client = await proxy.client();
  await client.pipeline(quiet.map((key) => ["SET", key, key]));
  const load = await CountingLoad.start([proxy], busy, 20);
  const views = async (): Promise<MigrationView[]> =>
    (await dashboard.get("/api/cluster")).json.migrations;
  const groups = async (): Promise<number[]> =>
    (await dashboard.get("/api/cluster")).json.slots.group.slice(0, SLOTS.length);
  const request = { from: 0, to: 29, delay: 0 };

  await dashboard.done("POST", "/api/migrate", { ...request, new_group: 2 });
  await until(async () => (await views()).length === 0);
  assertEquals(await groups(), SLOTS.map(() => 2));

  // A delay leaves time to change one's mind.
  await dashboard.done("POST", "/api/migrate", { ...request, delay: 300, new_group: 3 });
  await until(async () => (await views()).some(({ status }) => status === "migrating"));
  await dashboard.done("POST", "/api/migrate/cancel", { mode: "back" });
  await until(async () => (await views()).length === 0);
  // Some may have arrived by then.
  const after = await groups();
  assertEquals(after.filter((group) => group !== 2 && group !== 3), []);
  assert(after.filter((group) => group === 2).length > SLOTS.length / 2, `${after}`);

  await load.stop();
  assertEquals(load.errors, []);
  assertEquals(await load.lostUpdates(proxy), []);
  assertEquals(await client.call("MGET", ...quiet), quiet);
});
