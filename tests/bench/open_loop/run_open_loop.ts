/**
 * Answer times of redis-server, twemproxy and the proxy at the same offered rates, whatever the replies
 * do: `deno task bench:open-loop`.
 *
 * The rates are shares of the lower peak of the two proxies, as redis-benchmark finds it with as many
 * connections. Targets take turns, and a row has the medians of all rounds, but the worst maximum.
 *
 * @module
 */

import { processFigures } from "../../support/process_figures.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { median } from "../load/median.ts";
import { runBenchmark } from "../load/redis_benchmark.ts";
import {
  proxyTarget,
  READ_MODES,
  redisTarget,
  type Target,
  twemproxyTarget,
} from "../load/target.ts";
import type { OpenLoopReport } from "./generator.ts";
import { GivenOptions } from "../options.ts";

const HELP = `deno task bench:open-loop [options]

  --share=25,50,75      offered rates, in percent of the lower peak of the two proxies
  --rate=N              one offered rate instead, in requests per second
  --clients=50          connections
  --value=64            bytes of a value
  --seconds=10          how long a target is loaded in one round
  --repeat=5            rounds
  --read-mode=byob      byob, direct, or both: byob,direct
  --cpu=1               workers of the proxy; several with commas
`;

const SERVER_COUNT = 2;
const KEYS = 10_000;
const PEAK_REQUESTS = 100_000;

function readOptions() {
  const given = new GivenOptions(HELP, {
    numbers: {
      share: ["25,50,75", 1, 1_000],
      rate: [0, 1, 10_000_000],
      clients: [50, 1, 20_000],
      value: [64, 1, 512 * 1024 * 1024],
      seconds: [10, 0.1, 3_600],
      repeat: [5, 1, 1_000],
      cpu: [1, 1, 64],
    },
    fractions: ["share", "seconds"],
    words: ["read-mode"],
  });
  return {
    shares: given.numbers("share"),
    rate: given.text("rate") === undefined ? undefined : given.number("rate"),
    clients: given.number("clients"),
    valueBytes: given.number("value"),
    seconds: given.number("seconds"),
    repeat: given.number("repeat"),
    readModes: given.words("read-mode", READ_MODES, ["byob"]),
    cpu: given.numbers("cpu"),
  };
}

type Options = ReturnType<typeof readOptions>;

/** Sets every key that is asked for, through the target: each may place them elsewhere. */
async function fill({ port }: Target, valueBytes: number): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const value = "x".repeat(valueBytes);
  const buffer = new Uint8Array(64 * 1024);
  for (let from = 0; from < KEYS; from += 500) {
    let text = "";
    for (let i = from; i < from + 500; i++) {
      text += `*3\r\n$3\r\nSET\r\n$${`open:${i}`.length}\r\nopen:${i}\r\n`;
      text += `$${valueBytes}\r\n${value}\r\n`;
    }
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
    for (let got = 0; got < 500 * "+OK\r\n".length;) got += await conn.read(buffer) ?? NaN;
  }
}

interface Row extends OpenLoopReport {
  readonly cpuMicros: number;
}

async function measure(target: Target, rate: number, options: Options): Promise<Row> {
  const { seconds, clients, valueBytes } = options;
  const replyBytes = `$${valueBytes}\r\n`.length + valueBytes + 2;
  const words = [target.port, rate, seconds, clients, KEYS, replyBytes].map(String);
  const before = await processFigures(target.pid);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--allow-net"],
      ...[new URL("generator.ts", import.meta.url).pathname, ...words],
    ],
  }).output();
  const after = await processFigures(target.pid);
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const report: OpenLoopReport = JSON.parse(new TextDecoder().decode(stdout));
  return { ...report, cpuMicros: (after.cpuSeconds - before.cpuSeconds) / report.sent * 1e6 };
}

const TITLES =
  "| offered/s | target | answered | p50 ms | p99 ms | p99.9 ms | max ms | over 10 ms " +
  "| own delay ms | CPU µs/request |";

function rowText(rate: number, name: string, rows: readonly Row[]): string {
  const middle = (name: keyof Row) => median(rows.map((row) => row[name]));
  const sum = (name: keyof Row) => rows.reduce((total, row) => total + row[name], 0);
  const cells = [
    rate,
    name,
    `${(sum("answered") / sum("sent") * 100).toFixed(2)} %`,
    middle("p50Ms").toFixed(2),
    middle("p99Ms").toFixed(2),
    middle("p999Ms").toFixed(2),
    middle("maxMs").toFixed(1),
    `${sum("over10Ms")} of ${sum("sent")}`,
    middle("ownLateMs").toFixed(1),
    middle("cpuMicros").toFixed(2),
  ];
  return `| ${cells.join(" | ")} |`;
}

async function main(): Promise<void> {
  const options = readOptions();
  await using stack = new AsyncDisposableStack();
  const servers = await RedisServer.startMany(SERVER_COUNT);
  for (const server of servers) stack.use(server);
  const twemproxy = stack.use(await twemproxyTarget(servers));
  const proxies: Target[] = [];
  for (const readMode of options.readModes) {
    for (const cpu of options.cpu) {
      proxies.push(stack.use(await proxyTarget(servers, { readMode, cpu })));
    }
  }
  const targets = [redisTarget(servers[0]!), twemproxy, ...proxies];
  for (const target of targets) await fill(target, options.valueBytes);
  let rates = options.rate === undefined ? [] : [options.rate];
  if (options.rate === undefined) {
    const load = { clients: options.clients, pipeline: 1, valueBytes: options.valueBytes, keys: 0 };
    const peaks: number[] = [];
    for (const target of [twemproxy, ...proxies]) {
      await runBenchmark(target.port, load, PEAK_REQUESTS / 4);
      const { requestsPerSecond } = await runBenchmark(target.port, load, PEAK_REQUESTS);
      console.log(`peak of ${target.name}: ${Math.round(requestsPerSecond)} requests/s`);
      peaks.push(requestsPerSecond);
    }
    rates = options.shares.map((share) => Math.round(Math.min(...peaks) * share / 100));
  }
  console.log(`GETs, ${options.clients} connections, medians of ${options.repeat} rounds\n`);
  console.log(`${TITLES}\n|${"---|".repeat(TITLES.split("|").length - 2)}`);
  for (const rate of rates) {
    const rows = targets.map((): Row[] => []);
    for (let round = 0; round < options.repeat; round++) {
      for (const [i, target] of targets.entries()) {
        rows[i]!.push(await measure(target, rate, options));
      }
    }
    for (const [i, target] of targets.entries()) console.log(rowText(rate, target.name, rows[i]!));
  }
}

await main();
