/**
 * The queue's own time: tasks that have failed wait, longer each time, and others go on meanwhile.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { NotLeaderError } from "../../../src/control/errors.ts";
import { RedisUnreachableError } from "../../../src/redis/connection.ts";
import { createMigrateTask, loadMigrateTasks } from "../../../src/store/migrate_tasks.ts";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { FakeTimers } from "../../support/fake_timers.ts";
import { Migration, newQueue } from "../../support/migration.ts";

/** Not a multiple of a second, unlike the stream's own timer. */
const RETRY = { firstMs: 700, maxMs: 3_000, jitter: 0 };
const SERVERS = [{ addr: "10.0.0.1:6379" }, { addr: "10.0.0.2:6379" }];

/** A store with a task, a queue whose servers cannot be reached, and the addresses it has tried. */
async function unreachable(timers: FakeTimers) {
  const migration = await Migration.make(SERVERS, { retry: RETRY, timers });
  const tries: string[] = [];
  migration.control.redis = (addr) => {
    tries.push(addr);
    return Promise.reject(new RedisUnreachableError(`${addr}: connection refused`));
  };
  await createMigrateTask(migration.store, {
    ...{ slot_id: 1, new_group: 2, delay: 0, create_at: "0", percent: 0, status: "pending" },
  });
  await migration.queue.start();
  return { migration, queue: migration.queue, tries };
}

Deno.test("a route that fails is tried again after longer and longer waits, and not before", async () => {
  const timers = new FakeTimers();
  const { migration, queue, tries } = await unreachable(timers);
  await using _ = migration;
  for (const waitMs of [700, 1_400, 2_800, 3_000, 3_000]) {
    await until(() => timers.nextMs === waitMs);
    const before = tries.length;
    timers.advance(waitMs - 1);
    await queue.cancel("none").catch(() => {}); // a request later, nothing was tried
    assertEquals(tries.length, before);
    timers.advance(1);
    await until(() => tries.length > before);
  }
  const reported = migration.control.events.filter((text) => text.includes("waits"));
  assertEquals(
    reported,
    [`warning: migration from group 1 to 2 waits: ${SERVERS[0]!.addr}: connection refused`],
    "the same problem is reported once",
  );
});

Deno.test("a failed change keeps all migrations, and they go on by themselves", async () => {
  const timers = new FakeTimers();
  const { migration, queue, tries } = await unreachable(timers);
  await using _ = migration;
  await until(() => timers.nextMs === RETRY.firstMs);
  // What was half made is completed first, and cannot be.
  let isDown = true;
  migration.control.beforeChange = () => {
    if (isDown) throw new Error("the coordinator is gone");
  };
  await queue.pause().catch(() => {});
  await queue.stop();
  const next = newQueue(migration.control, { retry: RETRY, timers });
  await next.start();
  await until(() => timers.nextMs === RETRY.firstMs);
  assert(migration.control.events.includes("warning: migrations wait: the coordinator is gone"));
  const before = tries.length;
  isDown = false;
  timers.advance(RETRY.firstMs);
  await until(() => tries.length > before);
  await next.stop();
});

Deno.test("while migrations are paused no timer starts one", async () => {
  const timers = new FakeTimers();
  const { migration, queue, tries } = await unreachable(timers);
  await using _ = migration;
  await until(() => timers.nextMs === RETRY.firstMs);
  await queue.pause();
  const before = tries.length;
  timers.advance(60_000);
  await queue.cancel("none").catch(() => {});
  assertEquals(tries.length, before);
  assertEquals(queue.views().map(({ phase }) => phase), ["paused"]);
  await queue.resume();
  await until(() => tries.length > before);
});

Deno.test("a stop waits for a change that hangs, but not for ever", async () => {
  const timers = new FakeTimers();
  const { migration, queue } = await unreachable(timers);
  await until(() => timers.nextMs === RETRY.firstMs);
  const hanging = Promise.withResolvers<void>();
  migration.control.beforeChange = () => hanging.promise;
  const cancelling = queue.cancel(queue.views()[0]!.name);
  let isStopped = false;
  const stopped = queue.stop().then(() => isStopped = true);
  timers.advance(4_999);
  await delay(0);
  assertEquals(isStopped, false);
  timers.advance(1);
  await stopped;
  hanging.resolve();
  await cancelling;
  await migration[Symbol.asyncDispose]();
});

Deno.test("a dashboard that another one has replaced, and that does not know yet, stores no tasks", async () => {
  const { migration, queue } = await unreachable(new FakeTimers());
  await using _ = migration;
  const before = await loadMigrateTasks(migration.store);
  migration.control.isReplaced = true;
  await assertRejects(() => queue.add(2, 40, 2, 0), NotLeaderError);
  assertEquals(await loadMigrateTasks(migration.store), before);
});
