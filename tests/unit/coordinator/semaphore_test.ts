/**
 * How calls share the permits of a semaphore.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Semaphore } from "../../../src/coordinator/semaphore.ts";

const LATER = performance.now() + 60_000;

Deno.test("Semaphore lets so many calls through at a time, first come first served", async () => {
  const semaphore = new Semaphore(2);
  const begun: number[] = [];
  const calls = [0, 1, 2, 3, 4].map((i) => semaphore.acquire(LATER).then(() => begun.push(i)));
  await Promise.all(calls.slice(0, 2));
  assertEquals(begun, [0, 1]);
  for (const i of [2, 3, 4]) {
    semaphore.release();
    await calls[i];
    assertEquals(begun.length, i + 1);
  }
  assertEquals(begun, [0, 1, 2, 3, 4]);
  semaphore.release();
  semaphore.release();
  assertEquals(await Promise.all([semaphore.acquire(LATER), semaphore.acquire(LATER)]), [
    true,
    true,
  ]);
});

Deno.test("Semaphore gives no permit to a call that has given up", async () => {
  const semaphore = new Semaphore(1);
  await semaphore.acquire(LATER);
  const late = semaphore.acquire(performance.now());
  const patient = semaphore.acquire(LATER);
  assertEquals(await late, false);
  semaphore.release();
  assertEquals(await patient, true);
});
