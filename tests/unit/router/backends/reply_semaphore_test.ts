/**
 * What the semaphore for large replies guarantees.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ReplyGate } from "../../../../src/router/backends/reply_semaphore.ts";

const MB = 1024 * 1024;

/** Someone who counts how often it was called. */
class Waiter {
  calls = 0;

  resume(): void {
    this.calls++;
  }
}

Deno.test("ReplyGate lets replies through up to its bound, and a single one of any size", () => {
  const gate = new ReplyGate(128 * MB);
  const waiter = new Waiter();
  assert(gate.isOpenFor(waiter, 100 * MB));
  gate.take(3 * MB);
  assert(gate.isOpenFor(waiter, MB));
  assert(!gate.isOpenFor(waiter, MB + 1));
  gate.giveBack(3 * MB);
  assert(gate.isOpenFor(waiter, 100 * MB));
});

Deno.test("ReplyGate asks for no more than a sixteenth of a small budget", () => {
  const gate = new ReplyGate(16 * MB);
  gate.take(MB / 2);
  assert(gate.isOpenFor(new Waiter(), MB / 2));
  assert(!gate.isOpenFor(new Waiter(), MB / 2 + 1));
});

Deno.test("ReplyGate calls those who wait in their order, one at a time, and nobody passes them", () => {
  const gate = new ReplyGate(128 * MB);
  const [first, second, late] = [new Waiter(), new Waiter(), new Waiter()];
  gate.take(4 * MB);
  gate.wait(first);
  gate.wait(second);
  gate.giveBack(4 * MB);
  assertEquals([first.calls, second.calls], [1, 0]);
  assert(!gate.isOpenFor(late, MB));
  assert(!gate.isOpenFor(second, MB));
  assert(gate.isOpenFor(first, MB));
  gate.take(MB);
  gate.leave(first);
  assertEquals([first.calls, second.calls], [1, 1]);
});

Deno.test("ReplyGate goes on to the next when the first in line is gone", () => {
  const gate = new ReplyGate(128 * MB);
  const [gone, next] = [new Waiter(), new Waiter()];
  gate.take(4 * MB);
  gate.wait(gone);
  gate.wait(next);
  gate.giveBack(4 * MB);
  gate.leave(gone); // it was called, and its client has closed the connection
  assertEquals(next.calls, 1);
  assert(gate.isOpenFor(next, MB));
});

Deno.test("ReplyGate counts unknown replies for less the more small ones came, until a large one does", () => {
  const gate = new ReplyGate(128 * MB);
  const atOnce = () => 4 * MB / gate.unknownBytes;
  assertEquals(atOnce(), 8);
  for (let i = 0; i < 1000; i++) gate.learn(100);
  assertEquals(atOnce(), 64);
  gate.learn(MB);
  assertEquals(atOnce(), 8);
});
