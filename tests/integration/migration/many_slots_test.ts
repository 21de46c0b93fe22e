/**
 * All slots of a server move while no client uses it: at once, and with few questions for each key.
 *
 * Runs alone: how many slots are open at once depends on how busy servers and machine are.
 *
 * @module
 */

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { delay } from "@std/async/delay";
import { SLOTS_AT_ONCE } from "../../../src/migration/mover/mover.ts";
import { until } from "../../support/deadline.ts";
import { Migration, type MigrationTestOptions, newQueue } from "../../support/migration.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ScriptedControl } from "../../support/scripted_control.ts";

const SLOTS = 512;
const KEYS = Array.from({ length: 10_000 }, (_, i) => `key:${i}`);
/** Keys whose sizes are asked for to guess whether a server has big keys, at most. */
const SAMPLE_MAX = 2_000;

/** Two servers, the first of which has all keys of its slots. */
async function filled(options: MigrationTestOptions = {}): Promise<
  { migration: Migration; servers: AsyncDisposable & RedisServer[] }
> {
  const servers = await RedisServer.startMany(2);
  using client = await servers[0]!.client();
  await client.pipeline(KEYS.map((key) => ["SET", key, key]));
  return { migration: await Migration.make(servers, options), servers };
}

/** How often a server has executed a command. */
async function callsOf(client: RespClient, command: string): Promise<number> {
  const stats = String(await client.call("INFO", "commandstats"));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

Deno.test("each key is asked for its size once, and scanned about once", async () => {
  const { migration: made, servers: started } = await filled();
  await using servers = started;
  await using migration = made;
  using source = await servers[0]!.client();
  await migration.queue.start();
  await migration.queue.add(0, SLOTS - 1, 2, 0);
  await migration.done(30_000);
  const sizes = await callsOf(source, "memory\\|usage");
  assertLessOrEqual(sizes, 0.55 * KEYS.length + SAMPLE_MAX);
  // A thousand keys each: the sample, the round that moves them, the round that proves it. Half the keys are
  // of other slots and stay.
  assertLessOrEqual(await callsOf(source, "scan"), 60);
});

Deno.test("slots are opened beside the moves; who stops in the middle leaves none blocked", async () => {
  // In changes of 64, that is.
  const { migration: made, servers: started } = await filled({ slotsPerChange: 4 });
  await using servers = started;
  await using migration = made;
  const { control, queue, store } = migration;
  const states = async () =>
    await Promise.all(Array.from({ length: SLOTS }, (_, i) => migration.slot(i)));
  // Half of the slots are open; a change that blocks the next ones waits until keys have moved.
  let movedMeanwhile = 0;
  control.beforeChange = async ({ summary }) => {
    const first = Number(/\d+/.exec(summary)?.[0]);
    if (!summary.endsWith("pre_migrate") || first < SLOTS / 2) return;
    await until(() => queue.moved.keys > 0);
    movedMeanwhile = queue.moved.keys;
    queue.stop();
  };
  await queue.start();
  await queue.add(0, SLOTS - 1, 2, 0);
  await until(() => movedMeanwhile > 0, 30_000);
  await queue.stop();
  const left = await states();
  assertEquals(left.filter((text) => text.startsWith("pre_migrate")), []);
  assert(left.some((text) => text === "online 1"), "all slots were open");
  const next = newQueue(new ScriptedControl(store));
  await next.start();
  await until(() => next.views().length === 0, 30_000);
  await next.stop();
  assert((await states()).every((text) => text === "online 2"));
  using source = await servers[0]!.client();
  using target = await servers[1]!.client();
  const counts = [await source.call("DBSIZE"), await target.call("DBSIZE")] as number[];
  assertEquals(counts[0]! + counts[1]!, KEYS.length);
});

Deno.test("all tasks are cancelled at once: no slot arrives while others wait for their turn", async () => {
  const { migration: made, servers: started } = await filled();
  await using servers = started;
  await using migration = made;
  const { control, queue } = migration;
  using target = await servers[1]!.client();
  const arrived = async () => Number(await target.call("DBSIZE"));
  // As with a coordinator that takes its time.
  control.beforeChange = ({ summary }) => delay(/cancelled/.test(summary) ? 40 : 0);
  await queue.start();
  await queue.add(0, SLOTS - 1, 2, 0);
  await until(() => queue.moved.keys > 0, 30_000);
  const before = await arrived();
  await queue.cancelAll("back");
  // What was in hand may have arrived.
  assertLessOrEqual(await arrived(), before + 2_500);
  control.beforeChange = () => {};
  await migration.done(30_000);
  const states = await Promise.all(Array.from({ length: SLOTS }, (_, i) => migration.slot(i)));
  const back = states.filter((text) => text === "online 1").length;
  assert(back > SLOTS / 2, `only ${back} slots are back`);
});

Deno.test("clients that come while slots are opened find no more of them open than others do", async () => {
  const { migration: made, servers: started } = await filled();
  await using servers = started;
  await using migration = made;
  const { control, queue } = migration;
  using client = await servers[1]!.client();
  let isLoaded = false;
  const load = async () => {
    for (isLoaded = true; isLoaded; await delay(20)) {
      await client.pipeline(Array.from({ length: 400 }, () => ["PING"]));
    }
  };
  let loading: Promise<void> | undefined;
  let mostOpen = 0;
  control.beforeChange = async ({ summary }) => {
    if (!summary.endsWith("pre_migrate")) return;
    const open = queue.views().filter(({ status }) => status === "migrating").length;
    mostOpen = Math.max(mostOpen, open);
    if (open === 0 || loading !== undefined) return;
    loading = load();
    await delay(1_500); // it is measured once a second
  };
  await queue.start();
  await queue.add(0, SLOTS - 1, 2, 0);
  await migration.done(60_000);
  isLoaded = false;
  await loading;
  assertLessOrEqual(mostOpen, SLOTS_AT_ONCE);
  assert(mostOpen > 0);
});
