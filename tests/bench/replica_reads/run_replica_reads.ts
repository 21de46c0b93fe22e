/**
 * Proves that clients which read from replicas see what they have written, and nothing too old, while
 * replicas stop and die.
 *
 *     deno task bench:replica-reads --help
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { ServersOfGroup } from "../../support/replica_group.ts";
import { addReplicas } from "../../support/replica_setup.ts";
import { checkReads, FAULT_KINDS, type FaultKind, SLOW_TO_LOAD } from "./read_checker.ts";
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

const flags = parseArgs(Deno.args, { boolean: ["help", "throughput"] }) as Readonly<
  Record<string, unknown>
>;
if (flags["help"] === true) {
  console.log(HELP);
  Deno.exit(0);
}
const number = (name: string, initial: number) => Number(flags[name] ?? initial);
const lagMs = number("lag", 2000);

if (flags["throughput"] === true) {
  console.table(
    await measureThroughput({
      policies: ["master", `${flags["read-from"] ?? "prefer_replica"}`],
      pipelines: [1, 16],
      cpu: number("cpu", 1),
      rounds: number("rounds", 3),
      seconds: number("seconds", 5),
    }),
  );
  Deno.exit(0);
}

const kinds = `${flags["kinds"] ?? FAULT_KINDS}`.split(",") as FaultKind[];
const unknown = kinds.find((kind) => !FAULT_KINDS.includes(kind));
if (unknown !== undefined) {
  console.error(`"${unknown}" is no fault: ${FAULT_KINDS.join(", ")}`);
  Deno.exit(1);
}
await using one = await ServersOfGroup.start(2, { args: SLOW_TO_LOAD });
await using two = await ServersOfGroup.start(2, { args: SLOW_TO_LOAD });
await using proxy = await ProxyProcess.start({
  servers: [one.master, two.master],
  cpu: number("cpu", 2),
  config: { read_from: `${flags["read-from"] ?? "prefer_replica"}`, replica_max_lag: lagMs },
});
await addReplicas(proxy, [one, two]);
const began = performance.now();
const report = await checkReads({
  reads: number("reads", 1_000_000),
  writers: number("writers", 16),
  observers: 4,
  pipeline: number("pipeline", 16),
  keys: 500,
  writes: number("writes", 0.03),
  connect: () => proxy.client(),
  groups: [one, two],
  faultMs: number("fault-ms", 1000),
  kinds,
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
