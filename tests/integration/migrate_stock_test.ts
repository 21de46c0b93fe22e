/**
 * Slots move between stock redis-servers: every kind of key, whole and once.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { slotIdOf } from "../../src/hash/slot_id.ts";
import { Migration } from "../support/migration.ts";
import { RedisServer } from "../support/redis_server.ts";
import type { RespClient, Word } from "../support/resp_client.ts";
import { keyWhere } from "../support/router_server.ts";

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
void assertMatch;
