/**
 * `deno task bench:watching`: what it costs that requests are watched: the slow log, hot keys and the access log,
 * each at its default. One proxy is told in turn to watch nothing and everything: two processes that do the
 * same differ by more than what is measured.
 *
 * @module
 */

import { processFigures } from "../../support/process_figures.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { median } from "../load/median.ts";
import { fillKeys, type Load, runBenchmark } from "../load/redis_benchmark.ts";
import { proxyTarget, READ_MODES, type Target } from "../load/target.ts";
import { GivenOptions } from "../options.ts";

const HELP = `deno task bench:watching [options]

  --starts=5            how often a proxy is started: one may be compiled more luckily than the other
  --rounds=5            pairs of runs for each start and load; the median of all counts
  --seconds=1           how long each run takes, about
  --read-mode=byob      byob or direct
`;

const VALUE_BYTES = 64;
const CLIENTS = 50;
/** Loads, and by how much the processor's time for a request may grow. */
const LOADS = [
  { pipeline: 64, growthMax: 1.05 },
  { pipeline: 1, growthMax: 1.02 },
] as const;
/** Requests before one is measured, in deep pipelines: until everything is compiled for good. */
const WARM_UP = 3_000_000;

/** Part of a run that comes before each: hot keys need it to find how many requests a sample stands for. */
const SETTLING = 0.3;

/** What is set while a proxy runs; an access log with nothing to write costs nothing. */
const OFF = { slowlog_slower_than: "-1", request_sample: "0", hot_key_samples: "0" };
const ON = { slowlog_slower_than: "10000", request_sample: "1000", hot_key_samples: "4000" };
/**
 * Everything, so often that all is compiled for good: what is done once in a thousand requests would take half an
 * hour of load until then.
 */
const MUCH = { slowlog_slower_than: "10000", request_sample: "1", hot_key_samples: "100000" };

/** The processor's time for a request, watched and not; of two runs, one after the other. */
interface Pair {
  readonly off: number;
  readonly on: number;
}

/** The processor's time for a request, in microseconds. */
async function cpuMicros({ port, pid }: Target, load: Load, requests: number): Promise<number> {
  const before = await processFigures(pid);
  const outcome = await runBenchmark(port, load, requests);
  const { cpuSeconds } = await processFigures(pid);
  return (cpuSeconds - before.cpuSeconds) * 1e6 / outcome.requests;
}

/** How many requests keep a target busy for so long. */
async function requestsFor({ port }: Target, load: Load, seconds: number): Promise<number> {
  const { requestsPerSecond } = await runBenchmark(port, load, 2_000 * load.pipeline);
  return Math.ceil(requestsPerSecond * seconds);
}

/** Starts a proxy, warms it up, and loads it in turn with nothing and everything watched. */
async function measureStart(
  servers: readonly RedisServer[],
  readMode: string,
  rounds: number,
  seconds: number,
  pairs: readonly Pair[][],
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "codis-proxy-" });
  const config = { access_log: `${folder}/access.log`, server_commands: "on" };
  await using target = await proxyTarget(servers, { readMode, config });
  using admin = await RespClient.connect(target.port);
  const watch = async (settings: Readonly<Record<string, string>>) => {
    const reply = await admin.call("CONFIG", "SET", ...Object.entries(settings).flat());
    if (reply !== "OK") throw new Error(`CONFIG SET: ${Deno.inspect(reply)}`);
  };
  const common = { clients: CLIENTS, valueBytes: VALUE_BYTES, keys: 0, onlyReads: true };
  await fillKeys(target.port, VALUE_BYTES);
  for (const settings of [MUCH, ON, OFF]) {
    await watch(settings);
    await runBenchmark(target.port, { ...common, pipeline: 64 }, WARM_UP);
  }
  for (const [i, { pipeline }] of LOADS.entries()) {
    const load = { ...common, pipeline };
    const requests = await requestsFor(target, load, seconds);
    const measure = async (settings: typeof ON) => {
      await watch(settings);
      await runBenchmark(target.port, load, Math.ceil(SETTLING * requests));
      return await cpuMicros(target, load, requests);
    };
    for (let round = 0; round < rounds; round++) {
      const isOffFirst = round % 2 === 0;
      const first = await measure(isOffFirst ? OFF : ON);
      const second = await measure(isOffFirst ? ON : OFF);
      pairs[i]!.push(isOffFirst ? { off: first, on: second } : { off: second, on: first });
    }
  }
  await Deno.remove(folder, { recursive: true });
}

if (import.meta.main) {
  const given = new GivenOptions(HELP, {
    numbers: { starts: [5, 1, 100], rounds: [5, 1, 1_000], seconds: [1, 1, 60] },
    words: ["read-mode"],
  });
  const [starts, rounds] = [given.number("starts"), given.number("rounds")];
  const seconds = given.number("seconds");
  const readMode = given.word("read-mode", READ_MODES);

  await using servers = await RedisServer.startMany(2);
  const pairs = LOADS.map((): Pair[] => []);
  for (let start = 0; start < starts; start++) {
    await measureStart(servers, readMode, rounds, seconds, pairs);
  }
  console.log("CPU µs for a GET, medians: all off, all on, on ÷ off (25 to 75 % of the pairs)");
  for (const [i, { pipeline, growthMax }] of LOADS.entries()) {
    const all = pairs[i]!;
    const ratios = all.map((pair) => pair.on / pair.off).sort((a, b) => a - b);
    const quarter = (share: number) => ratios[Math.floor((ratios.length - 1) * share)]!.toFixed(3);
    const ratio = median(ratios);
    console.log(
      `${readMode}, P=${pipeline}: ${median(all.map((pair) => pair.off)).toFixed(2)}, ` +
        `${median(all.map((pair) => pair.on)).toFixed(2)}, ${ratio.toFixed(3)} ` +
        `(${quarter(0.25)} to ${quarter(0.75)}); at most ${growthMax}: ` +
        (ratio <= growthMax ? "yes" : "NO"),
    );
  }
}
