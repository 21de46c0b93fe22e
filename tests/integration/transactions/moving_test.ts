/**
 * Transactions and watched keys while slots move to and fro, with two workers: nothing is lost, doubled or
 * half executed, and no client sees an error.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { keysInSlots } from "../../support/counting_load.ts";
import { Migration } from "../../support/migration.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ScriptedDashboard } from "../../support/scripted_dashboard.ts";
import { TransactionLoad } from "../../support/transaction_load.ts";

const CLIENTS = 20;
const SLOTS = Array.from({ length: 30 }, (_, i) => i);

Deno.test("transactions stay whole while their slots move there and back", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers, { slotsAtOnce: 10, slotsPerChange: 5 });
  await using dashboard = new ScriptedDashboard(migration.store);
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: migration.folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
    cpu: 2,
  });
  const load = TransactionLoad.start(CLIENTS, keysInSlots(SLOTS, 1), () => proxy.client());
  for (const goal of [2, 1]) {
    await migration.queue.add(0, SLOTS.length - 1, goal, 0);
    await migration.done(60_000);
  }
  await load.stop();
  using client = await proxy.client();
  assertEquals(load.errors, []);
  assertEquals(await load.faults(client), []);
  assert(load.executed > 500, `only ${load.executed} transactions were executed`);
});
