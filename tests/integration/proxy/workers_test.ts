/**
 * Several workers are one proxy: to clients, to monitoring, and to the coordinator.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { delay } from "@std/async/delay";
import { loadProxies } from "../../../src/store/proxies.ts";
import { CountingLoad, keysInSlots } from "../../support/counting_load.ts";
import { until } from "../../support/deadline.ts";
import { Migration } from "../../support/migration.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { keyOn, slotOf } from "../../support/router_server.ts";
import { ScriptedDashboard } from "../../support/scripted_dashboard.ts";
import { WorkerPoolServer } from "../../support/worker_pool_server.ts";

/** Connections enough that each of two workers has some, but for one run in a million. */
const MANY = 20;

async function clientsOf(start: () => Promise<RespClient>, count: number) {
  const clients = await Promise.all(Array.from({ length: count }, start));
  return Object.assign(clients, {
    [Symbol.dispose]: () => clients.forEach((client) => client.close()),
  });
}

/** The values of one metric, by the label `worker`. */
async function perWorker(proxy: ProxyProcess, name: string, labels = ""): Promise<number[]> {
  const text = await (await fetch(proxy.url("/metrics"))).text();
  const pattern = new RegExp(`^${name}\\{worker="(\\d+)"${labels}\\} (\\d+)$`, "gm");
  return [...text.matchAll(pattern)].map(([, , value]) => Number(value));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** What Codis 2.0's own proxy tells of its memory, in its order. */
const MEMSTATS = [
  ...["Alloc", "TotalAlloc", "Sys", "Lookups", "Mallocs", "Frees", "HeapAlloc", "HeapSys"],
  ...["HeapIdle", "HeapInuse", "HeapReleased", "HeapObjects", "StackInuse", "StackSys"],
  ...["MSpanInuse", "MSpanSys", "MCacheInuse", "MCacheSys", "BuckHashSys", "GCSys", "OtherSys"],
  ...["NextGC", "LastGC", "PauseTotalNs", "PauseNs", "PauseEnd", "NumGC", "NumForcedGC"],
  ...["GCCPUFraction", "EnableGC", "DebugGC", "BySize"],
];

Deno.test("two workers serve one port, and are summed wherever stats are shown", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({
    servers,
    cpu: 2,
    config: { max_clients: MANY + 1 },
  });
  using clients = await clientsOf(() => proxy.client(), MANY);
  await Promise.all(clients.map(async (client, i) => {
    const key = keyOn(i % 2, 2, `c${i}:`);
    const requests = Array.from({ length: 100 }, (_, k) => ["SET", `${key}{${key}}`, k]);
    for (const { value } of await client.pipeline(requests)) assertEquals(value, "OK");
    assertEquals(await client.call("MGET", `${key}{${key}}`, "none"), ["99", null]);
  }));

  const sessions = await perWorker(proxy, "codis_proxy_sessions");
  assertEquals(sessions.length, 2);
  assert(sessions.every((count) => count > 0), `all went to one worker: ${sessions}`);
  assertEquals(sum(sessions), MANY);
  const sets = await perWorker(proxy, "codis_proxy_commands_total", ',command="set"');
  assertEquals(sum(sets), 100 * MANY);
  const stats = await (await fetch(proxy.url("/stats"))).json();
  assertEquals(stats.ops, 101 * MANY);
  assertEquals(stats.sessions, MANY);
  assertEquals(stats.table_version, 1024);
  assertEquals(stats.slots_offline, 0);
  const vars = await (await fetch(proxy.url("/debug/vars"))).json();
  assertEquals(vars.router.ops, 101 * MANY);
  assertEquals(Object.keys(vars.memstats), MEMSTATS);
  assertEquals(vars.memstats.PauseNs.length, 256);
  assertEquals(vars.memstats.BySize.length, 61);
  const [one] = clients;
  const info = await one!.call("INFO") as string;
  assert(info.includes(`connected_clients:${MANY}\r\n`), info);
  assert(info.includes(`total_commands_processed:${101 * MANY}\r\n`), info);
  assert(/^used_memory:[1-9]/m.test(info), info);
  const slots = await (await fetch(proxy.url("/slots"))).json();
  assertEquals(slots[1023], {
    id: 1023,
    state: "open",
    group_id: 2,
    backend: servers[1]!.addr,
    migrate_from: "",
    in_flight: 0,
  });

  // The log's level is that of all threads, and so is its form.
  await (await fetch(proxy.url("/setloglevel?level=debug"))).body?.cancel();
  // max_clients holds for both together.
  using last = await proxy.client();
  assertEquals(await last.call("PING"), "PONG");
  using refused = await proxy.client();
  assertEquals(
    new TextDecoder().decode(await refused.readToEnd()),
    "-ERR max number of clients reached\r\n",
  );

  assertEquals(await proxy.stop(), 0);
  assert(/^\S+Z \[DEBUG\] router: session 21 opened by 127/m.test(proxy.stderr), proxy.stderr);
  assert(/2 workers, started in \d+ ms/.test(proxy.stderr), proxy.stderr);
});

Deno.test("CLIENT knows the clients of all workers, each by a number of its own", async () => {
  await using servers = await RedisServer.startMany(1);
  await using proxy = await ProxyProcess.start({ servers, cpu: 2 });
  using clients = await clientsOf(() => proxy.client(), MANY);
  const ids = await Promise.all(
    clients.map(async (client) => Number(await client.call("CLIENT", "ID"))),
  );
  assertEquals(new Set(ids).size, MANY);
  const list = await clients[0]!.call("CLIENT", "LIST") as string;
  const listed = [...list.matchAll(/^id=(\d+) /gm)].map(([, id]) => Number(id));
  assertEquals(listed.sort(), ids.toSorted());
  const some = await clients[0]!.call("CLIENT", "LIST", "ID", ids[3]!, ids[4]!) as string;
  assertEquals(some.split("\n").length, 3);
  // Replies stay in order around a command that others are asked for.
  const replies = await clients[0]!.pipeline([
    ["PING"],
    ["CLIENT", "LIST"],
    ["GET", "x"],
    ["INFO"],
    [
      "PING",
    ],
  ]);
  assertEquals(replies.filter((_, i) => i % 4 === 0).map(({ value }) => value), ["PONG", "PONG"]);
  assertEquals(replies[2]!.value, null);

  for (const id of ids.slice(1, 10)) {
    assertEquals(await clients[0]!.call("CLIENT", "KILL", "ID", id), 1);
  }
  for (const client of clients.slice(1, 10)) {
    assertEquals(await client.readToEnd(), new Uint8Array());
  }
  assertEquals(await clients[0]!.call("CLIENT", "KILL", "ID", ids[1]!), 0);
  assertEquals(await clients[0]!.call("CLIENT", "KILL", "TYPE", "normal"), MANY - 10);
  // A change of protocol counts from its place in the pipeline on.
  const [before, , after] = await clients[0]!.pipeline([
    ["CLIENT", "LIST", "ID", ids[0]!],
    ["HELLO", 3],
    ["CLIENT", "LIST", "ID", ids[0]!],
  ]);
  assertEquals([before, after].map((reply) => String.fromCharCode(reply!.raw[0]!)), ["$", "="]);
  // Who kills himself is told so, and does nothing that he had asked for behind it.
  await clients[0]!.send("CLIENT", "KILL", "ID", ids[0]!, "SKIPME", "no");
  await clients[0]!.send("SET", "late", 1);
  assertEquals((await clients[0]!.read()).value, 1);
  assertEquals(await clients[0]!.readToEnd(), new Uint8Array());
  using later = await proxy.client();
  assertEquals(await later.call("EXISTS", "late"), 0);
});

Deno.test("two workers register as one proxy, and a slot that moves under load loses nothing", async () => {
  await using first = await RedisServer.start();
  await using second = await RedisServer.start();
  await using migration = await Migration.start([first, second]);
  await using dashboard = new ScriptedDashboard(migration.store);
  await using proxy = await ProxyProcess.start({
    cpu: 2,
    config: {
      embedded_dir: migration.folder.dir,
      dashboard_addr: dashboard.addr,
      proxy_id: "one",
    },
  });
  assertEquals((await loadProxies(migration.store)).length, 1);
  const slots = Array.from({ length: 30 }, (_, i) => i);
  const load = await CountingLoad.start([proxy], keysInSlots(slots, 4), 50);
  // Step by step, each confirmed by the proxy …
  for (const slotId of slots.slice(0, 10)) await dashboard.moveSlot(slotId, 2);
  // … and many at once.
  await migration.queue.add(10, 29, 2, 0);
  await migration.done(60_000);
  await load.stop();
  assertEquals(load.errors, []);
  assertEquals(await load.lostUpdates(proxy), []);
  const slowest = Math.max(...dashboard.answerMs);
  console.log(`slowest of ${dashboard.answerMs.length} answers: ${Math.round(slowest)} ms`);
  assertLess(slowest, Number(Deno.env.get("STALL_MS") ?? 2500));
  using old = await first.client();
  const left = await old.call("KEYS", "*") as string[];
  assertEquals(left.filter((key) => slots.includes(slotOf(key))), []);
  const calls = await perWorker(proxy, "codis_proxy_commands_total", ',command="incr"');
  assert(
    calls.length === 2 && calls.every((count) => count > 0),
    `one worker did it all: ${calls}`,
  );
});

Deno.test("a worker that dies takes its clients with it; the others go on, another takes its place", async () => {
  await using servers = await RedisServer.startMany(2);
  await using server = await WorkerPoolServer.start(2, servers);
  const [key] = keysInSlots([5], 1);
  await server.fill(5, servers[1]!.addr, { groupId: 2 });
  await server.fill(6, servers[0]!.addr, { isBlocked: true });
  using clients = await clientsOf(() => server.client(), MANY);
  for (const client of clients) assertEquals(await client.call("SET", key!, "x"), "OK");
  const before = await server.pool.stats();
  assertEquals(before.sum.commands.map(({ calls }) => calls), [MANY]);

  // While a change is under way that waits for a request in flight, of whichever worker.
  const release = await holdBack(clients[0]!, key!);
  const changed = server.fill(5, servers[0]!.addr);
  server.strike(server.threads[0]!);
  await until(() => server.threads.length === 3);
  const ends = await Promise.all(
    clients.slice(1).map(async (client) => {
      try {
        await client.send("PING");
        return (await client.read()).value === "PONG";
      } catch {
        return false;
      }
    }),
  );
  const survivors = ends.filter((isAlive) => isAlive).length;
  assertEquals(survivors > 0 && survivors < MANY - 1, true, `${survivors} of ${MANY - 1} go on`);
  await release();
  await changed;

  // Where it listens, it has clients, and the table as it is now: slot 5 elsewhere, slot 6 blocked.
  await using later = new AsyncDisposableStack();
  const ids = new Set<number>();
  await until(async () => {
    const client = later.use(await server.client());
    ids.add(Number(await client.call("CLIENT", "ID")));
    assertEquals(await client.call("SET", key!, "y"), "OK");
    return (await server.pool.stats()).workers.every(({ sessions }) => sessions > 0);
  });
  assert(Math.min(...ids) > MANY, "a number was given twice");
  const after = await server.pool.stats();
  assertEquals(after.workers.map(({ slots }) => [slots.states[5], slots.states[6]]), [
    ["open", "blocked"],
    ["open", "blocked"],
  ]);
  // What the dead one had counted is still there, as of when it was last looked at.
  const sets = after.sum.commands.find(({ name }) => name === before.sum.commands[0]!.name)!;
  assertEquals(sets.calls, MANY + ids.size);
  assertEquals(after.sum.totals.connections, MANY + ids.size);
});

/** Leaves a request in flight for a moment, by a server that sleeps; then waits for what became of it. */
async function holdBack(client: RespClient, key: string): Promise<() => Promise<void>> {
  await client.send("EVAL", "for i = 1, 20000000 do end return 1", 1, key);
  await delay(50);
  return async () => {
    await client.read().catch(() => {}); // its worker may be the one that died
  };
}
