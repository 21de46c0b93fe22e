/**
 * GETs through a proxy that reads from masters, and through one that prefers replicas: how many, how fast, and
 * whose CPU they take.
 *
 * @module
 */

import { processFigures } from "../../support/process_figures.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { ServersOfGroup } from "../../support/replica_group.ts";
import { addReplicas } from "../../support/replica_setup.ts";
import { fillKeys, runBenchmark } from "../load/redis_benchmark.ts";

/** How it is measured. */
export interface Throughput {
  readonly policies: readonly string[];
  readonly pipelines: readonly number[];
  readonly cpu: number;
  readonly rounds: number;
  /** About how long one measurement takes, in seconds. */
  readonly seconds: number;
}

/** One measurement. CPU times are microseconds for each request, sums over the processes. */
export interface ThroughputRow {
  readonly pipeline: number;
  readonly policy: string;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly proxyUs: number;
  readonly mastersUs: number;
  readonly replicasUs: number;
}

const VALUE_BYTES = 64;
const CLIENTS = 50;
/** Requests of the run that tells the pace. */
const PACE_REQUESTS = 40_000;

type Part = "proxy" | "masters" | "replicas";

/** Measures each policy at each pipeline, in turns; medians of the rounds. */
export async function measureThroughput(how: Throughput): Promise<ThroughputRow[]> {
  await using one = await ServersOfGroup.start(2);
  await using two = await ServersOfGroup.start(2);
  const groups = [one, two];
  const rows: ThroughputRow[] = [];
  for (let round = 0; round < how.rounds; round++) {
    for (const policy of how.policies) {
      await using proxy = await ProxyProcess.start({
        servers: groups.map(({ master }) => master),
        cpu: how.cpu,
        config: { read_from: policy },
      });
      // Proxies that do not read from replicas must not know them either: nothing else differs.
      if (policy !== "master") await addReplicas(proxy, groups);
      if (rows.length === 0) await fillKeys(proxy.port, VALUE_BYTES);
      for (const pipeline of how.pipelines) {
        rows.push(await measure(proxy, groups, policy, pipeline, how.seconds));
      }
    }
  }
  return how.pipelines.flatMap((pipeline) =>
    how.policies.map((policy) =>
      medians(rows.filter((row) => row.pipeline === pipeline && row.policy === policy))
    )
  );
}

async function measure(
  proxy: ProxyProcess,
  groups: readonly ServersOfGroup[],
  policy: string,
  pipeline: number,
  seconds: number,
): Promise<ThroughputRow> {
  const load = { clients: CLIENTS, pipeline, valueBytes: VALUE_BYTES, keys: 0, onlyReads: true };
  const pace = await runBenchmark(proxy.port, load, PACE_REQUESTS);
  const requests = Math.max(PACE_REQUESTS, Math.round(pace.requestsPerSecond * seconds));
  const before = await cpuSeconds(proxy, groups);
  const { requestsPerSecond, p50Ms, p99Ms } = await runBenchmark(proxy.port, load, requests);
  const after = await cpuSeconds(proxy, groups);
  const us = (part: Part) => ((after[part] - before[part]) * 1e6) / requests;
  return {
    pipeline,
    policy,
    requestsPerSecond,
    p50Ms,
    p99Ms,
    proxyUs: us("proxy"),
    mastersUs: us("masters"),
    replicasUs: us("replicas"),
  };
}

async function cpuSeconds(
  proxy: ProxyProcess,
  groups: readonly ServersOfGroup[],
): Promise<Readonly<Record<Part, number>>> {
  const sum = async (pids: readonly number[]) => {
    const figures = await Promise.all(pids.map(processFigures));
    return figures.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0);
  };
  return {
    proxy: await sum([proxy.pid]),
    masters: await sum(groups.map(({ master }) => master.pid)),
    replicas: await sum(groups.flatMap(({ replicas }) => replicas.map(({ pid }) => pid))),
  };
}

function medians(rows: readonly ThroughputRow[]): ThroughputRow {
  const median = (of: (row: ThroughputRow) => number) =>
    rows.map(of).sort((a, b) => a - b)[Math.floor(rows.length / 2)]!;
  return {
    ...rows[0]!,
    requestsPerSecond: Math.round(median((row) => row.requestsPerSecond)),
    p50Ms: rounded(median((row) => row.p50Ms)),
    p99Ms: rounded(median((row) => row.p99Ms)),
    proxyUs: rounded(median((row) => row.proxyUs)),
    mastersUs: rounded(median((row) => row.mastersUs)),
    replicasUs: rounded(median((row) => row.replicasUs)),
  };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
