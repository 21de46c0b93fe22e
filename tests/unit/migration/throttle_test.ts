/**
 * The speed of a migration: fast without clients, slow beside them, never above a limit.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Throttle, type ThrottleLimits } from "../../../src/migration/throttle.ts";

const UNLIMITED: ThrottleLimits = {
  keysPerSecond: 0,
  bytesPerSecond: 0,
  delayMs: 0,
  p99MaxMs: 0,
};

/** Moves keys of `size` bytes for `seconds`, each taking `keyMs`, and counts them. */
function run(limits: ThrottleLimits, seconds: number, keyMs = 0.004, size = 100, othersOps = 0) {
  let nowMs = 0;
  const throttle = new Throttle(limits, () => nowMs);
  throttle.serversMeasured(othersOps, 1);
  const calls: number[] = [];
  let keys = 0;
  let busyMs = 0;
  while (nowMs < seconds * 1000) {
    const restMs = throttle.restMs();
    if (restMs > 0) {
      nowMs += restMs;
      continue;
    }
    const tookMs = throttle.keys * keyMs;
    calls.push(tookMs);
    keys += throttle.keys;
    busyMs += tookMs;
    nowMs += tookMs;
    throttle.called(throttle.keys, throttle.keys * size, tookMs);
  }
  return { keys, calls, busyShare: busyMs / nowMs };
}

Deno.test("with few clients, calls follow each other and grow to 1.5 ms, with none to 4 ms", () => {
  for (const [othersOps, aimMs] of [[101, 1.4], [2_000, 1.4], [100, 4], [0, 4]] as const) {
    const { keys, calls, busyShare } = run(UNLIMITED, 1, 0.004, 100, othersOps);
    assert(busyShare > 0.99, `busy for ${busyShare}`);
    assert(keys > 200_000, `${keys} keys`);
    const late = calls.slice(aimMs === 4 ? 30 : 20);
    const [least, most] = [Math.min(...late), Math.max(...late)];
    assert(most < aimMs + 0.3 && least > aimMs - 0.4, `${least} to ${most} ms, not ${aimMs}`);
  }
});

Deno.test("slow keys make small calls, and at least one key is moved", () => {
  const { calls } = run(UNLIMITED, 2, 0.5, 10_000, 1_000);
  assert(Math.max(...calls.slice(10)) <= 1.5);
  assertEquals(run(UNLIMITED, 10, 30, 10_000).calls.at(-1), 30);
});

Deno.test("beside clients, calls are short and take less than a third of the time", () => {
  const { calls, busyShare } = run(UNLIMITED, 2, 0.004, 100, 10_000);
  assert(busyShare < 0.34, `busy for ${busyShare}`);
  assert(Math.max(...calls.slice(50)) < 0.6);
});

Deno.test("limits hold for keys, for bytes and for the time between calls", () => {
  const { keys } = run({ ...UNLIMITED, keysPerSecond: 5_000 }, 10);
  assert(keys > 48_000 && keys < 51_500, `${keys} keys`);
  const bytes = run({ ...UNLIMITED, bytesPerSecond: 1_000_000 }, 10).keys * 100;
  assert(bytes > 9_500_000 && bytes < 10_400_000, `${bytes} bytes`);
  const { calls } = run({ ...UNLIMITED, delayMs: 100 }, 10);
  assert(calls.length <= 100 && calls.length > 95, `${calls.length} calls`);
  const slow = run({ ...UNLIMITED, keysPerSecond: 2 }, 10).keys;
  assert(slow >= 18 && slow <= 22, `${slow} keys`);
});

Deno.test("a slow server gets longer and longer rests, until it is fast again", () => {
  let nowMs = 0;
  const throttle = new Throttle(UNLIMITED, () => nowMs);
  const restAfter = (answerMs: number) => {
    throttle.serversMeasured(0, answerMs);
    nowMs += 10_000;
    throttle.called(100, 0, 1);
    return throttle.restMs();
  };
  assertEquals(restAfter(1), 0);
  const rests = Array.from({ length: 10 }, () => restAfter(50));
  assert(rests[0]! > 0 && rests[1]! > rests[0]! && rests.at(-1) === 250, `${rests}`);
  for (let i = 0; i < 8; i++) restAfter(1);
  assertEquals(restAfter(1), 0);
});

Deno.test("calls of one key share a rest, or a slow codis-server would give four keys a second", () => {
  let nowMs = 0;
  const throttle = new Throttle(UNLIMITED, () => nowMs);
  for (let i = 0; i < 10; i++) throttle.serversMeasured(0, 50);
  const rests = Array.from({ length: 40 }, () => {
    nowMs += 10_000;
    throttle.called(1, 0, 0.01);
    return throttle.restMs();
  });
  assertEquals(rests.filter((restMs) => restMs > 0), [250, 250]);
  // Slow ones do not.
  nowMs += 10_000;
  throttle.called(1, 0, 0.5);
  assertEquals(throttle.restMs(), 250);
});

Deno.test("a slow proxy gets longer and longer rests, and the view says why", () => {
  let nowMs = 0;
  const throttle = new Throttle({ ...UNLIMITED, p99MaxMs: 20 }, () => nowMs);
  const restAfter = (p99Ms: number) => {
    throttle.proxyMeasured({ id: "p1", p99Ms });
    nowMs += 10_000;
    throttle.called(100, 0, 1);
    return throttle.restMs();
  };
  assertEquals([restAfter(20), throttle.isUnlimited, throttle.slowedBy], [0, true, ""]);
  const rests = Array.from({ length: 10 }, () => restAfter(31.4));
  assert(rests[0]! > 0 && rests[1]! > rests[0]! && rests.at(-1) === 1_000, `${rests}`);
  assertEquals(throttle.isUnlimited, false);
  assertEquals(throttle.slowedBy, "slowed down: the p99 of proxy p1 is 31 ms, above 20 ms");
  // Without a report of any proxy it goes on, too.
  for (let i = 0; i < 11; i++) throttle.proxyMeasured(undefined);
  assertEquals([restAfter(1), throttle.isUnlimited, throttle.slowedBy], [0, true, ""]);
});

Deno.test("without a limit, a slow proxy slows nothing down", () => {
  const throttle = new Throttle(UNLIMITED, () => 0);
  throttle.proxyMeasured({ id: "p1", p99Ms: 5_000 });
  assertEquals([throttle.isUnlimited, throttle.slowedBy], [true, ""]);
});

Deno.test("a slow server is named", () => {
  const throttle = new Throttle(UNLIMITED, () => 0);
  throttle.serversMeasured(0, 14.2, "10.0.0.1:6379");
  assertEquals(
    throttle.slowedBy,
    "slowed down: 10.0.0.1:6379 takes 14 ms to answer, more than 10 ms",
  );
});
