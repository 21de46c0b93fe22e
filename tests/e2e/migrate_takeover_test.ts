/**
 * The dashboard dies that a command asks which goes on for a while: the command finds the one that takes over.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { DashboardProcess } from "../support/dashboard_process.ts";
import { until } from "../support/deadline.ts";
import { freePort } from "../support/free_port.ts";
import { ProxyProcess, startProgram } from "../support/proxy_process.ts";
import { json, OK, RecordingDashboard } from "../support/recording_dashboard.ts";
import { RedisServer } from "../support/redis_server.ts";
import { startEtcd } from "../support/remote_coordinator.ts";
import { slotOf } from "../support/router_server.ts";
import { StoreFolder, type StorePlace, StoreServer } from "../support/store.ts";
import { TASK, VIEW } from "../support/cluster_view.ts";

const KEYS = Array.from({ length: 2_000 }, (_, i) => `key:${i}`);
/** Slow enough for a dashboard to die, and for another to take over, while slots move. */
const KEYS_PER_SECOND = 20;
/** How long slow machines may take for all of it, in milliseconds. */
const PATIENCE_MS = 90_000;

/** Moves slots by commands that wait, and kills the dashboard that they ask. */
async function assertWaitsOn(place: StorePlace): Promise<void> {
  await using servers = await RedisServer.startMany(2);
  const store = await place.openFilled(servers.map(({ addr }) => addr).join(","));
  const lines = place.config.split("\n").map((line) => line.split(" = "));
  const { dashboard_addr: _, ...way } = Object.fromEntries(lines);
  const config = { ...way, migrate_keys_per_second: KEYS_PER_SECOND };
  await using first = await DashboardProcess.start(config);
  await using second = await DashboardProcess.start(config);
  await using proxy = await ProxyProcess.start({
    config: { ...config, dashboard_addr: first.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  for (const key of KEYS) client.send("SET", key, key);
  for (let i = 0; i < KEYS.length; i++) assertEquals((await client.read()).value, "OK");

  const run = (...words: string[]) => startProgram(["config", ...words]);
  const ofFirst = `--dashboard=${first.addr}`;
  const waits = [
    run("-c", first.configFile, "slot", "migrate", "0", "19", "2", "--wait"),
    // The config file says who leads next, though it names another dashboard.
    run("-c", second.configFile, ofFirst, "slot", "migrate", "20", "39", "2", "--wait"),
  ];
  const following = run("-c", first.configFile, "events", "--follow");
  for (const child of waits) await child.waitFor(() => child.stderr.includes("waiting for"));
  const stillToMove = KEYS.filter((key) => slotOf(key) < 40).length;
  await until(async () => {
    const text = (await first.ask("GET", "/api/cluster")).text;
    return JSON.parse(text).migration_totals?.keys_moved > stillToMove / 10;
  }, PATIENCE_MS);
  await first.kill();
  for (const child of waits) {
    assertEquals((await child.ended).code, 0, child.stderr);
    assertStringIncludes(child.stderr, `dashboard ${second.addr} leads now\n`);
  }
  const { slots: { group } } = JSON.parse((await second.ask("GET", "/api/cluster")).text);
  assertEquals(group.slice(0, 40), Array(40).fill(2));
  await following.waitFor(() => following.stdout.includes(first.addr));
  await following.end("SIGINT");
  await store.coordinator.close();
}

Deno.test("slot migrate --wait goes on with the dashboard that takes over on its machine", async () => {
  await using folder = await StoreFolder.make();
  await assertWaitsOn(folder);
});

Deno.test("slot migrate --wait goes on with the dashboard that takes over by etcd", async () => {
  const etcd = await startEtcd();
  await using _server = etcd.server;
  await using place = await StoreServer.make(etcd);
  await assertWaitsOn(place);
});

Deno.test("a command never goes on with the dashboard of another cluster", async () => {
  await using folder = await StoreFolder.make();
  await using other = new RecordingDashboard({ "GET /api/cluster": json(VIEW) });
  const store = await folder.open();
  const { coordinator, paths } = store;
  await coordinator.create(paths.dashboard, `{"addr": "${other.addr}", "pid": 1}`, "ephemeral");
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, `${folder.config}\ndashboard_addr = ${other.addr}\n`);

  let isQueued = false;
  const asks = new RecordingDashboard({
    "POST /api/migrate": () => {
      isQueued = true;
      return OK;
    },
    "GET /api/cluster": () => json({ ...VIEW, migrations: isQueued ? [TASK] : [] }),
  }, freePort());
  const words = [
    "-c",
    file,
    `--dashboard=${asks.addr}`,
    "slot",
    "migrate",
    "5",
    "5",
    "2",
    "--wait",
  ];
  const child = startProgram(["config", ...words]);
  await child.waitFor(() => child.stderr.includes("waiting for 1 task;"));
  await asks[Symbol.asyncDispose]();
  await child.waitFor(() => child.stderr.includes("cannot be reached"));
  assertEquals((await child.end("SIGINT")).code, 130);
  assertEquals(other.requests, []);
});
