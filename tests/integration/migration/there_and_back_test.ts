/**
 * Slots move there and back, and are cancelled meanwhile, while clients count: no increment is lost.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { PROBE_PREFIX } from "../../../src/resp/probe_key.ts";
import { loadSlot } from "../../../src/store/slots.ts";
import { CountingLoad, keysInSlots } from "../../support/counting_load.ts";
import { until } from "../../support/deadline.ts";
import { Migration } from "../../support/migration.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { slotOf } from "../../support/router_server.ts";
import { ScriptedDashboard } from "../../support/scripted_dashboard.ts";

const CLIENTS = 50;
const KEYS_PER_SLOT = 4;
const SLOTS = Array.from({ length: 50 }, (_, i) => i);

Deno.test("slots go there and back, cancelled at random, under two proxies: no count is lost", async () => {
  await using servers = await RedisServer.startMany(3);
  await using migration = await Migration.start(servers, { slotsAtOnce: 20, slotsPerChange: 8 });
  await using dashboard = new ScriptedDashboard(migration.store);
  await using one = await migration.startProxy(dashboard.addr, "one");
  await using two = await migration.startProxy(dashboard.addr, "two");
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
      await delay(30);
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
      if (!key.startsWith(PROBE_PREFIX)) {
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
