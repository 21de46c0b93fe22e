/**
 * Commands that block at servers that cannot be told to unblock: those before Redis 5, such as
 * codis-server. `CODIS_SERVER=<path>` names one to try it on; else a redis-server without CLIENT is it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { whenBlocked } from "../../support/blocked_clients.ts";
import { until, within } from "../../support/deadline.ts";
import { OLD_SERVER } from "../../support/old_server.ts";
import { MovingSlot, TAG } from "../../support/moving_slot.ts";
import { slotOf } from "../../support/router_server.ts";

const Q = `${TAG}q`;

Deno.test("at an old server a command waits as long as it was asked for, or for ever", async () => {
  await using moving = await MovingSlot.start(OLD_SERVER);
  using client = await moving.proxy.client();
  using endless = await moving.proxy.client();
  using other = await moving.proxy.client();
  const answer = endless.call("BLPOP", `${TAG}other`, Q, 0);
  const before = performance.now();
  assertEquals(await client.call("BLPOP", `${TAG}none`, 2), null);
  const ms = performance.now() - before;
  assert(ms > 1900 && ms < 3200, `it took ${ms} ms`);
  await other.call("RPUSH", Q, "x");
  assertEquals(await within(answer), [Q, "x"]);
  await other.call("RPUSH", Q, "y");
  assertEquals(await within(client.call("BRPOPLPUSH", Q, `${TAG}to`, 0)), "y");
});

Deno.test("at an old server CLIENT UNBLOCK takes effect within a second or so", async () => {
  await using moving = await MovingSlot.start(OLD_SERVER);
  using client = await moving.proxy.client();
  using other = await moving.proxy.client();
  const id = Number(await client.call("CLIENT", "ID"));
  const answer = client.call("BLPOP", Q, 0);
  await until(() => moving.proxy.sessionOf(client).blocked?.isAtServer === true);
  assertEquals(await within(other.call("CLIENT", "UNBLOCK", id), 3000), 1);
  assertEquals(await answer, null);
});

Deno.test("a command waits on at an old server that is lost and comes back", async () => {
  await using moving = await MovingSlot.start(OLD_SERVER);
  const server = moving.servers[0]!;
  using client = await moving.proxy.client();
  using timed = await moving.proxy.client();
  const before = performance.now();
  const answer = client.call("BLPOP", Q, 0);
  const timedAnswer = timed.call("BLPOP", `${TAG}none`, 3);
  await whenBlocked(server, 2);
  await server.kill();
  await delay(500);
  await server.restart();
  await whenBlocked(server, 2);
  assertEquals(await timedAnswer, null);
  const ms = performance.now() - before;
  assert(ms > 2900 && ms < 4200, `it took ${ms} ms`);
  using other = await moving.proxy.client();
  await other.call("RPUSH", Q, "x");
  assertEquals(await within(answer), [Q, "x"]);
});

Deno.test("every element is popped once while the slot moves between old servers", async () => {
  await using moving = await MovingSlot.start(OLD_SERVER);
  const { proxy } = moving;
  const workers = await Promise.all(Array.from({ length: 10 }, () => proxy.client()));
  const popped: string[] = [];
  const total = 20;
  const working = Promise.all(workers.map(async (client, i) => {
    for (;;) {
      const reply = await client.call("BLPOP", Q, `${TAG}end`, i % 2 === 0 ? 0 : 5);
      if (reply === null) continue;
      const [key, value] = reply as [string, string];
      if (key !== Q) return;
      popped.push(value);
    }
  }));
  let isPushing = true;
  const moves = (async () => {
    let count = 0;
    for (; isPushing; count++) {
      await moving.move(10);
      await delay(300);
    }
    return count;
  })();
  using pusher = await proxy.client();
  for (let i = 0; i < total; i++) {
    await pusher.call("RPUSH", Q, `${i}`);
    await delay(50);
  }
  await within((async () => {
    while (popped.length < total) await delay(10);
  })());
  isPushing = false;
  assert(await moves >= 1);
  await pusher.call("RPUSH", `${TAG}end`, ...workers.map(String));
  await within(working);
  assertEquals(
    popped.map(Number).sort((a, b) => a - b),
    Array.from({ length: total }, (_, i) => i),
  );
  for (const client of workers) client.close();
  pusher.close();
  await until(() => proxy.router.sessions.size === 0);
  assertEquals(proxy.leftovers(), []);
  assertEquals(proxy.router.shared.slots.all[slotOf(TAG)]!.isOpen, true);
});
