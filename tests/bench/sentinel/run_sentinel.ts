/**
 * Kills masters that three real redis-sentinels watch, and measures how soon after Sentinel's switch the table
 * and the proxy have followed.
 *
 *     deno task bench:sentinel --help
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { DashboardProcess } from "../../support/dashboard_process.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { SentinelServer } from "../../support/sentinel_server.ts";
import { StoreFolder } from "../../support/store.ts";
import { GivenOptions } from "../options.ts";

const HELP = `deno task bench:sentinel [options]

A group of a master and two replicas, three redis-sentinels, a proxy, a dashboard. The master is killed,
Sentinel promotes a replica, the table follows, the old master is started again and becomes a replica;
then the next kill. Exit code 1 when the table follows later than 2 s after the switch.

  --kills=20        how many masters are killed
  --down-after=1    sentinel_down_after, in seconds
  --stop            SIGSTOP in place of kill -9, and SIGCONT after the failover
  --json            print the results as JSON
`;

/** What is promised from Sentinel's switch to the table's, in milliseconds. */
const PROMISED_MS = 2_000;
/** How often it is looked, in milliseconds. */
const LOOK_MS = 5;
/** How many try to write, and how long each waits after a write that was refused, in milliseconds. */
const WRITERS = 4;
const WRITE_MS = 20;
/** The longest that Sentinel may take for anything, in milliseconds. */
const PATIENCE_MS = 120_000;

/** What one kill took, in milliseconds. */
interface Kill {
  /** From the kill to the first +switch-master of a sentinel. */
  readonly switchMs: number;
  /** From that to the table; below 0: the sentinels said so before. */
  readonly tableMs: number;
  /** From that to the first write that the proxy acknowledged. */
  readonly writeMs: number;
  /** From the kill to the old master being a replica in the table. */
  readonly backMs: number;
}

async function ask<T>(dashboard: DashboardProcess, path: string): Promise<T> {
  return JSON.parse((await dashboard.ask("GET", path)).text);
}

async function roleOf(dashboard: DashboardProcess, addr: string): Promise<string> {
  const { servers } = await ask<{ servers: { addr: string; type: string }[] }>(
    dashboard,
    "/api/server_group/1",
  );
  return servers.find((server) => server.addr === addr)?.type ?? "";
}

/** Waits until every sentinel knows both replicas, each other, and nothing bad. */
async function untilReady(dashboard: DashboardProcess): Promise<void> {
  interface View {
    readonly servers: readonly {
      readonly masters: readonly {
        readonly replicas: number;
        readonly other_sentinels: number;
        readonly flags: readonly string[];
      }[];
    }[];
  }
  await until(async () => {
    const { servers } = await ask<View>(dashboard, "/api/sentinels");
    return servers.every(({ masters: [master] }) =>
      master?.replicas === 2 && master.other_sentinels === 2 && master.flags.length === 0
    );
  }, PATIENCE_MS);
}

/** When a condition holds, in monotonic milliseconds. */
async function momentOf(condition: () => boolean | Promise<boolean>): Promise<number> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!await condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${PATIENCE_MS / 1000} s`);
    await delay(LOOK_MS);
  }
  return performance.now();
}

interface Place {
  readonly dashboard: DashboardProcess;
  readonly proxy: ProxyProcess;
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly SentinelServer[];
}

async function killOnce(
  { dashboard, proxy, servers, sentinels }: Place,
  isStop: boolean,
): Promise<Kill> {
  await untilReady(dashboard);
  const roles = await Promise.all(servers.map(({ addr }) => roleOf(dashboard, addr)));
  const master = servers[roles.indexOf("master")]!;
  const others = servers.filter((server) => server !== master);
  const before = sentinels.map(({ log }) => log.length);
  const beganMs = performance.now();
  if (isStop) master.pause();
  else await master.kill();
  const [switched, table, write] = await Promise.all([
    momentOf(() => sentinels.some(({ log }, i) => log.slice(before[i]).includes("+switch-master"))),
    momentOf(async () => {
      const now = await Promise.all(others.map(({ addr }) => roleOf(dashboard, addr)));
      return now.includes("master");
    }),
    firstWrite(proxy),
  ]);
  if (isStop) master.resume();
  else await master.restart();
  const back = await momentOf(async () => await roleOf(dashboard, master.addr) === "slave");
  return {
    switchMs: Math.round(switched - beganMs),
    tableMs: Math.round(table - switched),
    writeMs: Math.round(write - switched),
    backMs: Math.round(back - beganMs),
  };
}

/** When the proxy acknowledges a write again; several try it, as one that was sent before may hang. */
async function firstWrite(proxy: ProxyProcess): Promise<number> {
  await delay(100);
  let isDone = false;
  const tryAll = async () => {
    while (!isDone) {
      using client = await proxy.client();
      if (await client.call("SET", "a", "1") === "OK") isDone = true;
      else await delay(WRITE_MS);
    }
    return performance.now();
  };
  return await Promise.race(Array.from({ length: WRITERS }, tryAll));
}

async function main(): Promise<void> {
  const given = new GivenOptions(HELP, {
    numbers: { kills: [20, 1, 10_000], "down-after": [1, 1, 3_600] },
    switches: ["json", "stop"],
  });
  const [kills, downAfter] = [given.number("kills"), given.number("down-after")];
  const isJson = given.isOn("json");
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(3);
  await using sentinels = await SentinelServer.startMany(3);
  await using dashboard = await DashboardProcess.start({
    embedded_dir: folder.dir,
    servers: servers[0]!.addr,
    sentinel_down_after: downAfter,
  });
  await using proxy = await ProxyProcess.start({
    config: {
      ...{ embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
      servers: servers[0]!.addr,
    },
  });
  for (const { addr } of servers.slice(1)) {
    await dashboard.ask("PUT", "/api/server_group/1/addServer", { addr, type: "slave" });
  }
  for (const { addr } of sentinels) await dashboard.ask("POST", "/api/sentinels", { addr });
  const results: Kill[] = [];
  for (let i = 0; i < kills; i++) {
    results.push(await killOnce({ dashboard, proxy, servers, sentinels }, given.isOn("stop")));
    if (!isJson) console.log(i + 1, results.at(-1));
  }
  const late = results.filter(({ tableMs }) => tableMs > PROMISED_MS).length;
  if (isJson) console.log(JSON.stringify(results, null, 2));
  else {
    console.table(
      (["switchMs", "tableMs", "writeMs", "backMs"] as const).map((name) => {
        const sorted = results.map((kill) => kill[name]).sort((a, b) => a - b);
        return { name, p50: sorted[Math.floor((sorted.length - 1) / 2)], max: sorted.at(-1) };
      }),
    );
    console.log(`later than ${PROMISED_MS} ms after the switch: ${late} of ${kills}`);
  }
  Deno.exitCode = late > 0 ? 1 : 0;
}

if (import.meta.main) await main();
