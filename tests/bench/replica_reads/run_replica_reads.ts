/**
 * Proves that clients which read from replicas see what they have written, and nothing too old, while
 * replicas stop and die.
 *
 *     deno task bench:replica-reads --help
 *
 * @module
 */

import { ProxyProcess } from "../../support/proxy_process.ts";
import { ServersOfGroup } from "../../support/replica_group.ts";
import { addReplicas } from "../../support/replica_setup.ts";
import { checkReads, FAULT_KINDS, SLOW_TO_LOAD } from "./read_checker.ts";
import { GivenOptions } from "../options.ts";
import { measureThroughput } from "./throughput.ts";

const HELP = `deno task bench:replica-reads [options]

Two groups of a master and two replicas, a proxy; clients that know what they must read. Exit code 1
when a client did not see its own writes, or data older than --lag (and 500 ms for a busy machine).

  --reads=1000000      reads of own keys
  --read-from=prefer_replica
  --lag=2000           replica_max_lag, in milliseconds
  --cpu=2              workers of the proxy
  --writers=16         clients that write and read their own keys
  --pipeline=16        requests that a client has under way
  --writes=0.03        the part of them that are SETs
  --fault-ms=1000      time between two faults of replicas; 0: none
  --kinds=stop,hang,kill,lag,load,cut
                       the faults: SIGSTOP for a short time, and for a long one; kill -9 and a new
                       start; the link holds back what the master sends; all data are loaded anew,
                       slowly; the link is cut

  --throughput         measure GETs instead: masters only beside replicas
  --rounds=3           of that; medians are shown
  --seconds=5          of each measurement
`;

const SPARE_MS = 500;
const READ_FROM = ["prefer_replica", "prefer_master", "replica", "nearest"] as const;
/** The default of --cpu is another one then. */
const IS_THROUGHPUT = Deno.args.includes("--throughput");

const given = new GivenOptions(HELP, {
  numbers: {
    reads: [1_000_000, 1, 1e9],
    lag: [2_000, 0, 3_600_000],
    cpu: [IS_THROUGHPUT ? 1 : 2, 1, 8],
    writers: [16, 1, 1_000],
    pipeline: [16, 1, 1_000],
    writes: [0.03, 0, 1],
    "fault-ms": [1_000, 0, 3_600_000],
    rounds: [3, 1, 1_000],
    seconds: [5, 1, 600],
  },
  fractions: ["writes"],
  words: ["read-from", "kinds"],
  switches: ["throughput"],
});
const readFrom = given.word("read-from", READ_FROM);
const lagMs = given.number("lag");

if (given.isOn("throughput")) {
  console.table(
    await measureThroughput({
      policies: ["master", readFrom],
      pipelines: [1, 16],
      cpu: given.number("cpu"),
      rounds: given.number("rounds"),
      seconds: given.number("seconds"),
    }),
  );
  Deno.exit(0);
}

await using one = await ServersOfGroup.start(2, { args: SLOW_TO_LOAD });
await using two = await ServersOfGroup.start(2, { args: SLOW_TO_LOAD });
await using proxy = await ProxyProcess.start({
  servers: [one.master, two.master],
  cpu: given.number("cpu"),
  config: { read_from: readFrom, replica_max_lag: lagMs },
});
await addReplicas(proxy, [one, two]);
const began = performance.now();
const report = await checkReads({
  reads: given.number("reads"),
  writers: given.number("writers"),
  observers: 4,
  pipeline: given.number("pipeline"),
  keys: 500,
  writes: given.number("writes"),
  connect: () => proxy.client(),
  groups: [one, two],
  faultMs: given.number("fault-ms"),
  kinds: given.words("kinds", FAULT_KINDS),
});
const metrics = await (await fetch(proxy.url("/metrics"))).text();
const reads = (role: string) =>
  [...metrics.matchAll(new RegExp(`^codis_proxy_reads_total{.*role="${role}"} (\\d+)`, "gm"))]
    .reduce((sum, [, count]) => sum + Number(count), 0);
const retried = [...metrics.matchAll(/^codis_proxy_retried_reads_total(?:{.*})? (\d+)/gm)]
  .reduce((sum, [, count]) => sum + Number(count), 0);
const isWrong = report.wrong.length > 0 || report.oldestMs > lagMs + SPARE_MS;
console.log({
  ...report,
  wrong: report.wrong.length,
  examples: report.wrong.filter((text) => text !== ""),
  readsAtReplicas: reads("replica"),
  readsAtMasters: reads("master"),
  retried,
  seconds: Math.round((performance.now() - began) / 1000),
});
console.log(isWrong ? "WRONG" : "all own writes were seen, and nothing too old");
if (isWrong) Deno.exitCode = 1;
