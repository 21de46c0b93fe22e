/**
 * Slots move between stock redis-servers: every kind of key, whole and once.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { slotIdOf } from "../../../src/hash/slot_id.ts";
import { slotIn } from "../../../src/model/slot.ts";
import { createGroup, saveServer } from "../../../src/store/groups.ts";
import { loadMigrateTasks } from "../../../src/store/migrate_tasks.ts";
import { saveSlot } from "../../../src/store/slots.ts";
import { until } from "../../support/deadline.ts";
import { Migration } from "../../support/migration.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { Word } from "../../support/resp_client.ts";
import { keyWhere } from "../../support/router_server.ts";

const SLOT = 100;
const TAG = `{${keyWhere((slotId) => slotId === SLOT)}}`;

/** A key of each type, with the command that makes it and one that shows it. */
const KINDS: readonly (readonly [make: Word[], show: Word[]])[] = [
  [["SET", `${TAG}string`, "v"], ["GET", `${TAG}string`]],
  [["RPUSH", `${TAG}list`, "a", "b", "c"], ["LRANGE", `${TAG}list`, 0, -1]],
  [["HSET", `${TAG}hash`, "f", "1", "g", "2"], ["HGETALL", `${TAG}hash`]],
  [["SADD", `${TAG}set`, "only"], ["SMEMBERS", `${TAG}set`]],
  [["ZADD", `${TAG}zset`, 1.5, "a", 2.5, "b"], ["ZRANGE", `${TAG}zset`, 0, -1, "WITHSCORES"]],
  [["XADD", `${TAG}stream`, "1-1", "f", "v"], ["XRANGE", `${TAG}stream`, "-", "+"]],
  [["PFADD", `${TAG}hll`, "a", "b", "c"], ["PFCOUNT", `${TAG}hll`]],
  [["SETBIT", `${TAG}bits`, 1000, 1], ["BITPOS", `${TAG}bits`, 1]],
];

Deno.test("every type of key moves whole, with its time to live, and other slots' keys stay", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers);
  using old = await servers[0]!.client();
  using now = await servers[1]!.client();
  for (const [make] of KINDS) await old.call(...make);
  await old.call("SET", `${TAG}ttl`, "v", "PX", 600_000);
  await old.call("SET", "stays", "v");
  const shown = [];
  for (const [, show] of KINDS) shown.push(await old.call(...show));

  await migration.queue.add(SLOT, SLOT, 2, 0);
  await migration.done();

  assertEquals(await migration.slot(SLOT), "online 2");
  assertEquals(await old.call("KEYS", "*"), ["stays"]);
  for (const [i, [, show]] of KINDS.entries()) assertEquals(await now.call(...show), shown[i]);
  const left = await now.call("PTTL", `${TAG}ttl`);
  assert(typeof left === "number" && left > 590_000 && left <= 600_000, `TTL is ${left}`);
  assertEquals(await now.call("TTL", `${TAG}string`), -1);
});

Deno.test("keys of all 16 databases move, of any bytes, and no others", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers);
  using old = await servers[0]!.client();
  using now = await servers[1]!.client();
  const keys = [
    new Uint8Array(0),
    new Uint8Array([0, 13, 10, 255, 128]),
    Uint8Array.from({ length: 256 }, (_, i) => 255 - i),
    ...Array.from({ length: 50 }, (_, i) => new TextEncoder().encode(`key ${i}\r\n`)),
  ];
  const isMoving = (key: Uint8Array) => slotIdOf(key, 0, key.length) < 256;
  for (let database = 0; database < 16; database++) {
    await old.call("SELECT", database);
    for (const key of keys) await old.call("SET", key, `${database}`);
  }

  await migration.queue.add(0, 255, 2, 0);
  await migration.done();

  for (let database = 0; database < 16; database++) {
    await old.call("SELECT", database);
    await now.call("SELECT", database);
    for (const key of keys) {
      const [here, there] = isMoving(key) ? [now, old] : [old, now];
      assertEquals(await here.call("GET", key), `${database}`);
      assertEquals(await there.call("EXISTS", key), 0);
    }
  }
});

Deno.test("keys of one tag move like all others, and a slot without keys moves at once", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers);
  using old = await servers[0]!.client();
  using now = await servers[1]!.client();
  const keys = Array.from({ length: 300 }, (_, i) => `${TAG}:${i}`);
  await old.pipeline(keys.map((key) => ["SET", key, key]));
  await migration.queue.add(SLOT - 1, SLOT + 1, 2, 0);
  await migration.done();
  assertEquals(await now.call("MGET", ...keys), keys);
  assertEquals(await old.call("DBSIZE"), 0);
  for (const slotId of [SLOT - 1, SLOT, SLOT + 1]) {
    assertEquals(await migration.slot(slotId), "online 2");
  }
});

Deno.test("sources log in at targets, with a password alone and with a user", async () => {
  for (
    const [user, args] of [
      ["", ["--requirepass", "pass word"]],
      ["mover", [..."--user mover on >secret ~* &* +@all --user default off".split(" ")]],
    ] as const
  ) {
    const password = user === "" ? "pass word" : "secret";
    await using servers = await RedisServer.startMany(2, { args });
    await using migration = await Migration.start(servers, { user, password });
    const clients = await Promise.all(servers.map((server) => server.client()));
    using old = clients[0]!;
    using now = clients[1]!;
    for (const client of clients) {
      await client.call("AUTH", ...(user === "" ? [password] : [user, password]));
    }
    await old.call("SET", `${TAG}k`, "v");
    await migration.queue.add(SLOT, SLOT, 2, 0);
    await migration.done();
    assertEquals(await now.call("GET", `${TAG}k`), "v");
  }
});

Deno.test("a big key is reported first, and moves alone after all others", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers, { bigKeyBytes: 100_000 });
  using old = await servers[0]!.client();
  await old.call("SET", `${TAG}big`, "x".repeat(300_000));
  await old.call("SET", `${TAG}bigger`, "x".repeat(500_000));
  await old.pipeline(
    Array.from({ length: 2_500 }, (_, i) => ["SET", `${TAG}${i}`, "v"]),
  );
  using monitor = await servers[0]!.client();
  await monitor.call("MONITOR");
  await migration.queue.add(SLOT, SLOT, 2, 0);
  const moves: string[] = [];
  while (!moves.at(-1)?.includes("bigger")) {
    const line = String((await monitor.read()).value);
    if (line.includes('"MIGRATE"')) moves.push(line);
  }
  await migration.done();
  assertMatch(moves.at(-1)!, /"KEYS" "[^"]*bigger"$/);
  assertMatch(moves.at(-2)!, /"KEYS" "[^"]*big"$/);
  assert(moves.slice(0, -2).every((line) => !line.includes("}big")));
  const told = migration.control.events.filter((event) => event.includes("big key"));
  assertEquals(told.length, 2);
  assertMatch(
    told[0]!,
    /slot 100 has a big key at .*: ".*big.*" with 0\.\d MB; .* for about \d+ ms/,
  );
});

Deno.test("orphan keys of the target are reported, copies of the owner's keys are deleted", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers);
  using old = await servers[0]!.client();
  using now = await servers[1]!.client();
  await old.call("SET", `${TAG}both`, "owner");
  await now.call("MSET", `${TAG}both`, "copy", `${TAG}orphan`, "orphan");
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 0);
  await until(() => migration.queue.views()[0]?.problem !== "");
  const { problem, problem_since, status } = migration.queue.views()[0]!;
  assertEquals(
    problem,
    `${servers[1]!.addr} has key "${TAG}orphan" of slot ${SLOT}, but ${
      servers[0]!.addr
    } does not: if the coordinator was set back to an older copy, these may be the only ones: ` +
      `\`codis-proxy config slot migrate ${SLOT} ${SLOT} 2 --keep\` keeps them; delete them there only ` +
      "if nobody needs them",
  );
  assert(problem_since !== null && status === "pending");
  assertEquals(await migration.slot(SLOT), "online 1");
  // Another slot does not wait for it.
  await migration.queue.add(SLOT + 1, SLOT + 1, 2, 0);
  await until(() => migration.queue.views().length === 1);
  assertEquals(await migration.slot(SLOT + 1), "online 2");
  assertEquals(migration.queue.views()[0]!.name, name);

  await now.call("DEL", `${TAG}orphan`);
  await migration.done();
  assertEquals(await now.call("GET", `${TAG}both`), "owner");
});

Deno.test("keys that only the target has are kept on demand, and what the owner has counts", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers);
  using old = await servers[0]!.client();
  using now = await servers[1]!.client();
  await now.call("MSET", `${TAG}both`, "older", `${TAG}only`, "kept", `${TAG}other`, "kept");
  await old.call("MSET", `${TAG}both`, "newer", `${TAG}new`, "written since");
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await until(() => migration.queue.views()[0]?.problem.includes("--keep") === true);
  await migration.queue.add(SLOT, SLOT, 2, 0, true);
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 2");
  const names = ["both", "only", "other", "new"].map((name) => `${TAG}${name}`);
  assertEquals(await now.call("MGET", ...names), ["newer", "kept", "kept", "written since"]);
  assertEquals(await old.call("DBSIZE"), 0);
});

Deno.test("a delay is kept between two calls, and a limit of keys per second", async () => {
  await using servers = await RedisServer.startMany(2);
  using old = await servers[0]!.client();
  const fill = () =>
    old.pipeline(Array.from({ length: 1_000 }, (_, i) => ["SET", `${TAG}${i}`, "v"]));
  {
    await using migration = await Migration.start(servers, { keysPerSecond: 1_000 });
    await fill();
    const startedMs = performance.now();
    await migration.queue.add(SLOT, SLOT, 2, 0);
    await until(() => (migration.queue.views()[0]?.keys_moved ?? 0) > 400);
    const view = migration.queue.views()[0]!;
    assert(Math.abs(view.keys_moved + view.keys_left! - 1_000) < 20, JSON.stringify(view));
    assert(view.keys_per_second! > 500 && view.keys_per_second! < 1_500, JSON.stringify(view));
    assertEquals(view.eta_seconds, 1);
    // A key of this size takes 50 to 100 bytes at its server.
    assert(view.bytes_moved! > 50 * view.keys_moved, JSON.stringify(view));
    assert(view.bytes_moved! < 100 * view.keys_moved, JSON.stringify(view));
    assert(view.bytes_per_second! > 25_000, JSON.stringify(view));
    await migration.done();
    const tookMs = performance.now() - startedMs;
    assert(tookMs > 850 && tookMs < 3_000, `it took ${tookMs} ms`);
  }
  using now = await servers[1]!.client();
  await now.call("FLUSHALL");
  await using migration = await Migration.start(servers);
  await fill();
  const startedMs = performance.now();
  await migration.queue.add(SLOT, SLOT, 2, 100);
  await migration.done();
  const tookMs = performance.now() - startedMs;
  assert(tookMs > 500, `it took ${tookMs} ms`);
});

Deno.test("a request that is wrong for one slot is refused as a whole", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.make(servers);
  const { queue, store } = migration;
  const refused = (from: number, to: number, group: number, text: string) =>
    assertRejects(() => queue.add(from, to, group, 0), Error, text);
  await refused(0, 5, 7, "group 7 is not found");
  await refused(0, 1024, 2, "to must be a slot, 0 to 1023, not 1024");
  await refused(5, 4, 2, "to must be a slot not below 5, not 4");
  await createGroup(store, 3);
  await refused(0, 5, 3, "master not found: null");
  await saveSlot(store, slotIn("test", 4, 1, "offline"));
  await refused(0, 5, 2, "slot 4 is offline: give it to a group with slot set first");
  await saveSlot(store, slotIn("test", 4, 1, "online"));
  await saveServer(store, { type: "master", group_id: 3, addr: "10.0.0.3:6379" });
  const [first] = await queue.add(3, 3, 2, 0);
  await refused(0, 5, 2, `slot 3 has migrate task ${first}: wait for it, or cancel it`);
  await saveSlot(store, {
    ...slotIn("test", 4, 2, "migrate"),
    state: { status: "migrate", migrate_status: { from: 1, to: 2 }, last_op_ts: "0" },
  });
  await refused(4, 5, 3, "slot 4 is migrating from group 1 to 2: cancel that first");
  assertEquals((await loadMigrateTasks(store)).length, 1);
  const json = (await store.coordinator.read(store.paths.migrateTask(first!))).data;
  assertMatch(
    json,
    /^{"slot_id":3,"new_group":2,"delay":0,"create_at":"\d{10}","percent":0,"status":"pending"}$/,
  );
});
