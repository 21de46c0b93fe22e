/**
 * Big keys move in chunks between Codis 3.2's servers, and clients use them at the source until they have
 * arrived.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { CodisServer, type CodisServerOptions } from "../../support/codis_server.ts";
import { until, within } from "../../support/deadline.ts";
import { answerLikeCodis, answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { Migration } from "../../support/migration.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { keyWhere, RouterServer, slotOf } from "../../support/router_server.ts";

const TAG = `{${keyWhere((slotId) => slotId < 512)}}`;
const SLOT = slotOf(TAG);
/** Elements of a big key: on a real server enough for a move that can be watched. */
const ELEMENTS = 600;
const ELEMENTS_REAL = 400_000;
const DURABLE = { args: ["--appendonly", "yes", "--appendfsync", "always"] };
const BIG = `${TAG}big`;

/** A server that moves in chunks; nothing, loudly, where CODIS_SERVER names one that does not. */
async function start(options: CodisServerOptions = {}): Promise<CodisServer | undefined> {
  const server = await CodisServer.start({ ...options, movesInChunks: true });
  using client = await server.client();
  if (!(await client.call("SLOTSMGRT-ASYNC-STATUS") instanceof ReplyError)) return server;
  console.log("SKIPPED: CODIS_SERVER does not move keys in chunks");
  await server[Symbol.asyncDispose]();
  return undefined;
}

/** A data plane in which slot {m} moves from one server to another. */
async function migrating(source: string, target: string): Promise<RouterServer> {
  const proxy = await RouterServer.start({ servers: [{ addr: target }] });
  await proxy.fill(SLOT, target, { groupId: 2, migrateFromAddr: source, migrateFromGroupId: 1 });
  return proxy;
}

async function fillHash(client: RespClient, key: string, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1_000) {
    const some = Array.from({ length: Math.min(1_000, count - at) }, (_, i) => at + i);
    await client.call("HMSET", key, ...some.flatMap((i) => [`f${i}`, `v${i}`]));
  }
}

Deno.test("a big key is used at its source until the dashboard has moved it, and others go on", async () => {
  await using source = await start({ chunkMs: 50 });
  if (source === undefined) return;
  await using target = (await start())!;
  using old = await source.client();
  using now = await target.client();
  const count = source.redis.port === source.port ? ELEMENTS_REAL : ELEMENTS;
  await fillHash(old, BIG, count);
  await old.call("SET", `${TAG}small`, "1");
  await using proxy = await migrating(source.addr, target.addr);
  using writer = await proxy.client();
  using reader = await proxy.client();
  assertEquals(await writer.call("HSET", BIG, "w", "1"), 1);
  assertEquals(await reader.call("HGET", BIG, "f7"), "v7");
  assertEquals(await reader.call("INCR", `${TAG}small`), 2);
  assertEquals(await old.call("KEYS", "*"), [BIG]);

  using mover = await source.client();
  const to = ["127.0.0.1", target.port, 5_000, 100, 131_072];
  const moved = mover.call("SLOTSMGRTONE-ASYNC", ...to, BIG);
  await until(async () => await now.call("EXISTS", BIG) === 1);
  const written = writer.pipeline([
    ["HINCRBY", BIG, "w", "1"],
    ["SET", `${TAG}after`, "x"],
    ["HGET", BIG, "w"],
  ]);
  let isWritten = false;
  written.then(() => isWritten = true);
  for (let i = 0; i < 3; i++) {
    assertEquals(await reader.call("HGET", BIG, "w"), "1");
    assertEquals(await reader.call("INCR", `${TAG}small`), 3 + i);
    assertEquals(await reader.call("EXISTS", `${TAG}after`), 0);
  }
  assert(!isWritten, "a write was answered while its key was on its way");
  assertEquals(await within(moved, 20_000), 1);
  const values = (await within(written, 5_000)).map(({ value }) => value);
  assertEquals(values, [2, "OK", "2"]);
  assertEquals(await old.call("DBSIZE"), 0);
  assertEquals([await now.call("HLEN", BIG), await now.call("TTL", BIG)], [count + 1, -1]);
});

Deno.test("a command that needs a big key with others has it moved in chunks", async () => {
  await using source = await start();
  if (source === undefined) return;
  await using target = (await start())!;
  using old = await source.client();
  await old.call("SADD", `${TAG}a`, ...Array.from({ length: 500 }, (_, i) => `a${i}`));
  await old.call("SADD", `${TAG}b`, "b");
  await using proxy = await migrating(source.addr, target.addr);
  using client = await proxy.client();
  using other = await proxy.client();
  assertEquals(await client.call("SCARD", `${TAG}a`), 500);
  const [union] = await Promise.all([
    client.call("SUNIONSTORE", `${TAG}u`, `${TAG}a`, `${TAG}b`),
    other.call("SADD", `${TAG}a`, "a0"),
  ]);
  assertEquals(union, 501);
  assertEquals(await old.call("DBSIZE"), 0);
  client.close();
  other.close();
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("a source's reply to a command is followed: executed, gone, being moved, unknown, full", async () => {
  const FULL = 9;
  const IN_PIECES = 10;
  const codes: number[] = [];
  await using source = new FakeRedis(async (words, connection) => {
    switch (words[0]) {
      case "SLOTSMGRT-ASYNC-STATUS":
        return "*-1\r\n";
      case "TYPE":
        return "+hash\r\n";
      case "HLEN":
        return ":1000\r\n";
      case "SLOTSMGRTONE-ASYNC":
        return ":1\r\n";
      case "SLOTSMGRT-EXEC-WRAPPER": {
        const code = codes.shift() ?? 2;
        if (code === IN_PIECES) {
          await connection.send("-");
          await delay(20);
          return "BUSY a script\r\n";
        }
        if (code === FULL) return "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
        const reply = code === 2 ? "$3\r\nold\r\n" : "-ERR no\r\n";
        return `*2\r\n:${code}\r\n${reply}`;
      }
    }
    return answerNothing(words);
  });
  await using target = new FakeRedis((words) =>
    words[0]!.startsWith("H") ? "$3\r\nnew\r\n" : answerLikeCodis(words)
  );
  const outcome = async (...next: number[]) => {
    await using proxy = await migrating(source.addr, target.addr);
    using client = await proxy.client();
    codes.push(...next);
    return [await client.call("HSET", BIG, "a", "b"), await client.call("HGET", BIG, "a")];
  };
  assertEquals(await outcome(2, 2), ["old", "old"]);
  assertEquals(await outcome(1, 1, 2, 2), ["old", "old"]);
  assertEquals(await outcome(0), ["new", "new"]);
  assertEquals(await outcome(-1), ["new", "new"]);
  // It is moved away: reads need no memory, and there is more at the target.
  assertEquals(await outcome(2, FULL), ["old", "new"]);
  assertEquals(await outcome(2, IN_PIECES), ["old", new ReplyError("BUSY a script")]);
  const wrapped = source.received.filter(([name]) => name === "SLOTSMGRT-EXEC-WRAPPER");
  assertEquals(wrapped[0], ["SLOTSMGRT-EXEC-WRAPPER", BIG, "HSET", BIG, "a", "b"]);
  assertEquals(wrapped.length, 2 + 4 + 1 + 1 + 2 + 2);
});

Deno.test("the dashboard moves big keys in chunks and others whole, in every database", async () => {
  await using source = await start();
  if (source === undefined) return;
  await using target = (await start())!;
  await using migration = await Migration.start([source, target]);
  using old = await source.client();
  using now = await target.client();
  const elements = Array.from({ length: 300 }, (_, i) => `e${i}`);
  for (const database of [0, 2]) {
    await old.call("SELECT", database);
    await fillHash(old, `${TAG}hash`, 300);
    await old.call("RPUSH", `${TAG}list`, ...elements);
    await old.call("SADD", `${TAG}set`, ...elements);
    await old.call("ZADD", `${TAG}zset`, ...elements.flatMap((element, i) => [i / 2, element]));
    await old.call("PEXPIRE", `${TAG}set`, 600_000);
    for (let i = 0; i < 30; i++) await old.call("SET", `${TAG}${i}`, `${i}`);
  }
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await migration.done();
  for (const database of [0, 2]) {
    await old.call("SELECT", database);
    await now.call("SELECT", database);
    assertEquals([await old.call("DBSIZE"), await now.call("DBSIZE")], [0, 34]);
    assertEquals(await now.call("HGET", `${TAG}hash`, "f299"), "v299");
    assertEquals(await now.call("LRANGE", `${TAG}list`, 0, -1), elements);
    assertEquals(await now.call("SCARD", `${TAG}set`), 300);
    assertEquals(await now.call("ZSCORE", `${TAG}zset`, "e3"), "1.5");
    assertEquals(await now.call("TTL", `${TAG}hash`), -1);
    assert(await now.call("PTTL", `${TAG}set`) as number > 590_000);
  }
  if (source.slotCommands.length === 0) return; // a real one
  const asked = (name: string) => source.slotCommands.filter((line) => line.startsWith(`${name} `));
  assertEquals(asked("SLOTSMGRTONE-ASYNC").filter((line) => line.includes(TAG)).length, 8);
  assertEquals(asked("SLOTSMGRTONE").filter((line) => line.includes(TAG)).length, 60);
});

Deno.test("big keys wait until it is known whether proxies follow moves in chunks, and move whole if not", async () => {
  await using source = await start();
  if (source === undefined) return;
  await using target = (await start())!;
  await using migration = await Migration.start([source, target]);
  using old = await source.client();
  using now = await target.client();
  await fillHash(old, BIG, 300);
  await old.call("SET", `${TAG}small`, "1");
  migration.control.chunks = "unknown";
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await until(async () => await now.call("EXISTS", `${TAG}small`) === 1);
  await delay(200);
  assertEquals(await old.call("KEYS", "*"), [BIG]);
  migration.control.chunks = "no";
  await migration.done();
  assertEquals([await old.call("DBSIZE"), await now.call("HLEN", BIG)], [0, 300]);
  const inChunks = source.slotCommands.filter((line) => line.startsWith("SLOTSMGRTONE-ASYNC"));
  assertEquals(inChunks.filter((line) => line.includes(TAG)), []);
});

Deno.test("a slot that reverses in the middle of a big key keeps all of it", async () => {
  await using source = await start({ chunkMs: 50 });
  if (source === undefined) return;
  await using target = (await start())!;
  await using migration = await Migration.start([source, target]);
  using old = await source.client();
  using now = await target.client();
  const count = source.redis.port === source.port ? ELEMENTS_REAL : ELEMENTS;
  await fillHash(old, BIG, count);
  const [name] = await migration.queue.add(SLOT, SLOT, 2, 0);
  await until(async () => await now.call("EXISTS", BIG) === 1);
  assertMatch(migration.queue.views()[0]!.note, /moving key ".*big" of database 0 in chunks/);
  await migration.queue.cancel(name!);
  await migration.done();
  assertEquals(await migration.slot(SLOT), "online 1");
  assertEquals([await old.call("HLEN", BIG), await now.call("EXISTS", BIG)], [count, 0]);
  assertEquals(await old.call("TTL", BIG), -1);
});

Deno.test("a source that stops in the middle of a big key sends nothing to its target later", async () => {
  let isSilent = false;
  let isOver = false;
  await using source = new FakeRedis((words) => {
    if (words[0] === "SLOTSMGRTONE-ASYNC") isSilent = words.includes(BIG);
    if (isSilent) return isOver ? "disconnect" : "hang";
    const replies: Record<string, string> = {
      SLOTSHASHKEY: "*1\r\n:1\r\n",
      CLIENT: words[1] === "LIST" ? "$0\r\n\r\n" : "+OK\r\n",
      "SLOTSMGRT-ASYNC-STATUS": "*-1\r\n",
      INFO: "$32\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n\r\n",
      SLOTSINFO: `*1\r\n*2\r\n:${SLOT}\r\n:1\r\n`,
      SLOTSSCAN: `*2\r\n$1\r\n0\r\n*1\r\n$${BIG.length}\r\n${BIG}\r\n`,
      TYPE: "+hash\r\n",
      HLEN: ":1000\r\n",
    };
    return replies[words[0]!] ?? (words[0]!.startsWith("SLOTSMGRT") ? ":1\r\n" : "+OK\r\n");
  });
  let lines = ["id=7 name= age=9 cmd=slotsrestore-async"];
  await using target = new FakeRedis((words) => {
    if (words[0] === "SLOTSMGRT-ASYNC-STATUS") return "*-1\r\n";
    if (words[0] === "SLOTSHASHKEY") return "*1\r\n:1\r\n";
    if (words[0] !== "CLIENT") return "+OK\r\n";
    if (words[1] === "KILL" && isSilent) lines = lines.filter((line) => !line.includes(words[3]!));
    const list = isSilent ? lines.join("\n") : "";
    return words[1] === "LIST" ? `$${list.length}\r\n${list}\r\n` : "+OK\r\n";
  });
  await using migration = await Migration.start([source, target], { migrateMs: 40 });
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await until(() => isSilent);
  await until(() => lines.length === 0, 3_000);
  isOver = true;
  source.disconnectAll();
  await until(() => migration.queue.views()[0]?.problem !== "");
});

for (const who of ["source", "target"] as const) {
  Deno.test(`a ${who} that is killed in the middle of a big key: it is whole in the end`, async () => {
    await using source = await start({ chunkMs: 20, ...DURABLE });
    if (source === undefined) return;
    await using target = (await start(DURABLE))!;
    await using migration = await Migration.start([source, target]);
    const count = source.redis.port === source.port ? ELEMENTS_REAL : ELEMENTS;
    {
      using old = await source.client();
      using now = await target.client();
      await fillHash(old, BIG, count);
      await migration.queue.add(SLOT, SLOT, 2, 0);
      await until(async () => await now.call("EXISTS", BIG) === 1);
    }
    const victim = { source, target }[who];
    await victim.kill();
    await until(() => migration.queue.views()[0]?.problem !== "");
    await victim.restart();
    await migration.done();
    using old = await source.client();
    using now = await target.client();
    assertEquals([await old.call("DBSIZE"), await now.call("HLEN", BIG)], [0, count]);
    assertEquals(await now.call("TTL", BIG), -1);
  });
}
