/**
 * Commands that block while their slot changes hands: the client notices nothing.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { whenBlocked } from "../../support/blocked_clients.ts";
import { until, within } from "../../support/deadline.ts";
import { MovingSlot, TAG } from "../../support/moving_slot.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import type { RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer, slotOf } from "../../support/router_server.ts";

const SLOT = slotOf(TAG);
const Q = `${TAG}q`;

/** A command that blocks, what ends it, and the reply. */
const COMMANDS: readonly (readonly [blocks: string, ends: string, reply: RespValue])[] = [
  [`BLPOP ${Q} 0`, `RPUSH ${Q} x`, [Q, "x"]],
  [`BRPOP ${TAG}none ${Q} 60`, `RPUSH ${Q} x y`, [Q, "y"]],
  [`BRPOPLPUSH ${Q} ${TAG}to 0`, `RPUSH ${Q} x`, "x"],
  [`BLMOVE ${Q} ${TAG}to LEFT RIGHT 60.5`, `RPUSH ${Q} x`, "x"],
  [`BLMPOP 0 2 ${TAG}none ${Q} LEFT COUNT 2`, `RPUSH ${Q} x y z`, [Q, ["x", "y"]]],
  [`BZPOPMIN ${Q} 0`, `ZADD ${Q} 1 x 2 y`, [Q, "x", "1"]],
  [`BZPOPMAX ${Q} 60`, `ZADD ${Q} 1 x 2 y`, [Q, "y", "2"]],
  [`BZMPOP 60 1 ${Q} MIN`, `ZADD ${Q} 1 x`, [Q, [["x", "1"]]]],
  [`XREAD BLOCK 0 STREAMS ${Q} $`, `XADD ${Q} 7-1 f v`, [[Q, [["7-1", ["f", "v"]]]]]],
  [`XREAD COUNT 1 BLOCK 60000 STREAMS ${Q} 6-1`, `XADD ${Q} 7-1 f v`, [
    [Q, [["7-1", ["f", "v"]]]],
  ]],
];

Deno.test("every command that blocks is answered at the slot's new server", async () => {
  await using moving = await MovingSlot.start();
  using pusher = await moving.proxy.client();
  for (const [blocks, ends, reply] of COMMANDS) {
    using client = await moving.proxy.client();
    const answer = client.call(...blocks.split(" "));
    await whenBlocked(moving.servers[moving.owner]!, 1);
    await moving.move();
    await whenBlocked(moving.servers[moving.owner]!, 1);
    await whenBlocked(moving.servers[1 - moving.owner]!, 0);
    await moving.move();
    await whenBlocked(moving.servers[moving.owner]!, 1);
    await pusher.call(...ends.split(" "));
    assertEquals(await within(answer), reply, blocks);
    assertEquals(await client.call("PING"), "PONG");
    await pusher.call("DEL", Q, `${TAG}to`);
  }
  pusher.close();
  await until(() => moving.proxy.router.sessions.size === 0);
  assertEquals(moving.proxy.leftovers(), []);
});

Deno.test("a group's consumer that waits for entries waits on at the new server", async () => {
  await using moving = await MovingSlot.start();
  using pusher = await moving.proxy.client();
  await pusher.call("XGROUP", "CREATE", Q, "g", "$", "MKSTREAM");
  using client = await moving.proxy.client();
  const answer = client.call("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", Q, ">");
  await whenBlocked(moving.servers[0]!, 1);
  await moving.move();
  await whenBlocked(moving.servers[1]!, 1);
  await pusher.call("XADD", Q, "1-1", "f", "v");
  assertEquals(await within(answer), [[Q, [["1-1", ["f", "v"]]]]]);
});

Deno.test("$ means the last entry when the command came, also after the slot has moved", async () => {
  await using moving = await MovingSlot.start();
  using pusher = await moving.proxy.client();
  await pusher.call("XADD", Q, "1-1", "f", "old");
  await pusher.call("XADD", Q, "5-5", "f", "deleted");
  await pusher.call("XDEL", Q, "5-5");
  using client = await moving.proxy.client();
  const answer = client.call("XREAD", "BLOCK", 0, "STREAMS", `${TAG}none`, Q, "$", "$");
  await whenBlocked(moving.servers[0]!, 1);
  // The entry comes while the slot is at nobody's: it is there before the command is asked again.
  await moving.proxy.fill(SLOT, moving.servers[0]!.addr, { isBlocked: true });
  await whenBlocked(moving.servers[0]!, 0);
  using direct = await moving.servers[0]!.client();
  await direct.call("XADD", Q, "6-1", "f", "new");
  await moving.move();
  assertEquals(await within(answer), [[Q, [["6-1", ["f", "new"]]]]]);
});

Deno.test("time goes on while slots move: a timeout is as long as it was asked for", async () => {
  await using moving = await MovingSlot.start();
  using client = await moving.proxy.client();
  using streams = await moving.proxy.client();
  const before = performance.now();
  const taken = async (call: Promise<RespValue>) => {
    assertEquals(await call, null);
    return performance.now() - before;
  };
  const times = [
    taken(client.call("BLPOP", Q, "1.5")),
    taken(streams.call("XREAD", "BLOCK", 1500, "STREAMS", `${TAG}s`, "$")),
  ];
  for (let i = 0; i < 4; i++) {
    await delay(250);
    await moving.move();
  }
  for (const ms of await within(Promise.all(times))) {
    assert(ms > 1450 && ms < 1600 + 100, `it took ${ms} ms`);
  }
});

Deno.test("a command that comes while its slot migrates takes what is still at the old server", async () => {
  await using moving = await MovingSlot.start();
  const [from, to] = moving.servers as [RedisServer, RedisServer];
  using direct = await from.client();
  await direct.call("RPUSH", Q, "old");
  await moving.proxy.fill(SLOT, to.addr, {
    groupId: 2,
    migrateFromAddr: from.addr,
    migrateFromGroupId: 1,
  });
  using client = await moving.proxy.client();
  assertEquals(await within(client.call("BLPOP", `${TAG}none`, Q, 0)), [Q, "old"]);
});

Deno.test("a key that is moved to a server ends what blocks there", async () => {
  await using moving = await MovingSlot.start();
  using direct = await moving.servers[1]!.client();
  const cases: readonly (readonly [fills: string, blocks: string, reply: RespValue])[] = [
    ["RPUSH k x", "BLPOP k 0", ["k", "x"]],
    ["ZADD k 1 x", "BZPOPMIN k 0", ["k", "x", "1"]],
    ["XADD k 1-1 f v", "XREAD BLOCK 0 STREAMS k 0", [["k", [["1-1", ["f", "v"]]]]]],
  ];
  for (const [fills, blocks, reply] of cases) {
    using source = await moving.servers[0]!.client();
    await source.call(...fills.split(" "));
    const answer = direct.call(...blocks.split(" "));
    await whenBlocked(moving.servers[1]!, 1);
    await moving.moveKeys(moving.servers[0]!, moving.servers[1]!);
    assertEquals(await within(answer), reply);
    await direct.call("DEL", "k");
  }
});

Deno.test("every element is popped once, and once only, while the slot moves to and fro", async () => {
  await using moving = await MovingSlot.start();
  const { proxy } = moving;
  const workers = await Promise.all(Array.from({ length: 20 }, () => proxy.client()));
  const popped: string[] = [];
  const total = 1000;
  const work = async (client: RespClient, i: number) => {
    for (;;) {
      const reply = i % 2 === 0
        ? await client.call("BLPOP", Q, `${TAG}end`, 0)
        : await client.call("BRPOP", `${TAG}end`, Q, 3);
      if (reply === null) continue;
      const [key, value] = reply as [string, string];
      if (key !== Q) return;
      popped.push(value);
    }
  };
  const working = Promise.all(workers.map(work));
  let isPushing = true;
  const moves = (async () => {
    let count = 0;
    for (; isPushing; count++) await moving.move(5);
    return count;
  })();
  using pusher = await proxy.client();
  for (let i = 0; i < total; i++) {
    await pusher.call(i % 3 === 0 ? "LPUSH" : "RPUSH", Q, `${i}`);
    if (i % 20 === 0) await delay(10);
  }
  await within((async () => {
    while (popped.length < total) await delay(10);
  })());
  isPushing = false;
  const count = await moves;
  assert(count > 20, `the slot moved ${count} times only`);
  await pusher.call("RPUSH", `${TAG}end`, ...workers.map(String));
  await within(working);
  const expected = Array.from({ length: total }, (_, i) => `${i}`).sort();
  assertEquals([...popped].sort(), expected);
  for (const client of workers) client.close();
  pusher.close();
  await until(() => proxy.router.sessions.size === 0);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("what blocks under old slot rules waits on under the new ones", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const { router } = proxy;
  const key = keyOn(0, 2, "job:");
  const tag = keyOn(1, 2, "t");
  using client = await proxy.client();
  using other = await proxy.client();
  const answer = client.call("BLPOP", key, 0);
  await whenBlocked(servers[0]!, 1);
  router.setServing("held");
  await router.shared.slots.settleAll();
  await whenBlocked(servers[0]!, 0);
  await router.setRules([{ pattern: "job:*", tag }]);
  router.setServing("serving");
  await whenBlocked(servers[1]!, 1);
  await other.call("RPUSH", key, "x");
  assertEquals(await within(answer), [key, "x"]);
});

Deno.test("what waits for a slot that changes hands comes after the command that has blocked before", async () => {
  await using moving = await MovingSlot.start();
  const [from, to] = moving.servers as [RedisServer, RedisServer];
  using client = await moving.proxy.client();
  using pusher = await moving.proxy.client();
  await moving.proxy.fill(SLOT + 1, to.addr, { groupId: 2 }); // it has connections from now on
  await moving.move();
  assertEquals(await client.call("BLPOP", Q, "0.01"), null);
  await moving.move();
  const answer = client.call("BRPOP", Q, 0);
  await whenBlocked(from, 1);
  await moving.proxy.fill(SLOT, from.addr, { isBlocked: true });
  await pusher.send("RPUSH", Q, "first");
  await pusher.send("RPUSH", Q, "second");
  await delay(20);
  await moving.proxy.fill(SLOT, to.addr, { groupId: 2 });
  assertEquals(await within(answer), [Q, "first"]);
  for (const length of [1, 1]) assertEquals((await pusher.read()).value, length);
  assertEquals(await client.call("LPOP", Q), "second");
});

Deno.test("a client counts as blocked once its command has come to a server", async () => {
  await using moving = await MovingSlot.start();
  const [from] = moving.servers as [RedisServer];
  using client = await moving.proxy.client();
  using other = await moving.proxy.client();
  const blocked = async () =>
    Number(/blocked_clients:(\d+)/.exec(`${await other.call("INFO", "clients")}`)![1]);
  await moving.proxy.fill(SLOT, from.addr, { isBlocked: true });
  const answer = client.call("XREAD", "BLOCK", 0, "STREAMS", Q, "$");
  await delay(30);
  assertEquals(await blocked(), 0);
  assertEquals(/ flags=b /.test(`${await other.call("CLIENT", "LIST")}`), false);
  await moving.proxy.fill(SLOT, from.addr);
  while (await blocked() !== 1) await delay(1);
  assertEquals(/ flags=b /.test(`${await other.call("CLIENT", "LIST")}`), true);
  await moving.move();
  assertEquals(await blocked(), 1, "it does not notice that its slot moves");
  await other.call("XADD", Q, "7-1", "f", "v");
  assertEquals(await within(answer), [[Q, [["7-1", ["f", "v"]]]]]);
});
