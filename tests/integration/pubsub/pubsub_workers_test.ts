/**
 * What subscribers of one worker are promised by the publishers of all: whoever has been told that it is
 * subscribed gets every later message, also while slots move to a server that had none.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { loadSlot, saveSlot } from "../../../src/store/slots.ts";
import { keysInSlots } from "../../support/counting_load.ts";
import { Migration } from "../../support/migration.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ScriptedDashboard } from "../../support/scripted_dashboard.ts";

/** So many clients are never all of one worker, but for one time in 30 000. */
const MANY = 16;
const SLOTS_MOVED = 30;
const ROUNDS = 100;

Deno.test("whoever is acknowledged as a subscriber gets what the clients of any worker publish later", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers);
  const { store } = migration;
  for (let id = 512; id < 1024; id++) {
    await saveSlot(store, { ...await loadSlot(store, id), group_id: 1 }); // the other is empty
  }
  await using dashboard = new ScriptedDashboard(store);
  const config = {
    embedded_dir: migration.folder.dir,
    dashboard_addr: dashboard.addr,
    proxy_id: "one",
  };
  await using proxy = await ProxyProcess.start({ cpu: 2, config });
  const clients = await Promise.all(Array.from({ length: MANY }, () => proxy.client()));
  const client = (n: number): RespClient => clients[n % MANY]!;
  const channels = keysInSlots(Array.from({ length: SLOTS_MOVED }, (_, id) => id), 1);

  const lost: string[] = [];
  const round = async (n: number) => {
    const channel = channels[n % channels.length]!;
    const word = n % 3 === 0 ? "PSUBSCRIBE" : "SUBSCRIBE";
    const [subscriber, publisher] = [client(n), client(n + 1 + n % (MANY - 1))];
    await subscriber.call(word, channel);
    const count = await publisher.call("PUBLISH", channel, `${n}`);
    const message = await Promise.race([subscriber.read(), delay(2000)]);
    if (count !== 1 || message === undefined) lost.push(`${word} ${channel}: ${count}`);
    await subscriber.call(word.replace("SUB", "UNSUB"));
  };
  let rounds = 0;
  while (rounds < ROUNDS) await round(rounds++);
  await migration.queue.add(0, SLOTS_MOVED - 1, 2, 0);
  const isMoved = () => migration.queue.views().length === 0;
  while (!isMoved() || rounds < 2 * ROUNDS) await round(rounds++);
  assertEquals(lost, []);
  assert(await migration.slot(SLOTS_MOVED - 1) === "online 2");
  for (const each of clients) each.close();
});
