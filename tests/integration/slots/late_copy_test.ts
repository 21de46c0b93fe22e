/**
 * Copies of keys that arrive late: MIGRATE gave up, and what it had sent comes when the key has long
 * been moved, written and deleted. What clients were told stays true.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { until, within } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { RouterServer, slotOf } from "../../support/router_server.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";

const TAG = "{late}";
const SLOT = slotOf(TAG);
const DURABLE = { args: ["--appendonly", "yes", "--appendfsync", "always"] };

function textOf(reply: RespValue): string {
  return reply instanceof ReplyError ? reply.message : String(reply);
}

/** A data plane in which slot {late} moves from one server to another. */
async function migrating(source: string, target: string): Promise<RouterServer> {
  const proxy = await RouterServer.start({ servers: [{ addr: target }] });
  await proxy.fill(SLOT, target, { groupId: 2, migrateFromAddr: source, migrateFromGroupId: 1 });
  return proxy;
}

Deno.test("a copy that comes late does not overwrite what clients wrote meanwhile", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  await using relay = TcpRelay.start(target.port);
  using old = await source.client();
  await old.call("SET", `${TAG}n`, "1");
  await using proxy = await migrating(source.addr, relay.addr);
  using client = await proxy.client();
  using now = await target.client();

  // Somebody else, a dashboard perhaps, moves the key and gives up.
  const held = relay.hold("RESTORE");
  const outcome = old.call(
    ...["MIGRATE", "127.0.0.1", relay.port, `${TAG}n`, 0, 200],
  );
  await within(held);
  assertMatch(textOf(await within(outcome)), /IOERR/);
  assertEquals(await client.call("INCR", `${TAG}n`), 2);

  relay.release();
  await until(async () =>
    String(await now.call("INFO", "commandstats")).includes("failed_calls=1")
  );
  assertEquals(await client.call("GET", `${TAG}n`), "2");
  assertEquals(await old.call("EXISTS", `${TAG}n`), 0);
});

Deno.test("a copy that comes late does not bring back what clients deleted", async () => {
  await using source = await RedisServer.start(DURABLE);
  await using target = await RedisServer.start();
  await using relay = TcpRelay.start(target.port);
  {
    using old = await source.client();
    await old.call("SET", `${TAG}n`, "1");
  }
  await using proxy = await migrating(source.addr, relay.addr);
  using client = await proxy.client();

  // The source dies in the middle of a move: nobody knows how far it came.
  const held = relay.hold("RESTORE");
  const failed = client.call("INCR", `${TAG}n`);
  await within(held);
  await source.kill();
  assert(await within(failed) instanceof ReplyError);
  await source.restart();

  await until(async () => await client.call("INCR", `${TAG}n`) === 2);
  assertEquals(await client.call("DEL", `${TAG}n`), 1);
  relay.release();
  await delay(200);
  assertEquals(await client.call("EXISTS", `${TAG}n`), 0);
});

Deno.test("a key that both servers have is the target's: the source came back with old data", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  using old = await source.client();
  using now = await target.client();
  await using proxy = await migrating(source.addr, target.addr);
  using client = await proxy.client();
  for (const key of ["a", "b", "c"]) {
    assertEquals(await client.call("SET", `${TAG}${key}`, "new"), "OK");
  }
  await using restarted = await migrating(source.addr, target.addr);
  using other = await restarted.client();
  for (const key of ["a", "b", "d"]) await old.call("SET", `${TAG}${key}`, "old");
  assertEquals(
    await other.call("MGET", `${TAG}a`, `${TAG}b`, `${TAG}c`, `${TAG}d`),
    ["new", "new", "new", "old"],
  );
  assertEquals(await old.call("DBSIZE"), 0);
  assertEquals(await now.call("DBSIZE"), 4);
});

Deno.test("a target that hangs stops its source once, not with every command", async () => {
  await using source = await RedisServer.start();
  await using target = await RedisServer.start();
  using old = await source.client();
  for (let i = 0; i < 20; i++) await old.call("SET", `${TAG}${i}`, "1");
  await using proxy = await migrating(source.addr, target.addr);
  await proxy.fill(slotOf("elsewhere"), source.addr);
  using client = await proxy.client();
  using other = await proxy.client();
  assertEquals(await client.call("INCR", `${TAG}0`), 2);
  target.pause();
  try {
    // MIGRATE holds the source for as long as it waits for the target: 5 s.
    assertMatch(textOf(await client.call("INCR", `${TAG}1`)), /are in doubt/);
    let longestMs = 0;
    for (let i = 2; i < 5; i++) {
      const refused = client.call("INCR", `${TAG}${i}`);
      const startedMs = performance.now();
      assertEquals(await other.call("INCR", "elsewhere"), i - 1);
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      assertMatch(textOf(await refused), /are in doubt/);
    }
    assert(longestMs < 1_000, `other slots of the source waited ${longestMs} ms`);
  } finally {
    target.resume();
  }
  await until(async () => await client.call("INCR", `${TAG}9`) === 2);
});
