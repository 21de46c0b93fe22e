/**
 * Imports many keys of all types from a server, or a cluster of three, that is written to meanwhile; beside it,
 * what a plain replica takes, and `redis-cli --pipe` of the same RESTOREs.
 *
 *     deno task bench:import --help
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { CLUSTER_SLOT_COUNT, clusterSlotOf } from "../../../src/hash/crc16.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { endedByUser, GivenOptions } from "../options.ts";
import { restoreByHand } from "./by_hand.ts";
import { compare } from "./compare.ts";
import { addChanges, type ClientOf, makeBigKeys, makeKeys } from "./dataset.ts";
import { Meter } from "./meter.ts";
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
const given = new GivenOptions(HELP, {
  numbers: {
    keys: [300_000, 1_000, 20_000_000],
    big: [0, 0, 400],
    nodes: [1, 1, 3],
    writes: [20_000, 0, 200_000],
    after: [15, 0, 600],
    cpu: [1, 1, 8],
    "by-hand": [1, 0, 1],
  },
  words: ["flags"],
});
const [keys, nodes, writes] = [
  given.number("keys"),
  given.number("nodes"),
  given.number("writes"),
];
const isCluster = nodes > 1;
const TICK_MS = 10;
const LIMIT_MS = 600_000;
const READ_MS = 120_000;
/** The longest life of a key that is made to expire meanwhile. */
const SHORT_LIVES_MS = 5_000;
const UNLIMITED = [
  "--client-output-buffer-limit",
  "replica 0 0 0",
  "--enable-debug-command",
  "yes",
];

const say = (text: string) => console.log(text);
const since = (ms: number) => (performance.now() - ms) / 1000;
const secondsSince = (ms: number) => `${since(ms).toFixed(1)} s`;

async function field(client: RespClient, section: string, name: string): Promise<string> {
  const info = String(await client.call("INFO", section));
  return new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1] ?? "";
}

/** Where keys come from: a server, or a cluster, with changes that go on. */
class Source implements AsyncDisposable {
  readonly servers: readonly RedisServer[];
  readonly asked: readonly RespClient[];
  memory = 0;
  #isOver = false;
  #writing: Promise<void> = Promise.resolve();

  static async start(): Promise<Source> {
    const cluster = isCluster ? ["--cluster-enabled", "yes"] : [];
    const args = [...UNLIMITED, "--repl-backlog-size", "64mb", ...cluster];
    const servers = started.use(await RedisServer.startMany(nodes, { args }));
    if (isCluster) await makeCluster(servers);
    const asked = servers.map(({ port }) => RespClient.connect(port, "127.0.0.1", READ_MS));
    return new Source(servers, await Promise.all(asked));
  }

  private constructor(servers: readonly RedisServer[], asked: readonly RespClient[]) {
    this.servers = servers;
    this.asked = asked;
  }

  get ports(): number[] {
    return this.servers.map(({ port }) => port);
  }

  #open(): Promise<SilentClient[]> {
    return Promise.all(this.ports.map((port) => SilentClient.connect(port)));
  }

  async fill(): Promise<void> {
    const beganMs = performance.now();
    const clients = await this.#open();
    await makeKeys(keys, chooser(clients), clients, isCluster);
    await makeBigKeys(given.number("big") * 1024 * 1024, chooser(clients));
    for (const client of clients) await client.settle();
    for (const client of clients) client[Symbol.dispose]();
    for (const one of this.asked) this.memory += Number(await field(one, "memory", "used_memory"));
    const megabytes = Math.round(this.memory / 1e6);
    say(`${keys} keys made in ${secondsSince(beganMs)}, ${megabytes} MB of memory`);
  }

  startChanges(): void {
    if (writes > 0) this.#writing = this.#change();
  }

  async endChanges(): Promise<void> {
    this.#isOver = true;
    await this.#writing;
  }

  async #change(): Promise<void> {
    const clients = await this.#open();
    const clientOf = chooser(clients);
    const fromMs = performance.now();
    let changes = 0;
    while (!this.#isOver) {
      const due = Math.floor(since(fromMs) * writes) - changes;
      if (due > 0) {
        addChanges(due, keys, clientOf, isCluster);
        changes += due;
        for (const client of clients) await client.flush();
      }
      await delay(TICK_MS);
    }
    for (const client of clients) await client.settle();
    say(`${changes} changes in ${secondsSince(fromMs)}`);
    for (const client of clients) client[Symbol.dispose]();
  }

  /** Bytes of changes, all servers together. */
  async offset(): Promise<number> {
    const texts = this.asked.map((one) => field(one, "replication", "master_repl_offset"));
    return (await Promise.all(texts)).reduce((sum, text) => sum + Number(text), 0);
  }

  /** How many of them the import has said it has stored; it says so each second. */
  async stored(): Promise<number> {
    let sum = 0;
    for (const one of this.asked) {
      const info = String(await one.call("INFO", "replication"));
      sum += Number(/slave0:.*offset=(\d+)/.exec(info)?.[1] ?? 0);
    }
    return sum;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    for (const one of this.asked) one.close();
    await this.#writing.catch(() => {});
  }
}

async function makeCluster(servers: readonly RedisServer[]): Promise<void> {
  const { success, stdout } = await new Deno.Command("redis-cli", {
    args: ["--cluster", "create", ...servers.map(({ addr }) => addr), "--cluster-yes"],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stdout));
  await delay(1_000);
}

const ENCODER = new TextEncoder();

/** Slots are dealt out in as many equal parts as there are nodes. */
function chooser(clients: readonly SilentClient[]): ClientOf {
  if (clients.length === 1) return () => clients[0]!;
  return (key) => {
    const bytes = ENCODER.encode(key);
    const slot = clusterSlotOf(bytes, 0, bytes.length);
    return clients[Math.floor((slot + 0.5) * clients.length / CLUSTER_SLOT_COUNT)]!;
  };
}

/** A replica for each server, all at once; returns the seconds until all are in step. */
async function measureReplicas(source: Source): Promise<number> {
  const beganMs = performance.now();
  const replicas = started.use(
    Object.assign(
      await Promise.all(
        source.ports.map((port) =>
          RedisServer.start({ args: ["--replicaof", "127.0.0.1", `${port}`] })
        ),
      ),
      {
        async [Symbol.asyncDispose](this: RedisServer[]) {
          for (const replica of this) await replica[Symbol.asyncDispose]();
        },
      },
    ),
  );
  const meter = new Meter(
    new Map([
      ...source.servers.map(({ pid }, i) => [`source ${i + 1}`, pid] as const),
      ...replicas.map(({ pid }, i) => [`replica ${i + 1}`, pid] as const),
    ]),
  );
  await meter.start();
  await Promise.all(replicas.map(async ({ port }, i) => {
    using client = await RespClient.connect(port, "127.0.0.1", READ_MS);
    while (await field(client, "replication", "master_link_status") !== "up") await delay(50);
    const aim = Number(await field(source.asked[i]!, "replication", "master_repl_offset"));
    while (Number(await field(client, "replication", "slave_repl_offset")) < aim) await delay(20);
  }));
  const seconds = since(beganMs);
  say(`replica: in step after ${secondsSince(beganMs)}`);
  say(`  CPU and peak memory: ${await meter.stop()}`);
  for (const replica of replicas) await replica.stop();
  return seconds;
}

async function measureImport(source: Source, replicaS: number): Promise<readonly RedisServer[]> {
  const targets = started.use(await RedisServer.startMany(2, { args: UNLIMITED }));
  const proxy = started.use(
    await ProxyProcess.start({ servers: targets, cpu: given.number("cpu") }),
  );
  const beganMs = performance.now();
  const from = `--from=${isCluster ? "cluster" : "redis"}://${source.servers[0]!.addr}`;
  const { folder } = proxy;
  const offset = await source.offset();
  const child = startProgram(
    ["import", "-c", `${folder}/config.ini`, `--state=${folder}/state`, from],
    {},
    undefined,
    (given.text("flags") ?? "").split(" ").filter((word) => word !== ""),
  );
  started.defer(async () => void await child.end("SIGKILL"));
  const meter = new Meter(
    new Map([
      ...source.servers.map(({ pid }, i) => [`source ${i + 1}`, pid] as const),
      ["import", child.pid],
      ["proxy", proxy.pid],
      ...targets.map(({ pid }, i) => [`server ${i + 1}`, pid] as const),
    ]),
  );
  await meter.start();
  await child.waitFor(() => child.stderr.includes("changes are followed"), LIMIT_MS);
  const seconds = since(beganMs);
  say(
    `import: in step after ${secondsSince(beganMs)}, ${Math.round(keys / seconds)} keys/s, ` +
      `${(seconds / replicaS).toFixed(2)} times the replica's ${replicaS.toFixed(1)} s`,
  );
  say(`  CPU and peak memory: ${await meter.stop()}`);
  await meter.start();
  const lags: number[] = [];
  for (let i = 0; i < given.number("after"); i++) {
    await delay(1_000);
    const made = await source.offset();
    lags.push(made - await source.stored());
  }
  await source.endChanges();
  const endMs = performance.now();
  const made = await source.offset();
  while (await source.stored() < made && since(endMs) < 60) await delay(50);
  say(
    `lag in bytes, each second: ${lags.join(" ")}; all stored ${
      secondsSince(endMs)
    } after the last change`,
  );
  say(`  CPU and peak memory: ${await meter.stop()}`);
  say(`  ${child.stderr.trim().split("\n").slice(-2).join(" | ")}`);
  const changed = await source.offset() - offset;
  child.signal("SIGINT");
  await child.ended;
  const { bytes } = JSON.parse(child.stdout);
  say(`  ${child.stdout.replaceAll(/\s+/g, " ")}`);
  const megabytes = (bytes - changed) / 1e6;
  say(`  RDB: about ${Math.round(megabytes)} MB, ${(megabytes / seconds).toFixed(1)} MB/s`);
  return targets;
}

async function measure(): Promise<void> {
  const source = started.use(await Source.start());
  await source.fill();
  source.startChanges();
  const replicaS = await measureReplicas(source);
  const targets = await measureImport(source, replicaS);
  for (const one of source.asked) {
    const errors = String(await one.call("INFO", "errorstats")).replaceAll(/\s+/g, " ");
    say(`errors at the source: ${errors}`);
  }
  await delay(SHORT_LIVES_MS);
  const beganMs = performance.now();
  const result = await compare(source.ports, targets.map(({ port }) => port));
  say(
    `compared in ${
      secondsSince(beganMs)
    }: ${result.keys} keys, ${result.streams} of them streams, ` +
      `surplus ${result.surplus}, ${result.different.length} different`,
  );
  for (const text of result.different.slice(0, 10)) say(text);
  if (result.different.length > 0 || result.surplus !== 0) Deno.exitCode = 1;
  for (const target of targets) await target.stop();
  if (given.number("by-hand") === 0) return;
  const handS = await restoreByHand(source.ports, started);
  say(`redis-cli --pipe of the same RESTOREs to two servers: ${handS.toFixed(1)} s`);
}

/** All that was started. */
await using started = new AsyncDisposableStack();
const { promise: ended, reject } = Promise.withResolvers<never>();
const over = endedByUser();
over.addEventListener("abort", () => reject(over.reason));
await Promise.race([measure(), ended]);
