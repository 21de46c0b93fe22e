/**
 * A short run of the checker of reads, while replicas stop and die: `deno task bench:replica-reads` is the
 * long one.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { checkReads } from "../../bench/replica_reads/read_checker.ts";
import { until } from "../../support/deadline.ts";
import { ServersOfGroup } from "../../support/replica_group.ts";
import { RouterServer } from "../../support/router_server.ts";

const LAG_MS = 500;
/** A busy machine is later. */
const SPARE_MS = 500;

Deno.test("while replicas stop and die, clients see what they wrote, and nothing too old", async () => {
  await using group = await ServersOfGroup.start(2);
  await using proxy = await RouterServer.start({
    servers: [group.master],
    options: { readFrom: "prefer_replica", replicaLagMs: LAG_MS },
  });
  const { replicas } = proxy.router.shared.slots;
  replicas.set([group.servers()]);
  await until(() => replicas.of(group.master.addr)!.isServed);
  const report = await checkReads({
    reads: 10_000,
    writers: 8,
    observers: 2,
    pipeline: 16,
    keys: 200,
    writes: 0.03,
    connect: () => proxy.client(),
    replicas: group.replicas,
    faultMs: 150,
  });
  assertEquals(report.wrong, []);
  assertEquals(report.errors, []);
  assert(report.oldestMs < LAG_MS + SPARE_MS, `${report.oldestMs} ms`);
  assert(report.stops + report.kills > 1, "there were faults");
  const reads = replicas.of(group.master.addr)!.replicas.reduce((sum, each) => sum + each.reads, 0);
  assert(reads > 1_000, `${reads} reads went to replicas`);
  assertEquals(proxy.leftovers(), []);
});
