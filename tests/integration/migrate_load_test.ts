/**
 * Slots move while clients count: every increment is there once, in the end and all the time.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { CodisServer } from "../support/codis_server.ts";
import { until } from "../support/deadline.ts";
import { CountingLoad, keysInSlots } from "../support/counting_load.ts";
import { Migration } from "../support/migration.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { slotOf } from "../support/router_server.ts";
import { TRIAL_PREFIX } from "../../src/resp/trial_key.ts";
import { loadSlot } from "../../src/store/slots.ts";
import { ScriptedDashboard } from "../support/scripted_dashboard.ts";

const CLIENTS = 50;
const KEYS_PER_SLOT = 4;
const SLOTS = Array.from({ length: 50 }, (_, i) => i);
/** No client may wait longer than this for an answer, in milliseconds. */
const STALL_MS = Number(Deno.env.get("STALL_MS") ?? 2500);

/** Starts a proxy of a migration's product. */
function startProxy(
  { folder }: Migration,
  dashboard: ScriptedDashboard,
  id: string,
): Promise<ProxyProcess> {
  return ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: id },
  });
}

for (
  const [kind, start] of [["stock", RedisServer.start], [
    "codis-server",
    CodisServer.start,
  ]] as const
) {
  Deno.test(`${SLOTS.length} slots move under ${CLIENTS} counting clients: ${kind}`, async () => {
    await using first = await start();
    await using second = await start();
    await using migration = await Migration.start([first, second]);
    await using dashboard = new ScriptedDashboard(migration.store);
    await using proxy = await startProxy(migration, dashboard, "one");
    const load = await CountingLoad.start([proxy], keysInSlots(SLOTS, KEYS_PER_SLOT), CLIENTS);
    await migration.queue.add(0, SLOTS.length - 1, 2, 0);
    await migration.done(60_000);
    await load.stop();
    assertEquals(load.errors, []);
    assertLess(load.longestMs, STALL_MS);
    assertEquals(await load.lostUpdates(proxy), []);
    using old = await first.client();
    assertEquals(await old.call("DBSIZE"), 0);
  });
}

Deno.test("slots go there and back, cancelled at random, under two proxies: no count is lost", async () => {
  await using servers = await RedisServer.startMany(3);
  await using migration = await Migration.start(servers, { slotsAtOnce: 20, slotsPerChange: 8 });
  await using dashboard = new ScriptedDashboard(migration.store);
  await using one = await startProxy(migration, dashboard, "one");
  await using two = await startProxy(migration, dashboard, "two");
  const load = await CountingLoad.start([one, two], keysInSlots(SLOTS, KEYS_PER_SLOT), CLIENTS);
  let cancelled = 0;
  for (const goal of [2, 3, 1]) {
    await migration.queue.add(0, SLOTS.length - 1, goal, 0);
    const migrating = () => migration.queue.views().filter(({ status }) => status === "migrating");
    await until(() => migrating().length > 0 || migration.queue.views().length === 0, 30_000);
    for (let i = 0; i < 10; i++) {
      const views = migrating();
      const view = views[Math.floor(Math.random() * views.length)];
      if (view === undefined) continue;
      await migration.queue.cancel(view.name).then(() => cancelled++, () => {}); // or it is done
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await migration.done(60_000);
  }
  await load.stop();
  assertEquals(load.errors, []);
  assertEquals(await load.lostUpdates(one), []);
  assert(cancelled > 0, "none was cancelled");
  assertEquals(await misplaced(migration, servers), []);
});

/** Keys that are at several servers, or at one that does not own their slot. */
async function misplaced(
  { store, control }: Migration,
  servers: readonly RedisServer[],
): Promise<string[]> {
  const holders = new Map<string, number[]>();
  for (const [at, server] of servers.entries()) {
    using client = await server.client();
    for (const key of await client.call("KEYS", "*") as string[]) {
      // One by which a dashboard tries servers out may not have expired yet.
      if (!key.startsWith(TRIAL_PREFIX)) {
        holders.set(key, [...holders.get(key) ?? [], at + 1]);
      }
    }
  }
  const wrong: string[] = [];
  for (const [key, groups] of holders) {
    const slotId = slotOf(key);
    const { group_id: owner } = await loadSlot(store, slotId);
    if (groups.length === 1 && groups[0] === owner) continue;
    wrong.push(`${key} of slot ${slotId}, which is in group ${owner}: at ${groups}`);
  }
  assertEquals(holders.size, SLOTS.length * KEYS_PER_SLOT);
  if (wrong.length > 0) console.log(control.changes.join("\n"));
  return wrong;
}
