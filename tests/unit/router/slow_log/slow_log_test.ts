/** The slow log's bounds: entries, how many are made in a second, ids of several workers. */

import { assertEquals, assertGreater } from "@std/assert";
import {
  mergeSlow,
  SLOW_LOG_LENGTH_MAX,
  SlowLog,
} from "../../../../src/router/slow_log/slow_log.ts";

const SLOW = {
  ...{ usecs: 20_000, stages: { server: 20_000 }, command: "get", args: ["get", "k"] },
  ...{ database: 0, client: "", clientName: "", user: "default", server: "", slot: 1 },
  ...{ requestBytes: 1, replyBytes: 1, end: "answered" as const },
};

Deno.test("where everything is slow, few entries are made", () => {
  const log = new SlowLog(10_000, () => 0);
  assertEquals([log.isDue(9.9, 0), log.isDue(10, 0)], [false, true]);
  const made = (nowMs: number) => {
    let count = 0;
    while (count < 1_000 && log.isDue(50, nowMs)) count++;
    return count;
  };
  assertEquals([made(1), made(1), made(501), made(60_000)], [63, 0, 50, 64]);
  log.set({ slowerThanUs: -1 });
  assertEquals([log.isOn, log.isDue(1e6, 120_000)], [false, false]);
});

Deno.test("where everything is slow, no more requests are waited for than entries may be made", () => {
  const log = new SlowLog(10_000, () => 0);
  const waitedFor = (nowMs: number) => {
    let count = 0;
    while (count < 1_000 && log.mayBeDue(50, nowMs)) count++;
    return count;
  };
  assertEquals([log.mayBeDue(9.9, 0), waitedFor(0), waitedFor(1), waitedFor(9)], [false, 64, 0, 0]);
  for (let i = 0; i < 64; i++) assertEquals(log.isDue(50, 9), true);
  assertEquals([waitedFor(10), log.isDue(50, 10), waitedFor(40)], [0, false, 3]);
});

Deno.test("ids of several workers count up together, the newest entry comes first", () => {
  let nextId = 0;
  const logs = [0, 1].map(() => new SlowLog(0, () => nextId++));
  for (const log of [logs[0]!, logs[0]!, logs[1]!]) log.add(SLOW);
  const merged = mergeSlow(logs.map((log) => log.read({ isReset: true })));
  assertEquals(merged.map(({ id }) => id), [2, 1, 0]);
  assertEquals(logs.map((log) => log.read({}).entries.length), [0, 0]);
  for (let i = 0; i < 200; i++) logs[0]!.add(SLOW);
  assertEquals(logs[0]!.read({}).entries.length, 128);
  logs[0]!.set({ length: 3 });
  assertEquals(logs[0]!.read({}).entries.length, 3);
});

Deno.test("an entry of a long log takes no longer than one of a short log", () => {
  const log = new SlowLog(0, () => 0);
  log.set({ length: SLOW_LOG_LENGTH_MAX });
  const startedMs = performance.now();
  for (let i = 0; i < 1.2 * SLOW_LOG_LENGTH_MAX; i++) log.add(SLOW);
  assertGreater(5_000, performance.now() - startedMs);
  assertEquals(log.read({}).entries.length, SLOW_LOG_LENGTH_MAX);
});
