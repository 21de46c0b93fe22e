/**
 * `deno task bench:watching`: what it costs that requests are watched: the slow log and samples of requests, each
 * at its default, beside a proxy that watches nothing. Both run all the time, before the same servers, and are
 * loaded in turn: only the ratios of one round are compared.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { processFigures } from "../../support/process_figures.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { median } from "../load/median.ts";
import { fillKeys, type Load, runBenchmark } from "../load/redis_benchmark.ts";
import { proxyTarget, READ_MODES, type Target } from "../load/target.ts";
import { oneOf, stop, wholeNumber } from "../options.ts";

const HELP = `deno task bench:watching [options]

  --rounds=11           pairs of runs for each load; the median counts
  --seconds=2           how long each run takes, about
  --read-mode=byob      byob or direct
`;

const VALUE_BYTES = 64;
const CLIENTS = 50;
/** Loads, and by how much the processor's time for a request may grow. */
const LOADS = [
  { pipeline: 1, growthMax: 1.02 },
  { pipeline: 64, growthMax: 1.05 },
] as const;
/** Runs before one is measured: until everything is compiled. */
const WARM_UPS = 3;

const NOTHING = { slowlog_slower_than: -1, request_sample: 0 };
/** All defaults; an access log has to be asked for. */
const everything = (folder: string) => ({ access_log: `${folder}/access.log` });

/** The processor's time for a request, in microseconds. */
async function cpuMicros({ port, pid }: Target, load: Load, requests: number): Promise<number> {
  const before = await processFigures(pid);
  const outcome = await runBenchmark(port, load, requests);
  const { cpuSeconds } = await processFigures(pid);
  return (cpuSeconds - before.cpuSeconds) * 1e6 / outcome.requests;
}

/** How many requests keep a target busy for so long. */
async function requestsFor(target: Target, load: Load, seconds: number): Promise<number> {
  let pace = load.pipeline === 1 ? 10_000 : 100_000;
  for (let i = 0; i < WARM_UPS; i++) {
    pace = (await runBenchmark(target.port, load, Math.ceil(pace / 2))).requestsPerSecond;
  }
  return Math.ceil(pace * seconds);
}

if (import.meta.main) {
  const flags = parseArgs(Deno.args, {
    boolean: ["help"],
    string: ["rounds", "seconds", "read-mode"],
    unknown: (arg) => stop(`unknown: ${arg}\n${HELP}`),
  });
  if (flags.help) stop(HELP, 0);
  const rounds = wholeNumber("rounds", flags.rounds ?? 11, 1, 1_000);
  const seconds = wholeNumber("seconds", flags.seconds ?? 2, 1, 60);
  const readMode = oneOf("read-mode", flags["read-mode"], READ_MODES);

  const folder = await Deno.makeTempDir({ prefix: "codis-proxy-" });
  await using servers = await RedisServer.startMany(2);
  await using off = await proxyTarget(servers, { readMode, config: NOTHING });
  await using on = await proxyTarget(servers, { readMode, config: everything(folder) });
  await fillKeys(off.port, VALUE_BYTES);
  console.log("CPU µs for a GET, medians: all off, all on, on ÷ off (25 to 75 % of the rounds)");
  for (const { pipeline, growthMax } of LOADS) {
    const load = { clients: CLIENTS, pipeline, valueBytes: VALUE_BYTES, keys: 0, onlyReads: true };
    await requestsFor(on, load, seconds);
    const requests = await requestsFor(off, load, seconds);
    const pairs: { off: number; on: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const first = round % 2 === 0 ? off : on;
      const one = await cpuMicros(first, load, requests);
      const other = await cpuMicros(first === off ? on : off, load, requests);
      pairs.push(first === off ? { off: one, on: other } : { off: other, on: one });
    }
    const ratios = pairs.map((pair) => pair.on / pair.off).sort((a, b) => a - b);
    const quarter = (share: number) => ratios[Math.floor((ratios.length - 1) * share)]!.toFixed(3);
    const ratio = median(ratios);
    console.log(
      `${readMode}, P=${pipeline}: ${median(pairs.map((pair) => pair.off)).toFixed(2)}, ` +
        `${median(pairs.map((pair) => pair.on)).toFixed(2)}, ${ratio.toFixed(3)} ` +
        `(${quarter(0.25)} to ${quarter(0.75)}); at most ${growthMax}: ` +
        (ratio <= growthMax ? "yes" : "NO"),
    );
  }
  await Deno.remove(folder, { recursive: true });
}
