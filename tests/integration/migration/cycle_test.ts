/**
 * Slots move both ways between servers, and in cycles: no server blocks another.
 *
 * @module
 */

import { assertEquals, assertLess } from "@std/assert";
import { chunk } from "@std/collections/chunk";
import { until } from "../../support/deadline.ts";
import { LatencyProbe } from "../../support/latency_probe.ts";
import { Migration } from "../../support/migration.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { slotOf } from "../../support/router_server.ts";

const SLOTS_EACH = 40;
const KEYS = 100_000;
/** No server may leave a client without an answer for so long, in milliseconds. */
const STALL_MS = 500;

/** Fills servers that share the slots evenly, as a migration's groups do. */
async function fill(servers: readonly RedisServer[]): Promise<void> {
  const pairs: string[][] = servers.map(() => []);
  for (let i = 0; i < KEYS; i++) {
    pairs[Math.floor(slotOf(`k${i}`) * servers.length / 1024)]!.push(`k${i}`, `${i}`);
  }
  await Promise.all(servers.map(async (server, i) => {
    using client = await server.client();
    for (const some of chunk(pairs[i]!, 2_000)) await client.call("MSET", ...some);
  }));
}

async function sizes(servers: readonly RedisServer[]): Promise<number> {
  let sum = 0;
  for (const server of servers) {
    using client = await server.client();
    sum += await client.call("DBSIZE") as number;
  }
  return sum;
}

for (const count of [2, 3]) {
  Deno.test(`${count} servers give each other slots: none blocks another`, async () => {
    await using servers = await RedisServer.startMany(count);
    await fill(servers);
    await using migration = await Migration.start(servers);
    const probes = servers.map(({ port }) => LatencyProbe.start(port, "nothing"));
    for (let i = 0; i < count; i++) {
      const first = Math.ceil(i * 1024 / count);
      await migration.queue.add(first, first + SLOTS_EACH - 1, (i + 1) % count + 1, 0);
    }
    await migration.done(60_000);
    for (const probe of probes) assertLess((await probe.finish()).maxMs, STALL_MS);
    assertEquals(await sizes(servers), KEYS);
    for (let i = 0; i < count; i++) {
      const first = Math.ceil(i * 1024 / count);
      assertEquals(await migration.slot(first), `online ${(i + 1) % count + 1}`);
    }
  });
}

Deno.test("cancelled slots go back while others go forward: no server blocks another", async () => {
  await using servers = await RedisServer.startMany(2);
  await fill(servers);
  await using migration = await Migration.start(servers, {
    slotsAtOnce: 20,
    keysPerSecond: 20_000,
  });
  const probes = servers.map(({ port }) => LatencyProbe.start(port, "nothing"));
  const names = await migration.queue.add(0, SLOTS_EACH - 1, 2, 0);
  const cancelled: string[] = [];
  const begun = () =>
    migration.queue.views().find(({ name, status }) =>
      status === "migrating" && !cancelled.includes(name)
    );
  while (cancelled.length < 8) {
    await until(() => begun() !== undefined);
    const { name } = begun()!;
    cancelled.push(name);
    await migration.queue.cancel(name);
  }
  await migration.done(60_000);
  for (const probe of probes) assertLess((await probe.finish()).maxMs, STALL_MS);
  assertEquals(await sizes(servers), KEYS);
  const slots = await Promise.all(names.map((_, slotId) => migration.slot(slotId)));
  // A slot that was nearly done finishes.
  assertLess(slots.filter((text) => text === "online 1").length, cancelled.length + 1);
  assertEquals(slots.filter((text) => !/^online [12]$/.test(text)), []);
});
