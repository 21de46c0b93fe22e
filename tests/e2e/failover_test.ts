/**
 * What operators may rely on when masters die, of the whole program: the next master serves in time, and what
 * WAIT has confirmed is there. `deno task bench:failover` does the same for longer.
 *
 * @module
 */

import { assertEquals, assertLess } from "@std/assert";
import { runKills } from "../bench/failover/kills.ts";

const AFTER_SECONDS = 1;
/** Two seconds are promised; other tests run beside this one. */
const SPARE_MS = 5_000;

Deno.test("masters die and stand still under load: served in time, and nothing confirmed is lost", async () => {
  const report = await runKills({
    ...{ coordinator: "embedded", groups: 1, proxies: 2, dashboards: 1, cpu: 1 },
    ...{
      kills: 2,
      kinds: ["kill", "all-lag-stop"],
      isInTurn: true,
      after: AFTER_SECONDS,
      replicas: 1,
    },
    ...{ clients: 4, keys: 300, rate: 100, seconds: 60, seed: 1 },
    over: new AbortController().signal,
    tell: (line) => console.log(line),
  });
  assertEquals(report.violations, []);
  assertEquals(report.strikes.map(({ kind }) => kind), ["kill", "all-lag-stop"]);
  for (const { firstMs, lost, overlapMs, told } of report.strikes) {
    assertEquals([lost, overlapMs], [0, 0]);
    assertEquals(told.length, 1);
    for (const ms of firstMs) assertLess(ms, AFTER_SECONDS * 1000 + SPARE_MS);
  }
});
