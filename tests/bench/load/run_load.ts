/**
 * Measures redis-server, twemproxy and the proxy side by side and prints one table.
 *
 * Run by `make bench`. Every cell of the table is measured on each target in turn, and that as often
 * as asked for, in both orders, so that a noisy moment of the machine does not fall on one of them alone. All of it
 * shares one machine with redis-benchmark and the servers: the CPU time of a request is what noise
 * touches least.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { processFigures } from "../../support/process_figures.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { median } from "./median.ts";
import { fillKeys, type Load, runBenchmark } from "./redis_benchmark.ts";
import {
  leastTarget,
  proxyTarget,
  READ_MODES,
  redisTarget,
  type Target,
  twemproxyTarget,
} from "./target.ts";
import { GivenOptions } from "../options.ts";

const HELP = `make bench ARGS="..."

  --quick               values of 64 bytes, 50 clients, two rounds: under two minutes
  --clients=1,50,500    connections
  --pipeline=1,16,64    requests that each has under way
  --value=64,4096       bytes of a value
  --mget=10,100         MGETs of so many keys instead of SETs and GETs
  --idle=9900           connections held beside that ask for nothing
  --migrating=256,1024  proxies, too, with so many slots in migrate
  --repeat=3            rounds; the table shows the medians
  --seconds=2           how long one target is loaded in one round
  --targets=redis,twemproxy,proxy   also conn, handle, router: the least programs in Deno that pass requests on
  --read-mode=byob      byob, direct, or both: byob,direct
  --cpu=1               workers of the proxy; several with commas
`;

const DEFAULT_TARGETS = ["redis", "twemproxy", "proxy"];
const SERVER_COUNT = 2;
/** How long a target is loaded before it is measured, to learn its pace and warm it up. */
const WARM_UP_SECONDS = 0.4;
/** How long connections may take to settle before CPU at rest is measured, and for how long that is. */
const SETTLE_MS = 8_000;
const REST_MS = 5_000;
/** The first guess of a target's pace: requests per second of one connection without a pipeline. */
const GUESSED_PACE = 10_000;
const GUESSED_PACE_MAX = 250_000;
/** The same in bytes per second. */
const GUESSED_BYTES_MAX = 250_000_000;

interface Options {
  readonly loads: readonly Load[];
  readonly repeat: number;
  readonly seconds: number;
  readonly targets: readonly string[];
  readonly readModes: readonly string[];
  /** Workers of the proxies. */
  readonly cpu: readonly number[];
  /** Slots in `migrate` of further proxies. */
  readonly migrating: readonly number[];
  /** Connections that ask for nothing. */
  readonly idle: number;
}

/** The figures of one target in one cell. */
interface Figures {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly cpuMicros: number;
  readonly rssMegabytes: number;
  /** CPU time per second before the load, with idle connections only. */
  readonly restPercent: number;
}

function readOptions(): Options {
  // What --quick leaves out.
  const isQuick = Deno.args.includes("--quick");
  const given = new GivenOptions(HELP, {
    numbers: {
      clients: [isQuick ? "50" : "1,50,500", 1, 20_000],
      pipeline: ["1,16,64", 1, 10_000],
      value: [isQuick ? "64" : "64,4096", 1, 512 * 1024 * 1024],
      mget: [0, 1, 10_000],
      idle: [0, 0, 60_000],
      migrating: [0, 1, 1_024],
      repeat: [isQuick ? 2 : 3, 1, 1_000],
      seconds: [2, 0.1, 600],
      cpu: [1, 1, 64],
    },
    fractions: ["seconds"],
    words: ["targets", "read-mode"],
    switches: ["quick"],
  });
  const loads: Load[] = [];
  for (const valueBytes of given.numbers("value")) {
    for (const clients of given.numbers("clients")) {
      for (const pipeline of given.numbers("pipeline")) {
        for (const keys of given.text("mget") === undefined ? [0] : given.numbers("mget")) {
          loads.push({ valueBytes, clients, pipeline, keys });
        }
      }
    }
  }
  return {
    loads,
    repeat: given.number("repeat"),
    seconds: given.number("seconds"),
    targets: given.words(
      "targets",
      [...DEFAULT_TARGETS, "conn", "handle", "router"],
      DEFAULT_TARGETS,
    ),
    readModes: given.words("read-mode", READ_MODES, ["byob"]),
    cpu: given.numbers("cpu"),
    migrating: given.text("migrating") === undefined ? [] : given.numbers("migrating"),
    idle: given.number("idle"),
  };
}

async function startTargets(
  options: Options,
  servers: readonly RedisServer[],
  stack: AsyncDisposableStack,
): Promise<Target[]> {
  const targets: Target[] = [];
  for (const name of options.targets) {
    if (name === "redis") targets.push(redisTarget(servers[0]!));
    if (name === "twemproxy") targets.push(stack.use(await twemproxyTarget(servers)));
    if (name === "conn" || name === "handle" || name === "router") {
      targets.push(stack.use(await leastTarget(servers, name)));
    }
    if (name !== "proxy") continue;
    for (const readMode of options.readModes) {
      for (const cpu of options.cpu) {
        for (const migrating of [0, ...options.migrating]) {
          targets.push(stack.use(await proxyTarget(servers, { readMode, migrating, cpu })));
        }
      }
    }
  }
  return targets;
}

/** Opens connections that ask for nothing, and tells what the target uses meanwhile. */
async function restPercentOf(
  target: Target,
  count: number,
  stack: DisposableStack,
): Promise<number> {
  if (count === 0) return 0;
  for (let i = 0; i < count; i++) {
    stack.use(await Deno.connect({ hostname: "127.0.0.1", port: target.port }));
  }
  await delay(SETTLE_MS);
  const before = await processFigures(target.pid);
  await delay(REST_MS);
  const after = await processFigures(target.pid);
  return (after.cpuSeconds - before.cpuSeconds) / REST_MS * 1e5;
}

async function measure(
  target: Target,
  load: Load,
  { seconds, idle }: Options,
): Promise<Figures> {
  using stack = new DisposableStack();
  const restPercent = await restPercentOf(target, idle, stack);
  // redis-benchmark takes a number of requests, not a time: a short run tells the pace.
  const guess = Math.min(
    GUESSED_PACE * load.clients * load.pipeline,
    GUESSED_PACE_MAX,
    GUESSED_BYTES_MAX / load.valueBytes,
  ) / Math.max(1, load.keys);
  const warmUp = await runBenchmark(target.port, load, requestsIn(WARM_UP_SECONDS, guess, load));
  const requests = requestsIn(seconds, warmUp.requestsPerSecond, load);
  const before = await processFigures(target.pid);
  const outcome = await runBenchmark(target.port, load, requests);
  const after = await processFigures(target.pid);
  return {
    requestsPerSecond: outcome.requestsPerSecond,
    p50Ms: outcome.p50Ms,
    p99Ms: outcome.p99Ms,
    maxMs: outcome.maxMs,
    cpuMicros: ((after.cpuSeconds - before.cpuSeconds) / outcome.requests) * 1e6,
    rssMegabytes: after.rssBytes / 1e6,
    restPercent,
  };
}

/** Half of the time is for SET, half for GET; every client sends at least one whole pipeline. */
function requestsIn(seconds: number, pace: number, load: Load): number {
  const share = load.keys === 0 ? 2 : 1;
  return Math.max(Math.ceil((pace * seconds) / share), load.clients * load.pipeline);
}

function medians(rounds: readonly Figures[]): Figures {
  const middle = (name: keyof Figures) => median(rounds.map((figures) => figures[name]));
  return {
    requestsPerSecond: middle("requestsPerSecond"),
    p50Ms: middle("p50Ms"),
    p99Ms: middle("p99Ms"),
    maxMs: middle("maxMs"),
    cpuMicros: middle("cpuMicros"),
    rssMegabytes: middle("rssMegabytes"),
    restPercent: middle("restPercent"),
  };
}

const TITLES =
  "| request | value B | clients | P | target | requests/s | p50 ms | p99 ms | max ms | CPU µs/request | RSS MB | CPU % at rest | times twemproxy: requests/s, p50, p99, CPU |";
/** The target that others are compared with, round by round. */
const REFERENCE = "twemproxy";

/** The medians of what each round had, in times of what the reference had in it. */
function ratios(rounds: readonly Figures[], reference: readonly Figures[]): string {
  const names = ["requestsPerSecond", "p50Ms", "p99Ms", "cpuMicros"] as const;
  return names.map((name) =>
    median(rounds.map((figures, round) => figures[name] / reference[round]![name])).toFixed(2)
  ).join(", ");
}

function row(load: Load, name: string, figures: Figures, idle: number, beside = ""): string {
  const cells = [
    load.keys === 0 ? "SET, GET" : `MGET ${load.keys}`,
    load.valueBytes,
    load.clients,
    load.pipeline,
    name,
    Math.round(figures.requestsPerSecond),
    figures.p50Ms.toFixed(2),
    figures.p99Ms.toFixed(2),
    figures.maxMs.toFixed(1),
    figures.cpuMicros.toFixed(2),
    figures.rssMegabytes.toFixed(0),
    idle === 0 ? "" : figures.restPercent.toFixed(2),
    beside,
  ];
  return `| ${cells.join(" | ")} |`;
}

async function main(): Promise<void> {
  const options = readOptions();
  await using stack = new AsyncDisposableStack();
  const servers = await RedisServer.startMany(SERVER_COUNT);
  for (const server of servers) stack.use(server);
  const targets = await startTargets(options, servers, stack);
  const beside = options.idle === 0 ? "" : `, beside ${options.idle} idle connections`;
  console.log(`${SERVER_COUNT} redis-servers, medians of ${options.repeat} rounds${beside}\n`);
  console.log(TITLES);
  console.log(`|${"---|".repeat(TITLES.split("|").length - 2)}`);
  for (const load of options.loads) {
    if (load.keys > 0) { for (const { port } of targets) await fillKeys(port, load.valueBytes); }
    const rounds = targets.map((): Figures[] => []);
    for (let round = 0; round < options.repeat; round++) {
      const inTurn = [...targets.entries()];
      for (const [i, target] of round % 2 === 0 ? inTurn : inTurn.reverse()) {
        rounds[i]!.push(await measure(target, load, options));
      }
    }
    const reference = rounds[targets.findIndex(({ name }) => name === REFERENCE)];
    for (const [i, target] of targets.entries()) {
      console.log(
        row(
          load,
          target.name,
          medians(rounds[i]!),
          options.idle,
          reference && ratios(rounds[i]!, reference),
        ),
      );
    }
  }
}

await main();
