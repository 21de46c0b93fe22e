/**
 * A hash of many megabytes in a slot that moves: it is reported first, and no client waits longer than
 * its two servers stop.
 *
 * `BIG_HASH_MB=200` makes it as large as the largest that operators have reported.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { delay } from "@std/async/delay";
import { keysInSlots } from "../../support/counting_load.ts";
import { Migration } from "../../support/migration.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ScriptedDashboard } from "../../support/scripted_dashboard.ts";

const MEGABYTES = Number(Deno.env.get("BIG_HASH_MB") ?? 20);
/** The hash's slot, one of the same source, and one that has nothing to do with either server. */
const SLOTS = { hash: 7, source: 8, other: 1000 } as const;
/** Rest between two requests of a client, in milliseconds. */
const PERIOD_MS = 5;
/** What the way through the proxy, and this very process, may add to a wait. */
const SLACK_MS = 500;

/** Asks for something again and again; {@linkcode stop} tells how long the longest answer took. */
function ask(client: RespClient, ...words: string[]): { stop(): Promise<number> } {
  let isOver = false;
  let longestMs = 0;
  const running = (async () => {
    while (!isOver) {
      const startedMs = performance.now();
      const reply = await client.call(...words);
      assert(!(reply instanceof Error), String(reply));
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      await delay(PERIOD_MS);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await running;
      return longestMs;
    },
  };
}

/** How long MIGRATE stopped a server, in milliseconds: the longest it remembers. */
async function migrateMs(server: RedisServer): Promise<number> {
  using client = await server.client();
  const log = await client.call("SLOWLOG", "GET", "100") as unknown[][];
  const times = log.filter((entry) => `${(entry[3] as string[])[0]}`.toUpperCase() === "MIGRATE")
    .map((entry) => Number(entry[2]) / 1000);
  return Math.max(...times);
}

Deno.test(`a hash of ${MEGABYTES} MB is reported, and its move stops no other server`, async () => {
  await using servers = await RedisServer.startMany(3);
  await using migration = await Migration.make(servers, { bigKeyBytes: 1_000_000 });
  await using dashboard = new ScriptedDashboard(migration.store);
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: migration.folder.dir, dashboard_addr: dashboard.addr },
  });
  const [hash, small, other] = Object.values(SLOTS).map((slotId) => keysInSlots([slotId], 1)[0]!);
  using client = await proxy.client();
  const fields = MEGABYTES * 1000;
  for (let from = 0; from < fields; from += 1000) {
    const words = Array.from({ length: 1000 }, (_, i) => [`field:${from + i}`, "x".repeat(980)]);
    await client.call("HSET", hash!, ...words.flat());
  }
  for (const key of [small!, other!]) await client.call("SET", key, "value");
  {
    using source = await servers[0]!.client();
    await source.call("CONFIG", "RESETSTAT");
    await source.call("SLOWLOG", "RESET");
  }
  const clients = await Promise.all([proxy.client(), proxy.client(), proxy.client()]);
  const asking = [
    ask(clients[0]!, "HGET", hash!, "field:1"),
    ask(clients[1]!, "GET", small!),
    ask(clients[2]!, "GET", other!),
  ];
  await migration.queue.start();
  const startedMs = performance.now();
  await migration.queue.add(SLOTS.hash, SLOTS.hash, 2, 0);
  await migration.done(60_000);
  const tookMs = performance.now() - startedMs;
  const [ofHash, ofSource, ofOther] = await Promise.all(asking.map((each) => each.stop()));
  for (const each of clients) each.close();
  const stopMs = await migrateMs(servers[0]!);
  const told = migration.control.events.find((event) => event.includes("big key"));
  console.log(
    `moved in ${Math.round(tookMs)} ms, MIGRATE ${
      Math.round(stopMs)
    } ms; longest answers: its slot ` +
      `${Math.round(ofHash!)}, another of its server ${Math.round(ofSource!)}, another server ` +
      `${Math.round(ofOther!)} ms\n${told}`,
  );
  assert(told !== undefined, "nobody was told");
  assertEquals(await client.call("HLEN", hash!), fields);
  assertEquals(await migration.slot(SLOTS.hash), "online 2");
  assertLess(ofHash!, stopMs + SLACK_MS);
  assertLess(ofSource!, stopMs + SLACK_MS);
  assertLess(ofOther!, SLACK_MS);
});
