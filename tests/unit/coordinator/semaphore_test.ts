/**
 * Turns of calls.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { CallGate } from "../../../src/coordinator/semaphore.ts";

const LATER = performance.now() + 60_000;

Deno.test("CallGate lets so many calls through at a time, first come first served", async () => {
  const gate = new CallGate(2);
  const begun: number[] = [];
  const calls = [0, 1, 2, 3, 4].map((i) => gate.enter(LATER).then(() => begun.push(i)));
  await Promise.all(calls.slice(0, 2));
  assertEquals(begun, [0, 1]);
  for (const i of [2, 3, 4]) {
    gate.leave();
    await calls[i];
    assertEquals(begun.length, i + 1);
  }
  assertEquals(begun, [0, 1, 2, 3, 4]);
  gate.leave();
  gate.leave();
  assertEquals(await Promise.all([gate.enter(LATER), gate.enter(LATER)]), [true, true]);
});

Deno.test("CallGate takes nobody's turn who has given up waiting", async () => {
  const gate = new CallGate(1);
  await gate.enter(LATER);
  const late = gate.enter(performance.now());
  const patient = gate.enter(LATER);
  assertEquals(await late, false);
  gate.leave();
  assertEquals(await patient, true);
});
