/**
 * Migrations are cancelled, paused and resumed in every state without losing a key.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { encodeMigrateTask } from "../../../src/model/migrate_task.ts";
import { loadMigrateTasks, type StoredMigrateTask } from "../../../src/store/migrate_tasks.ts";
import { readIfThere, StoreError } from "../../../src/store/store.ts";
import { until } from "../../support/deadline.ts";
import { Migration, newQueue } from "../../support/migration.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { keyWhere } from "../../support/router_server.ts";
import { ScriptedControl } from "../../support/scripted_control.ts";

const SLOT = 100;
const TAG = `{${keyWhere((slotId) => slotId === SLOT)}}`;
const KEYS = Array.from({ length: 2_000 }, (_, i) => `${TAG}${i}`);
/** Slow enough to be cancelled in the middle. */
const SLOW = { keysPerSecond: 4_000 };

/** Two servers, the first of which has all keys. */
async function filled() {
  const servers = await RedisServer.startMany(2);
  using client = await servers[0]!.client();
  await client.pipeline(KEYS.map((key) => ["SET", key, key]));
  return servers;
}

/** Asserts that all keys are at one server, and only there. */
async function assertAllAt(servers: readonly RedisServer[], index: number): Promise<void> {
  using here = await servers[index]!.client();
  using there = await servers[1 - index]!.client();
  assertEquals(await here.call("MGET", ...KEYS), KEYS);
  assertEquals(await there.call("DBSIZE"), 0);
}

function movedAtLeast(migration: Migration, keys: number): Promise<void> {
  return until(() => (migration.queue.views()[0]?.keys_moved ?? 0) >= keys);
}

Deno.test("cancelling deletes a task that has not started", async () => {
  await using servers = await filled();
  await using migration = await Migration.make(servers);
  const names = await migration.queue.add(SLOT, SLOT + 1, 2, 0);
  await migration.queue.cancel(names[0]!);
  assertEquals((await loadMigrateTasks(migration.store)).map(({ name }) => name), [names[1]]);
  await assertRejects(
    () => migration.queue.cancel(names[0]!),
    StoreError,
    `migrate task ${names[0]} is not found`,
  );
  await migration.queue.start();
  await migration.done();
  assertEquals([await migration.slot(SLOT), await migration.slot(SLOT + 1)], [
    "online 1",
    "online 2",
  ]);
  await assertAllAt(servers, 0);
});

Deno.test("a migration that is cancelled at 30 % goes back to its source", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, SLOW);
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, KEYS.length * 0.3);
  await migration.queue.cancel(name!);
  const [view] = migration.queue.views();
  assertEquals([view!.name, view!.to_group, view!.status], [name, 1, "migrating"]);
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 1");
  await assertAllAt(servers, 0);
});

Deno.test("a cancelled migration is cancelled again: it goes forward", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, SLOW);
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, KEYS.length * 0.3);
  await migration.queue.cancel(name!);
  await until(async () => (await migration.slot(SLOT)).startsWith("migrate 2>1"));
  await movedAtLeast(migration, 100);
  await migration.queue.cancel(name!);
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 2");
  await assertAllAt(servers, 1);
});

Deno.test("a migration that is nearly done finishes when it is cancelled", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, SLOW);
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, KEYS.length * 0.95);
  await migration.queue.cancel(name!);
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 2");
  await assertAllAt(servers, 1);
  assert(migration.control.events.some((event) => event.includes("not moved back")));
});

Deno.test("with mode back, a migration that is nearly done goes back, too", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, SLOW);
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, KEYS.length * 0.95);
  await migration.queue.cancel(name!, "back");
  assertEquals(migration.queue.views()[0]!.to_group, 1);
  // Asked for twice, it still goes back.
  await migration.queue.cancel(name!, "back");
  assertEquals(migration.queue.views()[0]!.to_group, 1);
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 1");
  await assertAllAt(servers, 0);
});

Deno.test("with mode finish, migrations that have started finish, and the others are cancelled", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, { ...SLOW, slotsAtOnce: 1 });
  const names = await migration.queue.add(SLOT, SLOT + 50, 2, 0);
  await movedAtLeast(migration, KEYS.length * 0.3);
  await migration.queue.cancelAll("finish");
  const moved = migration.queue.views()[0]!.keys_moved;
  assertEquals(migration.queue.views().map(({ name }) => name), names.slice(0, 1));
  // A migration that has started is not even delayed.
  assert(moved >= KEYS.length * 0.3, `${moved} keys`);
  await migration.queue.cancel(names[0]!, "finish");
  await migration.done();
  assertEquals(
    [await migration.slot(SLOT), await migration.slot(SLOT + 1), await migration.slot(SLOT + 50)],
    ["online 2", "online 1", "online 1"],
  );
  await assertAllAt(servers, 1);
});

Deno.test("with mode finish, a migration that goes back finishes going back", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, SLOW);
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, KEYS.length * 0.3);
  await migration.queue.cancel(name!, "back");
  await migration.queue.cancel(name!, "finish");
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 1");
  await assertAllAt(servers, 0);
});

Deno.test("cancelling unblocks a slot whose dashboard died while it was blocked", async () => {
  await using servers = await filled();
  await using migration = await Migration.make(servers);
  const { control, queue } = migration;
  const [name] = await queue.add(SLOT, SLOT, 2, 0);
  // Everything fails that comes after the block.
  control.beforeChange = ({ summary }) => {
    if (!summary.includes("pre_migrate") && summary !== "") {
      throw new Error("the store is away");
    }
  };
  await queue.start();
  await until(() => queue.views()[0]!.problem.includes("the store is away"));
  assertEquals(await migration.slot(SLOT), "pre_migrate 1");
  control.beforeChange = () => {};
  await queue.cancel(name!);
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 1");
  await assertAllAt(servers, 0);
});

Deno.test("a cancelled migration goes back under the next dashboard, too", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, SLOW);
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, KEYS.length * 0.3);
  await migration.queue.pause();
  await migration.queue.cancel(name!);
  await migration.queue.stop();
  assertEquals(await migration.slot(SLOT), "migrate 1>2 in 2");
  const next = newQueue(new ScriptedControl(migration.store));
  await next.start();
  await next.resume();
  await until(() => next.views().length === 0);
  await next.stop();
  assertEquals(await migration.slot(SLOT), "online 1");
  await assertAllAt(servers, 0);
});

Deno.test("cancelling all deletes tasks that wait and moves back those that have started", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, { ...SLOW, slotsAtOnce: 1 });
  await migration.queue.add(SLOT, SLOT + 50, 2, 0);
  await movedAtLeast(migration, KEYS.length * 0.3);
  await migration.queue.cancelAll();
  assertEquals(migration.queue.views().map(({ slot_id }) => slot_id), [SLOT]);
  await migration.queue.cancelAll();
  await migration.done();
  for (const slotId of [SLOT, SLOT + 1, SLOT + 50]) {
    assertEquals(await migration.slot(slotId), "online 1");
  }
  await assertAllAt(servers, 0);
});

Deno.test("no key moves during a pause, and keys move on after it", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, SLOW);
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, 200);
  await migration.queue.pause();
  assert(migration.queue.paused !== undefined);
  using client = await servers[0]!.client();
  const left = await client.call("DBSIZE");
  await delay(200);
  assertEquals(await client.call("DBSIZE"), left);
  await migration.queue.resume();
  await migration.done();
  await assertAllAt(servers, 1);
});

Deno.test("a pause outlives its dashboard, until an operator resumes migrations", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, SLOW);
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, 200);
  await migration.queue.pause();
  await migration.queue.stop();
  using source = await servers[0]!.client();
  const left = await source.call("DBSIZE");
  const next = newQueue(new ScriptedControl(migration.store));
  await next.start();
  assertEquals(next.paused, migration.queue.paused);
  assertEquals(next.views().map((view) => view.name), [name]);
  // Tasks may be made meanwhile, and wait.
  await next.add(SLOT + 1, SLOT + 1, 2, 0);
  await delay(300);
  assertEquals(await source.call("DBSIZE"), left);
  assertEquals(await migration.slot(SLOT + 1), "online 1");
  await next.resume();
  assertEquals(next.paused, undefined);
  await until(() => next.views().length === 0);
  await next.stop();
  assertEquals(await readIfThere(migration.store, migration.store.paths.migratePause), undefined);
  await assertAllAt(servers, 1);
});

Deno.test("a pause that cannot be stored is refused, and migrations go on", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, SLOW);
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, 200);
  migration.control.beforeChange = ({ summary }) => {
    if (summary.includes("paused")) throw new Error("the store is away");
  };
  await assertRejects(() => migration.queue.pause(), Error, "the store is away");
  assertEquals(migration.queue.paused, undefined);
  await migration.done();
  await assertAllAt(servers, 1);
});

Deno.test("a migration that is cancelled while a dashboard takes it up moves no more keys", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, SLOW);
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, 100);
  await migration.queue.stop();
  const [{ task }] = await loadMigrateTasks(migration.store) as [StoredMigrateTask];
  await migration.store.coordinator.write(
    migration.store.paths.migrateTask(name!),
    encodeMigrateTask({ ...task, status: "error" }),
  );
  const control = new ScriptedControl(migration.store);
  const next = newQueue(control, { keysPerSecond: 1_000 });
  let cancelling: Promise<void> | undefined;
  let mayReverse = false;
  control.beforeChange = async ({ summary }) => {
    if (/pre_migrate/.test(summary) && !mayReverse) throw new StoreError("not yet");
    if (!summary.includes("migration continued")) return;
    cancelling ??= next.cancel(name!);
    await delay(50);
  };
  await next.start();
  await until(() => cancelling !== undefined);
  await cancelling;
  using target = await servers[1]!.client();
  const arrived = await target.call("DBSIZE");
  await delay(500);
  assertEquals(await target.call("DBSIZE"), arrived);
  mayReverse = true;
  await until(() => next.views().length === 0);
  await next.stop();
  await assertAllAt(servers, 0);
});

Deno.test("no key moves to or from a group while its master may change", async () => {
  await using servers = await RedisServer.startMany(3);
  {
    using client = await servers[0]!.client();
    await client.pipeline(KEYS.map((key) => ["SET", key, key]));
  }
  await using migration = await Migration.start(servers, SLOW);
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, 200);
  await migration.queue.aside(2, async () => {
    using client = await servers[1]!.client();
    const arrived = await client.call("DBSIZE");
    // Another way is free meanwhile.
    await migration.queue.add(SLOT + 1, SLOT + 1, 3, 0);
    await until(async () => await migration.slot(SLOT + 1) === "online 3");
    assertEquals(await client.call("DBSIZE"), arrived);
  });
  await migration.done();
  using client = await servers[1]!.client();
  assertEquals(await client.call("MGET", ...KEYS), KEYS);
});

Deno.test("a task that was deleted by hand is given up", async () => {
  await using servers = await filled();
  await using migration = await Migration.start(servers, SLOW);
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, 200);
  await migration.store.coordinator.delete(migration.store.paths.migrateTask(name!));
  await migration.done();
  assertEquals(await migration.slot(SLOT), "migrate 1>2 in 2");
  // A new task takes it up.
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 2");
  await assertAllAt(servers, 1);
});
