/**
 * Slots whose keys are being moved, key by key, as commands ask for them.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { CODIS_SERVER, CodisServer } from "../../support/codis_server.ts";
import { within } from "../../support/deadline.ts";
import { answerLikeCodis, FakeRedis } from "../../support/fake_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { RouterServer, slotOf } from "../../support/router_server.ts";

const TAG = "{m}";
const SLOT = slotOf(TAG);

/** A data plane in which slot {m} moves from one server to another, and all else stays. */
async function migrating(source: string, target: string): Promise<RouterServer> {
  const proxy = await RouterServer.start({ servers: [{ addr: target }] });
  await proxy.fill(SLOT, target, { groupId: 2, migrateFromAddr: source, migrateFromGroupId: 1 });
  return proxy;
}

Deno.test("a key of a migrating slot is moved by stock Redis before it is used", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  const old = await source.client();
  const now = await target.client();
  await old.call("SET", `${TAG}a`, "1", "PX", "600000");
  await old.call("RPUSH", `${TAG}list`, "x", "y");
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();

  assertEquals(await client.call("INCR", `${TAG}a`), 2);
  assertEquals(await client.call("LRANGE", `${TAG}list`, "0", "-1"), ["x", "y"]);
  assertEquals(await client.call("GET", `${TAG}none`), null);

  assertEquals(await old.call("DBSIZE"), 0);
  assertEquals(await now.call("DBSIZE"), 2);
  const left = await now.call("PTTL", `${TAG}a`);
  assert(typeof left === "number" && left > 590_000 && left <= 600_000, `TTL is ${left}`);
  client.close();
  assertEquals(proxy.leftovers(), []);
});

Deno.test("every key that a command names is moved, whatever kind of command", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  const old = await source.client();
  for (const key of ["a", "b", "c", "d"]) await old.call("SADD", `${TAG}${key}`, "x", key);
  for (const key of ["s1", "s2", "s3"]) await old.call("SET", `${TAG}${key}`, key);
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();

  assertEquals(await client.call("SINTER", `${TAG}a`, `${TAG}b`), ["x"]);
  assertEquals(await client.call("SUNIONSTORE", `${TAG}u`, `${TAG}c`, `${TAG}d`), 3);
  assertEquals(
    await client.call("EVAL", "return redis.call('get', KEYS[1])", "1", `${TAG}s1`),
    "s1",
  );
  // Split over the migrating slot and another one.
  await client.call("SET", "elsewhere", "e");
  assertEquals(
    await client.call("MGET", `${TAG}s2`, "elsewhere", `${TAG}s3`, `${TAG}none`),
    ["s2", "e", "s3", null],
  );
  assertEquals(await client.call("DEL", `${TAG}s1`, "elsewhere", `${TAG}s2`), 3);
  assertEquals(await old.call("DBSIZE"), 0);
});

Deno.test("a key in another database is moved within that database", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  const old = await source.client();
  await old.call("SELECT", "5");
  await old.call("SET", `${TAG}a`, "five");
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();
  assertEquals(await client.call("GET", `${TAG}a`), null);
  assertEquals(await client.call("SELECT", "5"), "OK");
  assertEquals(await client.call("GET", `${TAG}a`), "five");
});

Deno.test("a key that MOVE or COPY would find in the other database is moved there first", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  const old = await source.client();
  const names = ["move", "copy", "into", "queued"];
  await old.pipeline(names.map((name) => ["SET", `${TAG}${name}`, "0"]));
  await old.call("SELECT", "3");
  await old.pipeline(names.map((name) => ["SET", `${TAG}${name}`, "3"]));
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();
  assertEquals(await client.call("MOVE", `${TAG}move`, "3"), 0);
  assertEquals(await client.call("COPY", `${TAG}copy`, `${TAG}into`, "DB", "3"), 0);
  const queued = await client.pipeline([["MULTI"], ["MOVE", `${TAG}queued`, "3"], ["EXEC"]]);
  assertEquals(queued[2]!.value, [0]);
  await client.call("SELECT", "3");
  const replies = await client.pipeline(names.map((name) => ["GET", `${TAG}${name}`]));
  assertEquals(replies.map(({ value }) => value), ["3", "3", "3", "3"]);
});

Deno.test("many clients count while a slot's keys move: no count is lost, no key moves twice", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  const old = await source.client();
  const keys = Array.from({ length: 50 }, (_, i) => `${TAG}${i}`);
  for (const key of keys) await old.call("SET", key, "1000");
  await using proxy = await migrating(source.addr, target.addr);
  const clients = await Promise.all(Array.from({ length: 20 }, () => proxy.client()));
  await within(
    Promise.all(clients.map(async (client) => {
      const replies = await client.pipeline(keys.map((key) => ["INCR", key]));
      assert(replies.every((reply) => typeof reply.value === "number"));
    })),
    20_000,
  );
  const reader = await proxy.client();
  assertEquals(
    await reader.call("MGET", ...keys),
    keys.map(() => "1020"),
  );
  const stats = await old.call("INFO", "commandstats");
  const moves = /cmdstat_migrate:calls=(\d+)/.exec(String(stats))![1];
  assertEquals(Number(moves), keys.length);
});

Deno.test("a large value passes into a migrating slot after its key was moved", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  const old = await source.client();
  const now = await target.client();
  await old.call("SET", `${TAG}big`, "start:");
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();
  assertEquals(await client.call("APPEND", `${TAG}big`, "x".repeat(3_000_000)), 3_000_006);
  assertEquals(await now.call("STRLEN", `${TAG}big`), 3_000_006);
  assertEquals(await old.call("EXISTS", `${TAG}big`), 0);
});

Deno.test("a key that its old server does not give away is answered with an error, not used", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  const now = await target.client();
  const old = await source.client();
  await old.call("SET", `${TAG}a`, "1");
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();
  await source.kill();
  const reply = await within(client.call("INCR", `${TAG}a`), 3_000);
  assert(reply instanceof ReplyError, `an error was expected, not ${reply}`);
  assertMatch(reply.message, /^LOADING handle request, backend conn failure, /);
  assertEquals(await now.call("EXISTS", `${TAG}a`), 0);
  // The connection lives, and so do the other slots.
  assertEquals(await client.call("SET", "elsewhere", "1"), "OK");
  client.close();
});

Deno.test("while the old server is known to be down, every command for its keys is answered, at once", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();
  assertEquals(await client.call("SET", `${TAG}a`, "1"), "OK");
  await source.kill();
  for (let i = 0; i < 30; i++) {
    const reply = await within(client.call("MGET", `${TAG}b`, `${TAG}c`), 1_000);
    assert(reply instanceof ReplyError, `an error was expected, not ${reply}`);
    const large = await within(client.call("SET", `${TAG}d`, "x".repeat(600_000)), 1_000);
    assert(large instanceof ReplyError, `an error was expected, not ${large}`);
  }
  assertEquals(await client.call("GET", `${TAG}a`), "1");
  client.close();
  assertEquals(proxy.leftovers(), []);
});

Deno.test("codis-server is asked with SLOTSMGRTTAGONE, once per key, before the command", async () => {
  const order: string[] = [];
  await using source = new FakeRedis((words) => {
    if (words[0] === "SLOTSMGRTTAGONE") {
      order.push(words.slice(0, 5).join(" "));
      return ":1\r\n";
    }
    return answerLikeCodis(words);
  });
  await using target = new FakeRedis((words) => {
    if (words[0] === "GET") order.push(words.join(" "));
    return answerLikeCodis(words);
  });
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();
  await client.call("GET", `${TAG}a`);
  await client.call("GET", `${TAG}a`);
  const [host, port] = target.addr.split(":");
  assertEquals(order, [
    `SLOTSMGRTTAGONE ${host} ${port} 3000 ${TAG}a`,
    `GET ${TAG}a`,
    `GET ${TAG}a`,
  ]);
});

/** A source whose first moves answer IOERR, and a target whose connections are listed so. */
function failing(times: number, afterMs: number, lists: readonly string[]) {
  const asked: string[] = [];
  const told: string[] = [];
  const source = new FakeRedis((words, connection) => {
    if (words[0] !== "SLOTSMGRTTAGONE") return answerLikeCodis(words);
    asked.push(words[4]!);
    if (asked.length > times) return ":1\r\n";
    setTimeout(() => connection.send("-IOERR error or timeout reading from target\r\n"), afterMs);
    return "hang";
  });
  let looks = 0;
  const target = new FakeRedis((words) => {
    if (words[0] !== "CLIENT") return answerLikeCodis(words);
    told.push(words.slice(1).join(" "));
    if (words[1] !== "LIST") return ":1\r\n";
    const list = lists[Math.min(looks++, lists.length - 1)]!;
    return `$${list.length}\r\n${list}\r\n`;
  });
  return { source, target, asked, told };
}

Deno.test("a codis-server that found its connection closed is asked again, and none is ended", async () => {
  const { source, target, asked, told } = failing(3, 0, [""]);
  await using _source = source;
  await using _target = target;
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();
  assertEquals(await client.call("GET", `${TAG}a`), null);
  assertEquals(asked, Array(4).fill(`${TAG}a`));
  assertEquals(told, []);
});

Deno.test("after a move that took its time, connections of before are ended, later ones are let be", async () => {
  const line = (id: number) => `id=${id} name= age=9 cmd=slotsrestore\n`;
  const lists = [line(7), line(7) + line(8), line(8) + line(9), line(9)];
  const { source, target, asked, told } = failing(1, 1_600, lists);
  await using _source = source;
  await using _target = target;
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();
  assertEquals(await client.call("GET", `${TAG}a`), null);
  assertEquals(asked.length, 2);
  const killed = told.filter((words) => words.startsWith("KILL"));
  assertEquals(killed, ["KILL ID 7", "KILL ID 7", "KILL ID 8", "KILL ID 8"]);
});

Deno.test("requests of a migrating slot keep their order, and moves of all are under way at once", async () => {
  const asked: string[] = [];
  const release: (() => void)[] = [];
  await using source = new FakeRedis((words, connection) => {
    if (words[0] !== "SLOTSMGRTTAGONE") return answerLikeCodis(words);
    asked.push(words[4]!);
    release.push(() => void connection.send(":1\r\n"));
    return "hang";
  });
  const executed: string[] = [];
  await using target = new FakeRedis((words) => {
    if (words[0] === "GET") executed.push(words[1]!);
    return answerLikeCodis(words);
  });
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();
  const keys = ["a", "b", "c", "a", "b"].map((key) => `${TAG}${key}`);
  const replies = client.pipeline(keys.map((key) => ["GET", key]));
  while (asked.length < 3) await delay(5);
  assertEquals(asked, keys.slice(0, 3));
  assertEquals(executed, []);
  for (const go of release) go();
  assertEquals((await within(replies, 3_000)).length, 5);
  assertEquals(executed, keys);
});

Deno.test("a migrating slot that goes back to its old owner waits for the moves under way", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  const old = await source.client();
  const now = await target.client();
  await old.call("SET", `${TAG}a`, "1");
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();
  const counted = client.call("INCR", `${TAG}a`);
  await proxy.fill(SLOT, source.addr, {
    groupId: 1,
    migrateFromAddr: target.addr,
    migrateFromGroupId: 2,
  });
  assertEquals(await counted, 2);
  assertEquals(await client.call("INCR", `${TAG}a`), 3);
  assertEquals(await old.call("GET", `${TAG}a`), "3");
  assertEquals(await now.call("EXISTS", `${TAG}a`), 0);
});

Deno.test("codis-server gives a key away with its whole tag group, and counts go on", async () => {
  await using source = await CodisServer.start();
  await using target = await CodisServer.start();
  const old = await source.client();
  for (const key of ["a", "b", "c"]) await old.call("SET", `${TAG}${key}`, "7", "PX", "500000");
  await using proxy = await migrating(source.addr, target.addr);
  const client = await proxy.client();
  assertEquals(await client.call("INCR", `${TAG}a`), 8);
  if (CODIS_SERVER === undefined) assertEquals(await old.call("DBSIZE"), 0);
  assertEquals(await client.call("MGET", `${TAG}a`, `${TAG}b`, `${TAG}c`), ["8", "7", "7"]);
  assertEquals(await old.call("DBSIZE"), 0);
  const moves = source.slotCommands.filter((line) => line.startsWith("SLOTSMGRT"));
  if (CODIS_SERVER === undefined) assertEquals(moves.length, 3);
  const left = await client.call("PTTL", `${TAG}b`);
  assert(typeof left === "number" && left > 490_000, `TTL is ${left}`);
});

Deno.test("codis-server and its double answer slot commands alike", async () => {
  await using source = await CodisServer.start();
  await using target = await CodisServer.start();
  const client = await source.client();
  assertEquals(await client.call("SLOTSHASHKEY", "a", "{}x", "foo"), [579, 0, 289]);
  assertEquals(await client.call("SLOTSINFO"), []);
  await client.call("MSET", "a", "1", "{a}b", "2", "foo", "3");
  assertEquals(await client.call("SLOTSINFO"), [[289, 1], [579, 2]]);
  const to = ["127.0.0.1", target.port, 1000];
  assertEquals(await client.call("SLOTSMGRTTAGSLOT", ...to, 0), [0, 0]);
  assertEquals(await client.call("SLOTSMGRTONE", ...to, "none"), 0);
  assertEquals(await client.call("SLOTSMGRTTAGSLOT", ...to, 289), [1, 0]);
  assertEquals(await client.call("SLOTSMGRTTAGONE", ...to, "{a}b"), 1);
  assertEquals(await client.call("SLOTSINFO", 579), [[579, 1]]);
  assertEquals(await client.call("SLOTSDEL", 579), [[579, 0]]);
  const now = await target.client();
  assertEquals(await now.call("MGET", "foo", "{a}b"), ["3", "2"]);
  const unreachable = await client.call("SLOTSMGRTONE", "127.0.0.1", 1, 100, "a");
  assertEquals(unreachable, 0); // nothing to move: nobody is called
  await client.call("SET", "a", "1");
  const refused = await client.call("SLOTSMGRTONE", "127.0.0.1", 1, 100, "a");
  assert(refused instanceof ReplyError);
  assertEquals(refused.message, "IOERR error or timeout writing to target");
});
