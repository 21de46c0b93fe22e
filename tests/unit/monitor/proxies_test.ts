/**
 * What the monitor of proxies knows from two answers of a proxy, and that it forgets an earlier life.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { ProxyStats } from "../../../src/api/proxy_stats.ts";
import type { ProxyAnswer } from "../../../src/control/proxies.ts";
import type { ProxyRecord } from "../../../src/model/proxy.ts";
import { ProxyMonitor } from "../../../src/monitor/proxies.ts";
import { createFence } from "../../../src/store/fences.ts";
import { createProxy, deleteProxy } from "../../../src/store/proxies.ts";
import { FakeTimers } from "../../support/fake_timers.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { StoreFolder } from "../../support/store.ts";

const PROXY: ProxyRecord = { ...RECORD, state: "online" };

const STATS: ProxyStats = {
  version: "test",
  follows_chunks: true,
  ops: 1_000,
  times: [0, 10, 0],
  sessions: 4,
  memory_bytes: 1,
  stale_seconds: 0,
  table_version: 1,
  slots_offline: 0,
  slot_requests: [5, 0],
  backends: [{ addr: "s:1", state: "down", in_flight: 0 }],
  draining: [],
};

function ours(stats: Partial<ProxyStats>): ProxyAnswer {
  return { kind: "ours", stats: { ...STATS, ...stats } };
}

Deno.test("ProxyMonitor compares two answers of one life of a proxy", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  await createProxy(store, PROXY);
  const timers = new FakeTimers();
  let answer = ours({});
  const monitor = new ProxyMonitor(store, timers, () => Promise.resolve(answer));
  assertEquals(monitor.isOurs(PROXY), false);

  await monitor.round();
  assertEquals([monitor.ops, monitor.sessions, monitor.percentileMs(0.99)], [0, 4, null]);
  assertEquals([monitor.isOurs(PROXY), monitor.follows("follows_chunks", PROXY)], [true, true]);
  assertEquals(monitor.hasSlotOps, false);
  assertEquals(monitor.votesOn("s:1"), { up: 0, down: 1 });

  timers.advance(2_000);
  answer = ours({ ops: 1_400, times: [0, 10, 400], slot_requests: [105, 0] });
  await monitor.round();
  assertEquals([monitor.ops, monitor.percentileMs(0.99)], [200, 0.002]);
  assertEquals(monitor.slowest, { id: PROXY.id, p99Ms: 0.002 });
  assertEquals([monitor.hasSlotOps, monitor.slotOps()[0]], [true, 50]);

  // Another life at the same place begins at zero, and has not answered yet.
  await deleteProxy(store, PROXY.id);
  const next = { ...PROXY, start_at: "2026-11-23 05:16:07 +0000 UTC" };
  await createProxy(store, next);
  assertEquals([monitor.isOurs(next), monitor.hasAnswered(next)], [false, false]);
  await monitor.round();
  assertEquals([monitor.ops, monitor.hasAnswered(next)], [0, true]);
});

Deno.test("ProxyMonitor says why a proxy does not answer, and which fences are dead", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  await createProxy(store, PROXY);
  await createFence(store, PROXY.addr);
  await createFence(store, "gone:9000");
  const monitor = new ProxyMonitor(
    store,
    new FakeTimers(),
    () => Promise.reject(new TypeError("fetch failed", { cause: new Error("timed out") })),
  );
  await monitor.round();
  const [view] = monitor.views();
  assertEquals([view!.is_reachable, view!.problem, view!.ops], [false, "timed out", null]);
  assertEquals(monitor.deadFences, ["gone:9000"]);
  assertEquals(monitor.withoutLoad, [PROXY.id]);
});

Deno.test("ProxyMonitor says what is wrong with an answer of another shape, and goes on", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  let text = "";
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(text),
  );
  await createProxy(store, { ...PROXY, debug_var_addr: `127.0.0.1:${server.addr.port}` });
  const monitor = new ProxyMonitor(store, new FakeTimers());
  const answers: [answer: unknown, problem: string][] = [
    [{ ...STATS, backends: undefined }, "the answer to /stats.backends is missing"],
    [{ ...STATS, backends: {} }, "the answer to /stats.backends"],
    [{ ...STATS, backends: [null] }, "the answer to /stats.backends[0]"],
    [{ ...STATS, slot_requests: [1, "2"] }, "the answer to /stats.slot_requests[1]"],
    [{ ...STATS, times: "none" }, "the answer to /stats.times"],
    [[], "the answer to /stats"],
    ["", "the answer to /stats"],
  ];
  for (const [answer, problem] of answers) {
    text = JSON.stringify(answer);
    assertEquals(await monitor.round(), true);
    assertStringIncludes(monitor.views()[0]!.problem, problem);
    assertEquals([monitor.refusals().size, monitor.hasSlotOps, monitor.figures().length], [
      0,
      false,
      1,
    ]);
  }
  text = JSON.stringify({ ...STATS, of_a_later_version: {} });
  await monitor.round();
  assertEquals([monitor.views()[0]!.problem, monitor.refusals().size], ["", 1]);
});
