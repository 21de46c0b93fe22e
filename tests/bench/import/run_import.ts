/**
 * Imports many keys of all types from a server, or a cluster of three, that is written to meanwhile; beside it,
 * what a plain replica takes, and `redis-cli --pipe` of the same RESTOREs.
 *
 *     deno task bench:import --help
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { delay } from "@std/async/delay";
import { clusterSlotOf } from "../../../src/hash/crc16.ts";
import type { Child } from "../../support/child.ts";
import { processFigures } from "../../support/process_figures.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { stop, wholeNumber } from "../options.ts";
import { restoreByHand } from "./by_hand.ts";
import { compare } from "./compare.ts";
import { addChanges, type ClientOf, makeBigKeys, makeKeys } from "./dataset.ts";
import { SilentClient } from "./silent_client.ts";

const HELP = `deno task bench:import [options]

A server with keys of all types and encodings, in three databases; two servers and a proxy that they are imported
to. All keys are compared at the end. Exit code 1 when one differs.

  --keys=300000      how many keys
  --big=0            a key of each type of so many MB
  --nodes=1          3: the source is a Redis Cluster of three masters
  --writes=20000     changes a second, meanwhile
  --after=15         how long the import is watched under load when it is in step, in seconds
  --cpu=1            workers of the proxy
  --by-hand=1        0: no redis-cli --pipe
  --flags=           for the import, such as --v8-flags=... or --cpu-prof
`;
const NUMBERS: Readonly<Record<string, readonly [number, number, number]>> = {
  keys: [300_000, 1_000, 20_000_000],
  big: [0, 0, 400],
  nodes: [1, 1, 3],
  writes: [20_000, 0, 200_000],
  after: [15, 0, 600],
  cpu: [1, 1, 8],
  "by-hand": [1, 0, 1],
};
const flags = parseArgs(Deno.args, {
  boolean: ["help"],
  string: [...Object.keys(NUMBERS), "flags"],
  unknown: (arg) => stop(`unknown option "${arg}"\n\n${HELP}`),
}) as Readonly<Record<string, string | boolean | undefined>>;
if (flags["help"] === true) stop(HELP, 0);
const number = (name: string) => {
  const [initial, least, most] = NUMBERS[name]!;
  return wholeNumber(name, (flags[name] as string | undefined) ?? initial, least, most);
};
const [keys, nodes, writes] = [number("keys"), number("nodes"), number("writes")];
const isCluster = nodes > 1;
const TICK_MS = 10;
const LIMIT_MS = 600_000;
const UNLIMITED = [
  "--client-output-buffer-limit",
  "replica 0 0 0",
  "--enable-debug-command",
  "yes",
];

const say = (text: string) => console.log(text);
const seconds = (sinceMs: number) => (performance.now() - sinceMs) / 1000;
const fixed = (value: number, digits = 1) => value.toFixed(digits);

/** CPU and memory of processes while something is done. */
class Meter {
  readonly #pids: ReadonlyMap<string, number>;
  readonly #before = new Map<string, number>();
  readonly #text = new Map<string, string>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(pids: ReadonlyMap<string, number>) {
    this.#pids = pids;
  }

  async start(): Promise<void> {
    for (const [name, pid] of this.#pids) {
      this.#before.set(name, (await processFigures(pid)).cpuSeconds);
    }
    this.#timer = setInterval(() => this.look(), 1_000);
  }

  async look(): Promise<void> {
    for (const [name, pid] of this.#pids) {
      try {
        const { cpuSeconds } = await processFigures(pid);
        const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/status`] })
          .output();
        const peak = /VmHWM:\s+(\d+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "0";
        const used = cpuSeconds - (this.#before.get(name) ?? 0);
        this.#text.set(name, `${name} ${fixed(used)} s, ${Math.round(Number(peak) / 1024)} MB`);
      } catch {
        // It has ended.
      }
    }
  }

  async stop(): Promise<string> {
    clearInterval(this.#timer);
    await this.look();
    return [...this.#text.values()].join("; ");
  }
}

const field = async (client: RespClient, section: string, name: string): Promise<string> => {
  const info = String(await client.call("INFO", section));
  return new RegExp(`^${name}:(.*)\r?$`, "m").exec(info)?.[1]?.trim() ?? "";
};
const offsetOf = async (client: RespClient) =>
  Number(await field(client, "replication", "master_repl_offset"));

async function makeCluster(servers: readonly RedisServer[]): Promise<void> {
  const { success, stdout } = await new Deno.Command("redis-cli", {
    args: ["--cluster", "create", ...servers.map(({ addr }) => addr), "--cluster-yes"],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stdout));
  await delay(1_000);
}

await using sources = await RedisServer.startMany(nodes, {
  args: [
    ...UNLIMITED,
    "--repl-backlog-size",
    "64mb",
    ...isCluster ? ["--cluster-enabled", "yes"] : [],
  ],
});
if (isCluster) await makeCluster(sources);
const asked = await Promise.all(
  sources.map(({ port }) => RespClient.connect(port, "127.0.0.1", 120_000)),
);
const openClients = () => Promise.all(sources.map(({ port }) => SilentClient.connect(port)));
/** Slots are dealt out in as many equal parts as there are nodes. */
const encoder = new TextEncoder();
function chooser(clients: readonly SilentClient[]): ClientOf {
  if (clients.length === 1) return () => clients[0]!;
  return (key) => {
    const bytes = encoder.encode(key);
    const slot = clusterSlotOf(bytes, 0, bytes.length);
    return clients[Math.min(2, Math.floor((slot + 0.5) / (16_384 / 3)))]!;
  };
}

const makers = await openClients();
let startMs = performance.now();
await makeKeys(keys, chooser(makers), makers, isCluster);
await makeBigKeys(number("big") * 1024 * 1024, chooser(makers));
for (const client of makers) await client.settle();
const memory = (await Promise.all(asked.map((one) => field(one, "memory", "used_memory"))))
  .reduce((sum, text) => sum + Number(text), 0);
say(`${keys} keys made in ${fixed(seconds(startMs))} s, ${Math.round(memory / 1e6)} MB of memory`);

let isOver = false;
let changes = 0;
async function writeOn(): Promise<void> {
  const clients = await openClients();
  const fromMs = performance.now();
  while (!isOver) {
    const due = Math.floor((performance.now() - fromMs) / 1000 * writes) - changes;
    if (due > 0) {
      addChanges(due, keys, chooser(clients), isCluster);
      changes += due;
      for (const client of clients) await client.flush();
    }
    await delay(TICK_MS);
  }
  for (const client of clients) await client.settle();
  say(`${changes} changes in ${fixed(seconds(fromMs))} s`);
  for (const client of clients) client[Symbol.dispose]();
}
const writing = writes > 0 ? writeOn() : Promise.resolve();

async function measureReplica(): Promise<number> {
  let longest = 0;
  const beganMs = performance.now();
  await Promise.all(sources.map(async (source, i) => {
    await using replica = await RedisServer.start({
      args: ["--replicaof", "127.0.0.1", `${source.port}`],
    });
    using client = await RespClient.connect(replica.port);
    const meter = new Meter(new Map([["source", source.pid], ["replica", replica.pid]]));
    await meter.start();
    while (await field(client, "replication", "master_link_status") !== "up") await delay(20);
    const loadedS = seconds(beganMs);
    const aim = await offsetOf(asked[i]!);
    while (Number(await field(client, "replication", "slave_repl_offset")) < aim) await delay(20);
    longest = Math.max(longest, seconds(beganMs));
    say(
      `replica: loaded after ${fixed(loadedS)} s, in step after ${
        fixed(seconds(beganMs))
      } s; ${await meter.stop()}`,
    );
  }));
  return longest;
}

interface Lags {
  most: number;
  last: number;
  readonly all: number[];
}

async function lagNow(): Promise<number> {
  let sum = 0;
  for (const one of asked) {
    const info = String(await one.call("INFO", "replication"));
    const here = Number(/master_repl_offset:(\d+)/.exec(info)?.[1]);
    const there = Number(/slave0:.*offset=(\d+)/.exec(info)?.[1] ?? here);
    sum += here - there;
  }
  return sum;
}

async function followed(child: Child): Promise<void> {
  await child.waitFor(() => child.stderr.includes("changes are followed"), LIMIT_MS);
}

const replicaS = await measureReplica();
await using targets = await RedisServer.startMany(2, { args: UNLIMITED });
await using proxy = await ProxyProcess.start({ servers: targets, cpu: number("cpu") });
const from = isCluster ? "cluster" : "redis";
startMs = performance.now();
const child = startProgram(
  [
    ...["import", "-c", `${proxy.folder}/config.ini`, `--state=${proxy.folder}/state`],
    `--from=${from}://${sources[0]!.addr}`,
  ],
  {},
  undefined,
  String(flags["flags"] ?? "").split(" ").filter((word) => word !== ""),
);
const meter = new Meter(
  new Map([
    ...sources.map(({ pid }, i) => [`source ${i + 1}`, pid] as const),
    ["import", child.pid],
    ["proxy", proxy.pid],
    ...targets.map(({ pid }, i) => [`server ${i + 1}`, pid] as const),
  ]),
);
await meter.start();
await followed(child);
const importS = seconds(startMs);
say(
  `import: in step after ${fixed(importS)} s, ${Math.round(keys / importS)} keys/s, ` +
    `${fixed(memory / 1e6 / importS)} MB/s of the source's memory; ${
      fixed(importS / replicaS, 2)
    } times the replica's ` +
    `${fixed(replicaS)} s`,
);
say(`  CPU and peak memory: ${await meter.stop()}`);

const lags: Lags = { most: 0, last: 0, all: [] };
for (let i = 0; i < number("after"); i++) {
  await delay(1_000);
  lags.all.push(await lagNow());
}
isOver = true;
await writing;
startMs = performance.now();
while (await lagNow() > 0 && seconds(startMs) < 60) await delay(50);
say(
  `lag under load, each second, in bytes: ${lags.all.join(" ")}; 0 after ${
    fixed(seconds(startMs))
  } s without changes`,
);
await meter.look();
say(`  ${await meter.stop()}`);
say(`  ${child.stderr.trim().split("\n").slice(-2).join(" | ")}`);
child.signal("SIGINT");
await child.ended;
say(`  ${child.stdout.replaceAll(/\s+/g, " ")}`);
for (const one of asked) {
  const errors = String(await one.call("INFO", "errorstats"));
  say(`errors at the source: ${errors.replaceAll(/\s+/g, " ")}`);
}
// Keys that live shortly.
await delay(5_000);
startMs = performance.now();
const result = await compare(sources.map(({ port }) => port), targets.map(({ port }) => port));
say(
  `compared in ${
    fixed(seconds(startMs))
  } s: ${result.keys} keys, ${result.streams} streams, surplus ${result.surplus}, ` +
    `${result.different.length} different`,
);
for (const text of result.different.slice(0, 10)) say(text);
for (const target of targets) await target.kill();
if (number("by-hand") === 1) {
  const handS = await restoreByHand(sources.map(({ port }) => port), proxy.folder);
  say(`redis-cli --pipe of the same RESTOREs to two servers: ${fixed(handS)} s`);
}
for (const one of asked) one.close();
for (const client of makers) client[Symbol.dispose]();
if (result.different.length > 0 || result.surplus !== 0) Deno.exitCode = 1;
