/**
 * Slots move while clients count: every increment is there once, in the end and all the time.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { assertEquals, assertLess } from "@std/assert";
import { CodisServer } from "../../support/codis_server.ts";
import { CountingLoad, keysInSlots } from "../../support/counting_load.ts";
import { Migration } from "../../support/migration.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ScriptedDashboard } from "../../support/scripted_dashboard.ts";

const CLIENTS = 50;
const KEYS_PER_SLOT = 4;
const SLOTS = Array.from({ length: 50 }, (_, i) => i);
/** No client may wait longer than this for an answer, in milliseconds. */
const STALL_MS = Number(Deno.env.get("STALL_MS") ?? 2500);

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
    await using proxy = await migration.startProxy(dashboard.addr, "one");
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
