/**
 * A request for migrations that the store takes in part: it is taken back, or the answer says what will migrate.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ConnectionLossError } from "../../../src/coordinator/errors.ts";
import { drainGroup, rebalance } from "../../../src/migration/rebalance/request.ts";
import { loadMigrateTasks } from "../../../src/store/migrate_tasks.ts";
import { StoreError } from "../../../src/store/store.ts";
import { until } from "../../support/deadline.ts";
import { fillingUp } from "../../support/full_store.ts";
import { newQueue } from "../../support/migration.ts";
import { ScriptedControl } from "../../support/scripted_control.ts";
import { StoreFolder } from "../../support/store.ts";

const SERVERS = ["10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"];

Deno.test("on a full disk nothing is migrated, and what was stored is deleted when there is room", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled(SERVERS.join(","));
  const full = fillingUp(store, 6);
  const control = new ScriptedControl(full);
  const queue = newQueue(control);
  await queue.start();
  const error = await assertRejects(() => queue.add(0, 10, 2, 0), StoreError);
  assertEquals(
    error.message.replace(/"[^"]+"/, "…"),
    "cannot create …: No space left on device (os error 28). Not migrated: slots 0-10. Tasks were stored and " +
      "cannot be deleted now: those of slots 0-5 are deleted when the store takes changes again",
  );
  const stored = await loadMigrateTasks(store);
  assertEquals(stored.map(({ task }) => task.slot_id), [0, 1, 2, 3, 4, 5]);
  assertMatch(queue.views()[0]!.note, /^it will not move: its task is deleted when/);
  full.makeRoom();
  await until(async () => (await loadMigrateTasks(store)).length === 0);
  await until(() => queue.views().length === 0);
  assertEquals(control.changes.filter((text) => text !== ""), [
    "6 migration tasks with nothing to do",
  ]);
  await queue.stop();
});

Deno.test("tasks that can be taken back are, and the answer is the cause alone", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled(SERVERS.join(","));
  const control = new ScriptedControl(store);
  let asked = 0;
  control.proveLead = () =>
    ++asked === 1 ? Promise.resolve() : Promise.reject(new ConnectionLossError("/zk", "gone"));
  await assertRejects(() => newQueue(control).add(0, 40, 2, 0), ConnectionLossError, "gone");
  assertEquals(await loadMigrateTasks(store), []);
});

Deno.test("a rebalance by requests names all proxies that do not report them", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled(SERVERS.join(","));
  const control = new ScriptedControl(store);
  const withoutLoad = ["one", "two"];
  const context = {
    ...{ store, redis: control.redis, migrations: newQueue(control) },
    monitor: { slotLoad: { opsBySlot: [] }, proxies: { withoutLoad } },
  };
  await assertRejects(
    () => rebalance(context, { by: "ops", isDryRun: true, delayMs: 0 }),
    StoreError,
    "proxies one, two do not report how many requests each slot gets",
  );
});

Deno.test("a rebalance that stops half-way says which slots are queued", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled(SERVERS.join(","));
  const control = new ScriptedControl(store);
  const queue = newQueue(control);
  const add = queue.add.bind(queue);
  let count = 0;
  queue.add = (...words) =>
    ++count === 1 ? add(...words) : Promise.reject(new StoreError("the store is full"));
  const context = {
    ...{ store, redis: control.redis, migrations: queue },
    monitor: { slotLoad: { opsBySlot: [] }, proxies: { withoutLoad: [] } },
  };
  const error = await assertRejects(
    () => drainGroup(context, 1, { isDryRun: false, delayMs: 0 }),
    StoreError,
  );
  const stored = (await loadMigrateTasks(store)).map(({ task }) => task.slot_id);
  assertEquals(
    error.message,
    `the store is full. Before that, ${stored.length} of 342 slots were queued and will be migrated: ` +
      `slots ${stored[0]}-${stored.at(-1)}`,
  );
});
