/**
 * A short run of the checker of reads, while replicas stop and die: `deno task bench:replica-reads` is the
 * long one.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { checkReads } from "../../bench/replica_reads/read_checker.ts";
import { until } from "../../support/deadline.ts";
import { chance, FUZZ_SEED } from "../../support/fuzz.ts";
import { runRandomClient } from "../../support/random_client.ts";
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
    groups: [group],
    faultMs: 150,
  });
  assertEquals(report.wrong, []);
  assertEquals(report.errors, []);
  assert(report.oldestMs < LAG_MS + SPARE_MS, `${report.oldestMs} ms`);
  const faults = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
  assert(faults > 1, "there were faults");
  const reads = replicas.of(group.master.addr)!.replicas.reduce((sum, each) => sum + each.reads, 0);
  assert(reads > 1_000, `${reads} reads went to replicas`);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("clients with random pipelines of all commands get what a model of Redis says", async () => {
  await using group = await ServersOfGroup.start(2);
  await using proxy = await RouterServer.start({
    servers: [group.master],
    options: { readFrom: "prefer_replica", replicaLagMs: LAG_MS },
  });
  const { replicas } = proxy.router.shared.slots;
  replicas.set([group.servers()]);
  await until(() => replicas.of(group.master.addr)!.isServed);
  const [lagging] = group.replicas;
  let isOver = false;
  const faults = (async () => {
    while (!isOver) {
      lagging!.pause();
      await delay(100);
      lagging!.resume();
      await delay(100);
    }
  })();
  try {
    await Promise.all(Array.from(
      { length: 20 },
      (_, id) => runRandomClient(proxy.port, id, 250, chance(FUZZ_SEED + id)),
    ));
  } finally {
    isOver = true;
    await faults;
  }
  assertEquals(proxy.leftovers(), []);
  const reads = replicas.of(group.master.addr)!.replicas.reduce((sum, each) => sum + each.reads, 0);
  assert(reads > 100, `FUZZ_SEED=${FUZZ_SEED}: ${reads} reads went to replicas`);
});
