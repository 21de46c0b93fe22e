/**
 * How fast slots move all keys of one server to another, and back, in turns with the same by hand.
 *
 *     deno task bench:migration --help
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { CodisServer } from "../../support/codis_server.ts";
import { LatencyProbe, type ProbeReport } from "../../support/latency_probe.ts";
import { processFigures } from "../../support/process_figures.ts";
import type { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { Cluster } from "../consistency/cluster.ts";
import { median } from "../load/median.ts";
import { GivenOptions, stop } from "../options.ts";
import { fill, KEY_PREFIX } from "./data.ts";
import { moveByHand } from "./by_hand.ts";

const HELP = `deno task bench:migration [options]

Two servers, a dashboard, a proxy with one worker. All slots and their keys move from the first server
to the second and back; in turns with each move the keys alone are moved by hand, with MIGRATE of 100 keys
that are known, or with codis-server's SLOTSMGRTTAGSLOT. Told are keys per second and CPU time per key.

  --keys=300000     keys
  --data=strings    strings: of 64 bytes. mixed: also hashes, lists, sets, of 10 to 100 elements, strings of 4 KB
  --rounds=3        moves by slots; twice as many by hand
  --clients=0       clients that GET keys through the proxy while slots move
  --period=20       milliseconds between two requests of a client
  --backend=stock   stock, or codis: codis-servers, with CODIS_SERVER naming the program
  --slots=1024      slots that have keys and move
  --only=both       both, ours or hand
`;

/** What one move took. */
interface Move {
  readonly keysPerSecond: number;
  /** CPU time in microseconds per key. */
  readonly source: number;
  readonly target: number;
  readonly dashboard: number;
  readonly dashboardMb: number;
  readonly probe?: ProbeReport | undefined;
}

const LOOK_MS = 25;
/** The dashboard reads all tasks to answer: it is asked seldom. */
const ASK_MS = 50;

/** The servers before a move and after it. */
interface Way {
  readonly from: RedisServer | CodisServer;
  readonly to: RedisServer | CodisServer;
}

/** Runs `body` and tells what it took, for `keys` keys. */
async function timed(
  { from, to }: Way,
  keys: number,
  dashboardPid: number,
  body: () => Promise<void>,
): Promise<Move> {
  const pids = [pidOf(from), pidOf(to), dashboardPid];
  const before = await Promise.all(pids.map(processFigures));
  const startedMs = performance.now();
  await body();
  const tookMs = performance.now() - startedMs;
  const after = await Promise.all(pids.map(processFigures));
  const used = after.map(({ cpuSeconds }, i) =>
    (cpuSeconds - before[i]!.cpuSeconds) / keys * 1_000_000
  );
  return {
    keysPerSecond: keys / tookMs * 1_000,
    source: used[0]!,
    target: used[1]!,
    dashboard: used[2]!,
    dashboardMb: after[2]!.rssBytes / 1_000_000,
  };
}

function pidOf(server: RedisServer | CodisServer): number {
  return server instanceof CodisServer ? server.redis.pid : server.pid;
}

async function moveSlots(
  cluster: Cluster,
  { from }: Way,
  slots: number,
  group: number,
): Promise<void> {
  using client = await RespClient.connect(from.port);
  await cluster.change("POST", "/api/migrate", {
    from: 0,
    to: slots - 1,
    new_group: group,
    delay: 0,
  });
  const startedMs = performance.now();
  // The dashboard is asked only in the end: its answer costs it time.
  while (Number(await client.call("DBSIZE")) > 0) await delay(LOOK_MS);
  const keysMs = performance.now() - startedMs;
  for (;;) {
    await delay(ASK_MS);
    const tasks = await cluster.ask("/api/migrate/tasks") as readonly unknown[];
    if (tasks.length === 0) break;
  }
  const doneMs = performance.now() - startedMs;
  console.log(
    `keys arrived after ${keysMs.toFixed(0)} ms, all slots after ${doneMs.toFixed(0)} ms`,
  );
}

async function sizeOf({ port }: { readonly port: number }): Promise<number> {
  using client = await RespClient.connect(port);
  return Number(await client.call("DBSIZE"));
}

function line(name: string, move: Move): string {
  const { keysPerSecond, source, target, dashboard, dashboardMb, probe } = move;
  const clients = probe === undefined
    ? ""
    : `; clients: ${probe.calls} calls, p50 ${probe.p50Ms.toFixed(2)} ms, ` +
      `p99 ${probe.p99Ms.toFixed(2)} ms, max ${probe.maxMs.toFixed(1)} ms, ${probe.errors} errors`;
  return `${name}: ${Math.round(keysPerSecond)} keys/s; CPU µs per key: source ` +
    `${source.toFixed(1)}, target ${target.toFixed(1)}, dashboard ${dashboard.toFixed(1)}; ` +
    `dashboard ${dashboardMb.toFixed(0)} MB${clients}`;
}

async function main(): Promise<void> {
  const given = new GivenOptions(HELP, {
    numbers: {
      keys: [300_000, 1, 100_000_000],
      rounds: [3, 1, 1_000],
      clients: [0, 0, 1_000],
      period: [20, 1, 10_000],
      slots: [1_024, 1, 1_024],
    },
    words: ["data", "backend", "only"],
  });
  const keys = given.number("keys");
  const data = given.word("data", ["strings", "mixed"]);
  const rounds = given.number("rounds");
  const clients = given.number("clients");
  const periodMs = given.number("period");
  const slots = given.number("slots");
  const backend = given.word("backend", ["stock", "codis"]);
  const only = given.word("only", ["both", "ours", "hand"]);
  await using cluster = await Cluster.start({
    ...{ backend, coordinator: "embedded", proxies: 1, cpu: 1, isDurable: false },
    ...{ groups: 2, owners: 1 },
  });
  const servers = cluster.servers;
  const proxy = cluster.ports[0]!;
  await fill(servers[0]!.port, keys, data, slots);
  const count = await sizeOf(servers[0]!);
  const ours: Move[] = [];
  const byHand: Move[] = [];
  let at = 0;
  const way = (): Way => ({ from: servers[at]!, to: servers[1 - at]! });
  const hand = async () => {
    const move = await moveByHand(
      way(),
      backend,
      (body) => timed(way(), count, cluster.dashboard.child.pid, body),
    );
    byHand.push(move);
    console.log(line("by hand", move));
    at = 1 - at;
  };
  for (let round = 0; round < rounds; round++) {
    if (only !== "ours") { for (const _ of [1, 2]) await hand(); }
    if (only === "hand") continue;
    const probe = clients === 0
      ? undefined
      : LatencyProbe.start(proxy, KEY_PREFIX, clients, periodMs, keys);
    if (probe !== undefined) await delay(1_000);
    // What was moved by hand counts as the load of others for a while.
    await delay(2_000);
    const move = await timed(
      way(),
      count,
      cluster.dashboard.child.pid,
      () => moveSlots(cluster, way(), slots, 2 - at),
    );
    const report = await probe?.finish();
    ours.push({ ...move, probe: report });
    console.log(line("slots  ", ours.at(-1)!));
    at = 1 - at;
    const left = [await sizeOf(way().to), await sizeOf(way().from)];
    if (left[1] !== count) stop(`lost keys: ${left.join(" and ")} of ${count}`);
  }
  if (only === "both") {
    const [a, b] = [ours, byHand].map((moves) => median(moves.map((m) => m.keysPerSecond)));
    console.log(
      `medians: slots ${Math.round(a!)}, by hand ${Math.round(b!)}, ratio ${(a! / b!).toFixed(2)}`,
    );
  }
  await cluster.forgetLogs();
}

await main();
