/**
 * Slots move between codis-servers, by their own commands.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { isRestoring, parseClientList } from "../../../src/resp/client_list.ts";
import { CodisServer } from "../../support/codis_server.ts";
import { keysInSlots } from "../../support/counting_load.ts";
import { until } from "../../support/deadline.ts";
import { Migration } from "../../support/migration.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { keyWhere } from "../../support/router_server.ts";

const SLOT = 100;
const TAG = `{${keyWhere((slotId) => slotId === SLOT)}}`;

Deno.test("codis-servers are asked for their slots, tag by tag, in every database", async () => {
  await using source = await CodisServer.start();
  await using target = await CodisServer.start();
  await using migration = await Migration.start([source, target]);
  using old = await source.client();
  using now = await target.client();
  for (const database of [0, 3]) {
    await old.call("SELECT", database);
    for (let i = 0; i < 30; i++) await old.call("SET", `${TAG}${i}`, `${i}`, "PX", 600_000);
    await old.call("SET", keyWhere((slotId) => slotId === SLOT + 1), "other");
    await old.call("SET", "stays", "v");
  }
  await migration.queue.add(SLOT, SLOT + 1, 2, 0);
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 2");
  for (const database of [0, 3]) {
    await old.call("SELECT", database);
    await now.call("SELECT", database);
    assertEquals(await old.call("KEYS", "*"), ["stays"]);
    assertEquals(await now.call("DBSIZE"), 31);
    assert(await now.call("PTTL", `${TAG}7`) as number > 590_000);
  }
  const asked = source.slotCommands.filter((line) => line.startsWith("SLOTSMGRTTAG"));
  const [host, port] = target.addr.split(":");
  assert(asked.every((line) => line.startsWith(`SLOTSMGRTTAGSLOT ${host} ${port} 3000 10`)));
});

Deno.test("a delay is kept between two keys or tags", async () => {
  await using source = await CodisServer.start();
  await using target = await CodisServer.start();
  await using migration = await Migration.start([source, target]);
  using old = await source.client();
  const keys = Array.from({ length: 5 }, (_, i) => keyWhere((slotId) => slotId === SLOT, `k${i}:`));
  for (const key of keys) await old.call("SET", key, "v");
  const startedMs = performance.now();
  await migration.queue.add(SLOT, SLOT, 2, 100);
  await until(() => (migration.queue.views()[0]?.keys_moved ?? 0) >= 2);
  const { keys_moved, keys_left } = migration.queue.views()[0]!;
  assertEquals(keys_moved + keys_left!, 5);
  await migration.done();
  assert(performance.now() - startedMs >= 400);
});

Deno.test("a target that goes away and comes back delays a codis-server's slot no longer than that", async () => {
  await using source = await CodisServer.start();
  await using target = await CodisServer.start();
  await using migration = await Migration.start([source, target], { migrateMs: 400 });
  using old = await source.client();
  for (let i = 0; i < 300; i++) {
    await old.call(
      "SET",
      keyWhere((slotId) => slotId === SLOT, `k${i}:`),
      "v",
    );
  }
  await migration.queue.add(SLOT, SLOT, 2, 1);
  await until(() => (migration.queue.views()[0]?.keys_moved ?? 0) >= 10);
  target.redis.pause();
  await until(() => migration.queue.views()[0]?.problem !== "", 60_000);
  target.redis.resume();
  await migration.done();
  using now = await target.client();
  assertEquals([await old.call("DBSIZE"), await now.call("DBSIZE")], [0, 300]);
});

Deno.test("no connection is closed without need, and one that is closed by others costs nothing", async () => {
  await using source = await CodisServer.start();
  await using target = await CodisServer.start();
  await using migration = await Migration.start([source, target], { slotsPerChange: 4 });
  using old = await source.client();
  using now = await target.client();
  const keys = keysInSlots(Array.from({ length: 40 }, (_, i) => SLOT + i), 20);
  await old.pipeline(keys.map((key) => ["SET", key, "v"]));
  const kept = async () =>
    parseClientList(String(await now.call("CLIENT", "LIST"))).filter(isRestoring)
      .map(({ id }) => id);
  await migration.queue.add(SLOT, SLOT + 9, 2, 0);
  await migration.done();
  const first = await kept();
  assert(first.length > 0);
  await migration.queue.add(SLOT + 10, SLOT + 19, 2, 0);
  await migration.done();
  assertEquals(await kept(), first);

  await migration.queue.add(SLOT + 20, SLOT + 39, 2, 0);
  const problems: string[] = [];
  const movedKeys = async () => Number(await now.call("DBSIZE"));
  for (let moved = 0; migration.queue.views().length > 0; await delay(20)) {
    problems.push(...migration.queue.views().map(({ problem }) => problem).filter(Boolean));
    // However slow the machine is: what was closed is not closed again before a key has moved.
    if (await movedKeys() === moved) continue;
    moved = await movedKeys();
    for (const id of await kept()) await now.call("CLIENT", "KILL", "ID", id);
  }
  assertEquals(problems, []);
  assertEquals([await old.call("DBSIZE"), await now.call("DBSIZE")], [0, keys.length]);
});

Deno.test("nothing moves from a stock server to a codis-server: both are named, and the slot is served as before", async () => {
  await using codis = await CodisServer.start();
  await using stock = await RedisServer.start();
  await using migration = await Migration.start([stock, codis]);
  using old = await stock.client();
  await old.call("SET", `${TAG}k`, "v");
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await until(() => migration.queue.views()[0]?.problem !== "");
  const [view] = migration.queue.views();
  assertEquals(view!.status, "pending");
  assertMatch(
    view!.problem,
    /^\S+ is a codis-server and \S+ is not: keys move away from codis-servers only/,
  );
  assertStringIncludes(view!.problem, codis.addr);
  assertStringIncludes(view!.problem, stock.addr);
  assertEquals(await migration.slot(SLOT), "online 1");
  assertEquals(await old.call("GET", `${TAG}k`), "v");
  await migration.queue.cancelAll();
  await migration.done();
  assertMatch(migration.control.changes.at(-1)!, /cancelled/);
});
