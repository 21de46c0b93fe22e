/**
 * Big keys: reported before one moves, and moved, or left, as the operator has chosen.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { PROBE_PREFIX } from "../../../src/resp/probe_key.ts";
import { loadSlot, saveSlot } from "../../../src/store/slots.ts";
import { until } from "../../support/deadline.ts";
import { FakeTimers } from "../../support/fake_timers.ts";
import { Migration, type MigrationTestOptions } from "../../support/migration.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { keyWhere } from "../../support/router_server.ts";

const SLOT = 100;
const TAG = `{${keyWhere((slotId) => slotId === SLOT)}}`;
const SMALL = Array.from({ length: 1_000 }, (_, i) => `${TAG}${i}`);
const BIG_BYTES = 100_000;
/** Wait of a slot with a refused big key: twice the longest wait. */
const LASTING_MS = 400;

/** Two servers, the first of which has a slot with small keys and two big ones. */
async function filled() {
  const servers = await RedisServer.startMany(2);
  using client = await servers[0]!.client();
  await client.call("SET", `${TAG}big`, "x".repeat(2 * BIG_BYTES));
  await client.call("SET", `${TAG}bigger`, "x".repeat(30 * BIG_BYTES));
  await client.pipeline(SMALL.map((key) => ["SET", key, "v"]));
  return servers;
}

/** How many keys a server has, without the one by which a move is tried out. */
async function sizeOf(client: RespClient): Promise<number> {
  const keys = await client.call("KEYS", "*") as string[];
  return keys.filter((key) => !key.startsWith(PROBE_PREFIX)).length;
}

/** How many SCANs a server has executed. */
async function scansOf(client: RespClient): Promise<number> {
  const stats = String(await client.call("INFO", "commandstats"));
  return Number(/cmdstat_scan:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

function start(servers: readonly RedisServer[], options: MigrationTestOptions): Promise<Migration> {
  return Migration.start(servers, { bigKeyBytes: BIG_BYTES, ...options });
}

for (const bigKeyPolicy of ["last", "warn"] as const) {
  Deno.test(`big keys are listed with what they cost before one moves: ${bigKeyPolicy}`, async () => {
    await using servers = await filled();
    // Slow enough to be watched.
    await using migration = await start(servers, { bigKeyPolicy, keysPerSecond: 1_000 });
    await migration.queue.add(SLOT, SLOT, 2, 0);
    await until(() => migration.queue.views()[0]?.big_keys.length === 2);
    const [view] = migration.queue.views();
    assertEquals(view!.problem, "");
    const [bigger, big] = view!.big_keys;
    assertEquals([bigger!.key, big!.key], [`${TAG}bigger`, `${TAG}big`]);
    assertGreater(bigger!.bytes, 30 * BIG_BYTES);
    assert(bigger!.stop_ms >= 100 && bigger!.stop_ms < 400, `${bigger!.stop_ms} ms`);
    assertEquals([bigger!.database, bigger!.stays], [0, false]);
    using target = await servers[1]!.client();
    assertEquals(await target.call("EXISTS", `${TAG}big`, `${TAG}bigger`), 0);
    if (bigKeyPolicy === "warn") {
      assertMatch(view!.note, /^2 big keys move last: ".*bigger" with .* for about \d+ ms$/);
    } else {
      assertEquals(view!.note, "");
    }
    await migration.done();
    const level = bigKeyPolicy === "warn" ? "warning" : "info";
    const told = migration.control.events.filter((event) => event.includes("has a big key"));
    assertEquals(told.map((event) => event.split(":")[0]), [level, level]);
    assertEquals(await sizeOf(target), SMALL.length + 2);
  });
}

Deno.test("a slot with a refused big key does not start, and all else goes on", async () => {
  await using servers = await filled();
  const timers = new FakeTimers();
  const retry = { firstMs: 50, maxMs: 200 };
  await using migration = await start(servers, { bigKeyPolicy: "refuse", retry, timers });
  const { queue } = migration;
  await queue.add(SLOT, SLOT + 20, 2, 0);
  await until(() => queue.views().length === 1 && queue.views()[0]!.problem !== "");
  const [view] = queue.views();
  assertMatch(
    view!.problem,
    /^big key ".*bigger" with 3\.\d MB and 1 more stays at .* \(migrate_big_key_policy = refuse\): /,
  );
  assertEquals(view!.big_keys.map(({ stays }) => stays), [true, true]);
  assertEquals(await migration.slot(SLOT), "online 1");
  assertEquals(await migration.slot(SLOT + 20), "online 2");
  using source = await servers[0]!.client();
  using target = await servers[1]!.client();
  assertEquals([await sizeOf(source), await sizeOf(target)], [SMALL.length + 2, 0]);
  // Each is reported once, however often the slot is tried again.
  for (let retries = 0; retries < 3; retries++) {
    const before = await scansOf(source);
    await until(() => timers.nextMs === LASTING_MS);
    timers.advance(LASTING_MS);
    await until(async () => await scansOf(source) > before);
  }
  const told = migration.control.events.filter((event) => event.includes("has a big key"));
  assertEquals(told.length, 2, told.join("\n"));
  // As soon as they are gone, the slot arrives. The look of before is over: it might see them go.
  await until(() => timers.nextMs === LASTING_MS);
  await source.call("DEL", `${TAG}big`, `${TAG}bigger`);
  timers.advance(LASTING_MS);
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 2");
  assertEquals(await sizeOf(target), SMALL.length);
});

Deno.test("a refused big key that is met during a move stays, and its slot can be cancelled", async () => {
  await using servers = await filled();
  await using migration = await Migration.make(servers, {
    bigKeyBytes: BIG_BYTES,
    bigKeyPolicy: "refuse",
  });
  // As a dashboard with another policy left it.
  const slot = await loadSlot(migration.store, SLOT);
  const state = { ...slot.state, status: "migrate", migrate_status: { from: 1, to: 2 } } as const;
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await saveSlot(migration.store, { ...slot, group_id: 2, state });
  await migration.queue.start();
  await until(() => migration.queue.views()[0]?.problem !== "");
  const [view] = migration.queue.views();
  assertEquals(view!.big_keys.length, 2);
  assertEquals(await migration.slot(SLOT), "migrate 1>2 in 2");
  using source = await servers[0]!.client();
  using target = await servers[1]!.client();
  assertEquals([await sizeOf(source), await sizeOf(target)], [2, SMALL.length]);
  await migration.queue.cancel(view!.name);
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 1");
  assertEquals(await sizeOf(source), SMALL.length + 2);
});

Deno.test("sizes are not asked for while nobody uses the servers and their keys are alike", async () => {
  await using servers = await RedisServer.startMany(2);
  const keys = Array.from({ length: 5_000 }, (_, i) => `${TAG}${i}`);
  using client = await servers[0]!.client();
  // In one command: a server that has executed many is used.
  await client.call("MSET", ...keys.flatMap((key) => [key, "x".repeat(64)]));
  const size = Number(await client.call("MEMORY", "USAGE", keys[0]!));
  await using migration = await start(servers, { bigKeyBytes: 1024 ** 2 });
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await migration.done();
  const stats = String(await client.call("INFO", "commandstats"));
  const asked = Number(/cmdstat_memory\|usage:calls=(\d+)/.exec(stats)?.[1]);
  // Those of one sample: the list of big keys and the first round need no two.
  assert(asked < 1_500, `${asked} sizes`);
  const { keys: moved, bytes } = migration.queue.moved;
  assertEquals(moved, keys.length);
  assert(bytes > 0.8 * size * moved && bytes < 1.2 * size * moved, `${bytes} bytes`);
});
