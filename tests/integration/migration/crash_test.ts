/**
 * A dashboard that dies at any step of a migration leaves a store from which the next one goes on.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { encodeSlot, slotIn, type SlotRecord, type SlotStatus } from "../../../src/model/slot.ts";
import type { MigrateTaskStatus } from "../../../src/model/migrate_task.ts";
import { createMigrateTask } from "../../../src/store/migrate_tasks.ts";
import { saveSlot } from "../../../src/store/slots.ts";
import { CodisServer } from "../../support/codis_server.ts";
import { until } from "../../support/deadline.ts";
import { Migration, newQueue } from "../../support/migration.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { keyWhere } from "../../support/router_server.ts";
import { ScriptedControl } from "../../support/scripted_control.ts";

const SLOT = 100;
const TAG = `{${keyWhere((slotId) => slotId === SLOT)}}`;
const KEYS = Array.from({ length: 40 }, (_, i) => `${TAG}${i}`);

function slot(status: SlotStatus, group: number, from = -1, to = -1): SlotRecord {
  const at = slotIn("test", SLOT, group, status);
  return { ...at, state: { ...at.state, migrate_status: { from, to } } };
}

/** Stores a task for the slot, as a dashboard that is gone has left it. */
async function storeTask(
  { store }: Migration,
  groupId: number,
  status: MigrateTaskStatus,
): Promise<void> {
  await createMigrateTask(store, {
    ...{ slot_id: SLOT, new_group: groupId, delay: 0, create_at: "1700000000", percent: 0, status },
  });
}

/** What a dashboard may leave: the task, the slot, where the keys are, and where they end. */
interface Left {
  readonly what: string;
  readonly goal: number;
  readonly status: MigrateTaskStatus;
  readonly slot: SlotRecord;
  /** Keys that are at group 1's server; the others are at group 2's. */
  readonly atFirst: number;
  readonly ends: 1 | 2;
}

const ALL = KEYS.length;
const LEFT: readonly Left[] = [
  { what: "task made", goal: 2, status: "pending", slot: slot("online", 1), atFirst: ALL, ends: 2 },
  {
    what: "task at work, slot untouched (Codis 2.0)",
    goal: 2,
    status: "migrating",
    slot: slot("online", 1),
    atFirst: ALL,
    ends: 2,
  },
  {
    what: "slot blocked",
    goal: 2,
    status: "migrating",
    slot: slot("pre_migrate", 1),
    atFirst: ALL,
    ends: 2,
  },
  {
    what: "slot in migrate",
    goal: 2,
    status: "migrating",
    slot: slot("migrate", 2, 1, 2),
    atFirst: ALL,
    ends: 2,
  },
  {
    what: "some keys moved",
    goal: 2,
    status: "migrating",
    slot: slot("migrate", 2, 1, 2),
    atFirst: 15,
    ends: 2,
  },
  {
    what: "some keys moved, task failed",
    goal: 2,
    status: "error",
    slot: slot("migrate", 2, 1, 2),
    atFirst: 15,
    ends: 2,
  },
  {
    what: "all keys moved",
    goal: 2,
    status: "migrating",
    slot: slot("migrate", 2, 1, 2),
    atFirst: 0,
    ends: 2,
  },
  {
    what: "slot moved, task left (Codis 2.0)",
    goal: 2,
    status: "migrating",
    slot: slot("online", 2),
    atFirst: 0,
    ends: 2,
  },
  {
    what: "task failed, slot rolled back",
    goal: 2,
    status: "error",
    slot: slot("online", 1),
    atFirst: ALL,
    ends: 2,
  },
  {
    what: "cancelled in migrate",
    goal: 1,
    status: "migrating",
    slot: slot("migrate", 2, 1, 2),
    atFirst: 15,
    ends: 1,
  },
  {
    what: "cancelled, slot blocked",
    goal: 1,
    status: "migrating",
    slot: slot("pre_migrate", 2, 1, 2),
    atFirst: 15,
    ends: 1,
  },
  {
    what: "cancelled, on its way back",
    goal: 1,
    status: "migrating",
    slot: slot("migrate", 1, 2, 1),
    atFirst: 30,
    ends: 1,
  },
  {
    what: "cancelled, all back",
    goal: 1,
    status: "migrating",
    slot: slot("migrate", 1, 2, 1),
    atFirst: ALL,
    ends: 1,
  },
  {
    what: "cancelled and taken back",
    goal: 2,
    status: "migrating",
    slot: slot("pre_migrate", 2, 1, 2),
    atFirst: 15,
    ends: 2,
  },
];

for (
  const [kind, start] of [["stock", RedisServer.start], [
    "codis-server",
    CodisServer.start,
  ]] as const
) {
  Deno.test(`the next dashboard goes on from what was left: ${kind}`, async () => {
    await using first = await start();
    await using second = await start();
    using one = await first.client();
    using two = await second.client();
    for (const left of LEFT) {
      await using migration = await Migration.make([first, second]);
      for (const client of [one, two]) await client.call("FLUSHALL");
      for (const [i, key] of KEYS.entries()) {
        await (i < left.atFirst ? one : two).call("SET", key, key);
      }
      await saveSlot(migration.store, left.slot);
      await storeTask(migration, left.goal, left.status);
      await migration.queue.start();
      await migration.done();
      assertEquals(await migration.slot(SLOT), `online ${left.ends}`, left.what);
      const [here, there] = left.ends === 1 ? [one, two] : [two, one];
      assertEquals(await here.call("MGET", ...KEYS), KEYS, left.what);
      assertEquals(await there.call("DBSIZE"), 0, left.what);
    }
  });
}

Deno.test("a key that both servers have when a dashboard takes over is the target's", async () => {
  await using servers = await RedisServer.startMany(2);
  using one = await servers[0]!.client();
  using two = await servers[1]!.client();
  await using migration = await Migration.make(servers);
  await one.call("MSET", `${TAG}a`, "old", `${TAG}b`, "old", `${TAG}c`, "c");
  await two.call("MSET", `${TAG}a`, "new", `${TAG}b`, "old");
  await saveSlot(migration.store, slot("migrate", 2, 1, 2));
  await storeTask(migration, 2, "migrating");
  await migration.queue.start();
  await migration.done();
  assertEquals(await two.call("MGET", `${TAG}a`, `${TAG}b`, `${TAG}c`), ["new", "old", "c"]);
  assertEquals(await one.call("DBSIZE"), 0);
});

Deno.test("the same when it goes back: the new server's keys count", async () => {
  await using servers = await RedisServer.startMany(2);
  using one = await servers[0]!.client();
  using two = await servers[1]!.client();
  await using migration = await Migration.make(servers);
  await one.call("MSET", `${TAG}a`, "old", `${TAG}c`, "c");
  await two.call("MSET", `${TAG}a`, "new", `${TAG}b`, "b");
  await saveSlot(migration.store, slot("migrate", 2, 1, 2));
  await storeTask(migration, 1, "migrating");
  await migration.queue.start();
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 1");
  assertEquals(await one.call("MGET", `${TAG}a`, `${TAG}b`, `${TAG}c`), ["new", "b", "c"]);
  assertEquals(await two.call("DBSIZE"), 0);
});

Deno.test("a dashboard that is stopped at any moment leaves what the next one finishes", async () => {
  await using servers = await RedisServer.startMany(2);
  const keys = Array.from({ length: 3_000 }, (_, i) => `k${i}`);
  {
    using one = await servers[0]!.client();
    await one.pipeline(keys.map((key) => ["SET", key, key]));
  }
  await using migration = await Migration.make(servers, { keysPerSecond: 5_000 });
  const { store } = migration;
  await migration.queue.add(0, 127, 2, 0);
  let queues = 0;
  for (; queues < 30; queues++) {
    const queue = newQueue(new ScriptedControl(store), { keysPerSecond: 5_000, slotsAtOnce: 40 });
    await queue.start();
    await delay(20 + Math.random() * 100);
    await queue.stop();
    if (queue.views().length === 0) break;
  }
  const queue = newQueue(new ScriptedControl(store));
  await queue.start();
  await until(() => queue.views().length === 0, 30_000);
  await queue.stop();
  assert(queues > 2, `${queues} dashboards`);
  using one = await servers[0]!.client();
  using two = await servers[1]!.client();
  const counts = [await one.call("DBSIZE"), await two.call("DBSIZE")] as number[];
  assertEquals(counts[0]! + counts[1]!, keys.length);
  for (const key of keys) {
    const [atOne, atTwo] = [await one.call("GET", key), await two.call("GET", key)];
    assertEquals([atOne, atTwo].filter((value) => value !== null), [key]);
  }
  const slots = await Promise.all(Array.from({ length: 128 }, (_, i) => migration.slot(i)));
  assert(slots.every((text) => text === "online 2"), slots.join(" "));
});

for (const how of ["stop", "pause"] as const) {
  Deno.test(`nothing starts after a ${how} that came during a round of the scheduler`, async () => {
    await using servers = await RedisServer.startMany(2);
    await using migration = await Migration.make(servers);
    const { control, queue } = migration;
    await queue.add(0, 7, 2, 0);
    const planning = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    // The first change checks that the dashboard leads.
    control.beforeChange = () => {
      control.beforeChange = () => {};
      planning.resolve();
      return goOn.promise;
    };
    await queue.start();
    await planning.promise;
    const ended = how === "stop" ? queue.stop() : queue.pause();
    goOn.resolve();
    await ended;
    await delay(300);
    assertEquals(await migration.slot(0), "online 1");
    assertEquals(control.changes.filter((text) => text.startsWith("slots")), []);
  });
}

Deno.test("steps are written as Codis 2.0 writes them", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers);
  const written: string[] = [];
  migration.control.beforeChange = ({ writes, announcements }) => {
    for (const { path, data } of writes) {
      written.push(`${path.split("/").slice(-2).join("/")} ${data}`);
    }
    for (const { type, target } of announcements) {
      written.push(`${type} ${encodeSlot(target as SlotRecord)}`);
    }
  };
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 7);
  await migration.done();
  const record = (group: number, status: string, from: number, to: number) =>
    `{"product_name":"test","id":100,"group_id":${group},"state":{"status":"${status}",` +
    `"migrate_status":{"from":${from},"to":${to}},"last_op_ts":"0"}}`;
  const createAt = /"create_at":"(\d+)"/.exec(written.join())![1];
  assertEquals(written, [
    `slots/slot_100 ${record(1, "pre_migrate", -1, -1)}`,
    `migrate_tasks/${name} {"slot_id":100,"new_group":2,"delay":7,"create_at":"${createAt}","percent":0,"status":"migrating"}`,
    `slot_premigrate ${record(1, "pre_migrate", -1, -1)}`,
    `slots/slot_100 ${record(2, "migrate", 1, 2)}`,
    `slot_migrate ${record(2, "migrate", 1, 2)}`,
    `slots/slot_100 ${record(2, "online", -1, -1)}`,
    `migrate_tasks/${name} null`,
    `slot_changed ${record(2, "online", -1, -1)}`,
  ]);
});
