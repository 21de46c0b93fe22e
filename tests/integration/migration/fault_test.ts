/**
 * Failures while slots move: they are reported, nothing is lost, other tasks go on, and so does the task
 * once it can.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { parseAddress } from "../../../src/base/address.ts";
import { Secret } from "../../../src/base/secret.ts";
import { RedisConnection } from "../../../src/redis/connection.ts";
import { loadSlot } from "../../../src/store/slots.ts";
import { createFence, deleteFence } from "../../../src/store/fences.ts";
import { createProxy, deleteProxy } from "../../../src/store/proxies.ts";
import { until, within } from "../../support/deadline.ts";
import { FakeRedis } from "../../support/fake_redis.ts";
import { Migration } from "../../support/migration.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { keyWhere } from "../../support/router_server.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";

const SLOT = 100;
const TAG = `{${keyWhere((slotId) => slotId === SLOT)}}`;
const KEYS = Array.from({ length: 2_000 }, (_, i) => `${TAG}${i}`);
const SLOW = { keysPerSecond: 4_000, migrateMs: 300 };
const DURABLE = { args: ["--appendonly", "yes", "--appendfsync", "always"] };

async function fill(server: RedisServer): Promise<void> {
  using client = await server.client();
  await client.pipeline(KEYS.map((key) => ["SET", key, key]));
}

/** Asserts that all keys are at the second server, and only there. */
async function assertMoved(servers: readonly RedisServer[]): Promise<void> {
  using old = await servers[0]!.client();
  using now = await servers[1]!.client();
  assertEquals(await now.call("MGET", ...KEYS), KEYS);
  assertEquals(await old.call("DBSIZE"), 0);
}

function movedAtLeast(migration: Migration, keys: number): Promise<void> {
  return until(() => (migration.queue.views()[0]?.keys_moved ?? 0) >= keys);
}

/** Waits for a problem that all is kept by, and returns it. */
async function problemOf(migration: Migration, text: RegExp): Promise<void> {
  await until(() => text.test(migration.queue.views()[0]?.problem ?? ""));
  const [view] = migration.queue.views();
  assert(Date.now() - view!.problem_since! < 60_000, JSON.stringify(view));
}

Deno.test("a target out of memory is reported, and the task goes on once there is memory", async () => {
  await using servers = await RedisServer.startMany(2);
  await fill(servers[0]!);
  using now = await servers[1]!.client();
  await using migration = await Migration.start(servers, SLOW);
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, 300);
  await now.call("CONFIG", "SET", "maxmemory", "1mb");
  await problemOf(
    migration,
    new RegExp(`^${servers[1]!.addr} takes no keys: OOM command not allowed`),
  );
  using old = await servers[0]!.client();
  const counts = [await old.call("DBSIZE"), await now.call("DBSIZE")] as number[];
  assertEquals(counts[0]! + counts[1]!, KEYS.length);
  await until(() => migration.queue.views()[0]?.status === "error");
  await now.call("CONFIG", "SET", "maxmemory", "0");
  await migration.done();
  await assertMoved(servers);
});

Deno.test("a target that is killed and comes back: nothing is lost", async () => {
  await using servers = await RedisServer.startMany(2, DURABLE);
  await fill(servers[0]!);
  await using migration = await Migration.start(servers, SLOW);
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, 500);
  await servers[1]!.kill();
  await problemOf(migration, new RegExp(`${servers[1]!.addr}`));
  await servers[1]!.restart();
  await migration.done();
  await assertMoved(servers);
});

Deno.test("slots of a target that was killed are stuck no longer once their keys move again", async () => {
  await using servers = await RedisServer.startMany(2, DURABLE);
  await fill(servers[0]!);
  // The round behind the outage takes longer than a second.
  await using migration = await Migration.start(servers, { ...SLOW, keysPerSecond: 1_000 });
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, 100);
  await servers[1]!.kill();
  await problemOf(migration, new RegExp(`${servers[1]!.addr}`));
  const moved = migration.queue.views()[0]!.keys_moved;
  await servers[1]!.restart();
  await movedAtLeast(migration, moved + 100);
  const { phase, problem } = migration.queue.views()[0]!;
  assertEquals({ phase, problem }, { phase: "moving", problem: "" });
  await migration.done();
  await assertMoved(servers);
});

Deno.test("a source that is killed and comes back: nothing is lost", async () => {
  await using servers = await RedisServer.startMany(2, DURABLE);
  await fill(servers[0]!);
  await using migration = await Migration.start(servers, SLOW);
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, 500);
  await servers[0]!.kill();
  await problemOf(migration, new RegExp(`${servers[0]!.addr}`));
  await servers[0]!.restart();
  await migration.done();
  await assertMoved(servers);
});

Deno.test("a target that hangs stops its source for one call, and no longer", async () => {
  await using servers = await RedisServer.startMany(2);
  await fill(servers[0]!);
  using other = await servers[0]!.client();
  await using migration = await Migration.start(servers, SLOW);
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await movedAtLeast(migration, 500);
  servers[1]!.pause();
  try {
    await delay(400);
    let longestMs = 0;
    for (let i = 0; i < 30; i++) {
      const startedMs = performance.now();
      await other.call("PING");
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      await delay(50);
    }
    assert(longestMs < 250, `a PING took ${longestMs} ms`);
  } finally {
    servers[1]!.resume();
  }
  await migration.done();
  await assertMoved(servers);
});

Deno.test("copies that come late, of a call that was given up, change nothing any more", async () => {
  await using servers = await RedisServer.startMany(2);
  await using relay = TcpRelay.start(servers[1]!.port);
  await fill(servers[0]!);
  await using migration = await Migration.start([servers[0]!, relay], SLOW);
  const held = relay.hold("RESTORE");
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await within(held);
  await migration.done();
  await assertMoved(servers);
  using now = await servers[1]!.client();
  for (const key of KEYS) await now.call("DEL", key);
  relay.release();
  await delay(200);
  assertEquals(await now.call("DBSIZE"), 0);
});

Deno.test("one key that the target refuses stays with its slot, and all others go on", async () => {
  await using source = await RedisServer.start();
  const bad = `${TAG}bad`;
  let isRefusing = true;
  await using target = new FakeRedis((words) => {
    switch (words[0]!.toUpperCase()) {
      case "RESTORE":
        return isRefusing && words[1] === bad ? "-ERR Bad data format\r\n" : "+OK\r\n";
      case "EXISTS":
        return ":0\r\n";
      case "PING":
        return "+PONG\r\n";
      case "INFO":
      case "CLIENT":
        return "$0\r\n\r\n";
      case "SELECT":
        return "+OK\r\n";
    }
    return `-ERR unknown command '${words[0]}'\r\n`;
  });
  using client = await source.client();
  await client.pipeline([bad, ...KEYS.slice(0, 300)].map((key) => ["SET", key, "v"]));
  await client.call("SET", keyWhere((slotId) => slotId === SLOT + 1), "v");
  await using migration = await Migration.start([source, target]);
  await migration.queue.add(SLOT, SLOT + 1, 2, 0);
  await until(() => migration.queue.views().length === 1);
  await problemOf(
    migration,
    new RegExp(`^key ".*bad" of database 0 stays at ${source.addr}: ERR Bad data format$`),
  );
  assertEquals(await client.call("KEYS", "*"), [bad]);
  assertEquals(
    [await migration.slot(SLOT), await migration.slot(SLOT + 1)],
    ["migrate 1>2 in 2", "online 2"],
  );
  isRefusing = false;
  await migration.done();
  assertEquals(await client.call("DBSIZE"), 0);
});

Deno.test("a failure of one pair of servers does not stop another", async () => {
  await using servers = await RedisServer.startMany(3);
  await fill(servers[0]!);
  await using migration = await Migration.start(servers, { migrateMs: 300 });
  await servers[2]!.kill();
  await migration.queue.add(0, 10, 3, 0);
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await until(() => migration.queue.views().length === 11);
  assertEquals(await migration.slot(SLOT), "online 2");
  await problemOf(migration, /connection refused/);
  assertEquals(await migration.slot(0), "online 1");
  await servers[2]!.restart();
  await migration.done();
  assertEquals(await migration.slot(10), "online 3");
});

Deno.test("while a proxy may use an old table no slot moves, and none is blocked", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers);
  await createFence(migration.store, "10.0.0.1:9000");
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await problemOf(migration, /^Some proxies may not stop cleanly: 10.0.0.1:9000$/);
  assertEquals(await migration.slot(SLOT), "online 1");
  await deleteFence(migration.store, "10.0.0.1:9000");
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 2");
});

/** A proxy that is online and confirms nothing. */
async function addSilent({ store }: Migration) {
  const silent = { ...RECORD, id: "silent", addr: "10.0.0.1:9000", state: "online" as const };
  await createProxy(store, silent);
  await createFence(store, silent.addr);
  return {
    async remove(): Promise<void> {
      await deleteProxy(store, silent.id);
      await deleteFence(store, silent.addr);
    },
  };
}

Deno.test("a block that not every proxy confirms is taken back", async () => {
  await using servers = await RedisServer.startMany(2);
  await fill(servers[0]!);
  await using migration = await Migration.start(servers, { confirmMs: 100 });
  const silent = await addSilent(migration);
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await problemOf(migration, /no answer from silent/);
  const { changes } = migration.control;
  await until(() => changes.filter((summary) => summary.includes("block taken back")).length > 1);
  assertEquals(changes.filter((summary) => summary.includes("migrate from")), []);
  await silent.remove();
  await migration.done();
  await assertMoved(servers);
});

Deno.test("slots that cannot be given back to clients are told of with the cause and what to do", async () => {
  await using servers = await RedisServer.startMany(2);
  await fill(servers[0]!);
  await using migration = await Migration.start(servers, { confirmMs: 100 });
  const silent = await addSilent(migration);
  const full = "No space left on device (os error 28)";
  let isFull = true;
  migration.control.beforeChange = ({ summary }) => {
    if (isFull && summary.includes("taken back")) throw new Error(`cannot write "/x": ${full}`);
  };
  await migration.queue.add(SLOT, SLOT, 2, 0);
  const told = () => migration.control.events.find((event) => event.includes(full));
  await until(() => told() !== undefined);
  assertEquals(
    told(),
    `error: slot ${SLOT}: requests for them wait: a migration could not begin, and that clients may use the ` +
      `slots again cannot be stored: cannot write "/x": ${full}; it is tried again: look at the coordinator ` +
      "and its disk",
  );
  assertEquals((await loadSlot(migration.store, SLOT)).state.status, "pre_migrate");
  isFull = false;
  await silent.remove();
  await migration.done();
  await assertMoved(servers);
});

Deno.test("servers that refuse each other are found before a slot is blocked", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start({ args: ["--requirepass", "secret"] });
  await fill(source);
  // The dashboard has the password, but gives the source another one.
  await using migration = await Migration.start([source, target], { password: "wrong" });
  migration.control.redis = (addr, replyMs = 5_000) =>
    RedisConnection.open(parseAddress(addr), {
      user: "",
      password: new Secret(addr === target.addr ? "secret" : ""),
      dialMs: 1_000,
      replyMs,
    });
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await problemOf(migration, new RegExp(`^${target.addr} takes no keys: WRONGPASS`));
  assertEquals(await migration.slot(SLOT), "online 1");
  assertEquals(migration.control.changes.filter((summary) => summary.includes("slot")), []);
  using old = await source.client();
  using now = await target.client();
  await now.call("AUTH", "secret");
  assertEquals(await old.call("DBSIZE"), KEYS.length);
  assertEquals(await now.call("DBSIZE"), 0);
});

Deno.test("an earlier mover of a source's keys is disconnected when another starts", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers);
  using stale = await servers[0]!.client();
  await stale.call("CLIENT", "SETNAME", "codis-mover");
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await migration.done();
  const end = await stale.call("PING").catch(String);
  assertMatch(String(end), /closed|reset|broken pipe/i);
});

Deno.test("a target that cannot read the data of the source is told once, with both versions and what to do", async () => {
  await using source = await RedisServer.start();
  const refusal = "DUMP payload version or checksum are wrong";
  let probes = 0;
  await using target = new FakeRedis(([name = ""]) => {
    const info = "redis_version:3.2.11\r\nrun_id:of-the-target\r\nrole:master\r\n";
    switch (name.toUpperCase()) {
      case "RESTORE":
        probes++;
        return `-ERR ${refusal}\r\n`;
      case "EXISTS":
      case "DEL":
        return ":0\r\n";
      case "PING":
        return "+PONG\r\n";
      case "INFO":
        return `$${info.length}\r\n${info}\r\n`;
      case "CLIENT":
        return "$0\r\n\r\n";
      case "SELECT":
        return "+OK\r\n";
    }
    return `-ERR unknown command '${name}'\r\n`;
  });
  using client = await source.client();
  const info = `${await client.call("INFO", "server")}`;
  const own = `Redis ${/redis_version:(\S+)/.exec(info)![1]}`;
  await using migration = await Migration.start([source, target]);
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await until(() => probes >= 4);
  assertEquals(migration.control.events.filter((text) => /wait/.test(text)), [
    `warning: migration from group 1 to 2 waits: ${target.addr} is Redis 3.2.11, which cannot read the data of ` +
    `${own}: replace it by ${own} or newer, or move these slots to such a server (the server: ERR ${refusal})`,
  ]);
  assertEquals(await migration.slot(SLOT), "online 1");
});
