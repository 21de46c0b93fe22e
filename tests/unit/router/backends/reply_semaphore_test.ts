/**
 * What the semaphore for large replies guarantees.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ReplySemaphore } from "../../../../src/router/backends/reply_semaphore.ts";

const MB = 1024 * 1024;

/** Someone who counts how often it was called. */
class Waiter {
  calls = 0;

  resume(): void {
    this.calls++;
  }
}

Deno.test("ReplySemaphore lets replies through up to its bound, and a single one of any size", () => {
  const semaphore = new ReplySemaphore(128 * MB);
  const waiter = new Waiter();
  assert(semaphore.mayAcquire(waiter, 100 * MB));
  semaphore.acquire(3 * MB);
  assert(semaphore.mayAcquire(waiter, MB));
  assert(!semaphore.mayAcquire(waiter, MB + 1));
  semaphore.release(3 * MB);
  assert(semaphore.mayAcquire(waiter, 100 * MB));
});

Deno.test("ReplySemaphore asks for no more than a sixteenth of a small budget", () => {
  const semaphore = new ReplySemaphore(16 * MB);
  semaphore.acquire(MB / 2);
  assert(semaphore.mayAcquire(new Waiter(), MB / 2));
  assert(!semaphore.mayAcquire(new Waiter(), MB / 2 + 1));
});

Deno.test("ReplySemaphore calls those who wait in their order, one at a time, and nobody passes them", () => {
  const semaphore = new ReplySemaphore(128 * MB);
  const [first, second, late] = [new Waiter(), new Waiter(), new Waiter()];
  semaphore.acquire(4 * MB);
  semaphore.wait(first);
  semaphore.wait(second);
  semaphore.release(4 * MB);
  assertEquals([first.calls, second.calls], [1, 0]);
  assert(!semaphore.mayAcquire(late, MB));
  assert(!semaphore.mayAcquire(second, MB));
  assert(semaphore.mayAcquire(first, MB));
  semaphore.acquire(MB);
  semaphore.leave(first);
  assertEquals([first.calls, second.calls], [1, 1]);
});

Deno.test("ReplySemaphore goes on to the next when the first in line is gone", () => {
  const semaphore = new ReplySemaphore(128 * MB);
  const [gone, next] = [new Waiter(), new Waiter()];
  semaphore.acquire(4 * MB);
  semaphore.wait(gone);
  semaphore.wait(next);
  semaphore.release(4 * MB);
  semaphore.leave(gone); // it was called, and its client has closed the connection
  assertEquals(next.calls, 1);
  assert(semaphore.mayAcquire(next, MB));
});

Deno.test("ReplySemaphore counts unknown replies for less the more small ones came, until a large one does", () => {
  const semaphore = new ReplySemaphore(128 * MB);
  const atOnce = () => 4 * MB / semaphore.unknownBytes;
  assertEquals(atOnce(), 8);
  for (let i = 0; i < 1000; i++) semaphore.learn(100);
  assertEquals(atOnce(), 64);
  semaphore.learn(MB);
  assertEquals(atOnce(), 8);
});
