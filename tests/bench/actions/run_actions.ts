/**
 * Measures how long a proxy takes from an action written to its answer, with many connections open.
 *
 *     deno task bench:actions --help
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { CountingLoad, keysInSlots } from "../../support/counting_load.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ScriptedDashboard } from "../../support/scripted_dashboard.ts";
import { StoreFolder } from "../../support/store.ts";
import { GivenOptions } from "../options.ts";

const HELP = `deno task bench:actions [options]

Every slot moved is three actions: slot_premigrate, slot_migrate, slot_changed.

  --idle=10000          connections that ask for nothing
  --busy=500            connections that ask all the time
  --slots=20            slots moved
`;

async function main(): Promise<void> {
  const given = new GivenOptions(HELP, {
    numbers: { idle: [10_000, 0, 60_000], busy: [500, 1, 10_000], slots: [20, 1, 93] },
  });
  const [idle, busy, count] = [given.number("idle"), given.number("busy"), given.number("slots")];
  await using servers = await RedisServer.startMany(2);
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  await using dashboard = new ScriptedDashboard(store);
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, max_clients: idle + busy + 100 },
  });
  const silent: RespClient[] = [];
  for (let i = 0; i < idle; i++) silent.push(await proxy.client());
  const slots = Array.from({ length: count }, (_, i) => i * 11);
  const load = await CountingLoad.start([proxy], keysInSlots(slots, 2), busy, 0);
  await delay(2000);
  for (const slotId of slots) await dashboard.moveSlot(slotId, 2);
  await load.stop();
  const times = dashboard.answerMs.toSorted((a, b) => a - b);
  const at = (share: number) =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  console.log(
    `${idle} idle, ${busy} busy connections, ${times.length} actions: answered after ` +
      `p50 ${at(0.5).toFixed(0)} ms, p99 ${at(0.99).toFixed(0)} ms, max ${at(1).toFixed(0)} ms; ` +
      `longest wait of a client ${load.longestMs.toFixed(0)} ms, errors ${load.errors.length}, ` +
      `lost updates ${(await load.lostUpdates(proxy)).length}`,
  );
  for (const client of silent) client.close();
}

await main();
