/**
 * What a backend's queue of sent requests guarantees.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { clock } from "../../../../src/base/clock.ts";
import { Histogram } from "../../../../src/base/histogram.ts";
import { FastestReply } from "../../../../src/router/backends/fastest_reply.ts";
import { SentQueue } from "../../../../src/router/backends/sent_queue.ts";
import { Request } from "../../../../src/router/request.ts";

const NOTHING_WRITTEN = { writtenBytes: 0, appendedBytes: 0, writes: 0 };

const counter = (id: number) => ({ id, enter() {}, leave() {} });

function requestOf(client: object, ...slots: number[]): Request {
  const request = new Request();
  request.client = client;
  if (slots.length === 1) request.slot = counter(slots[0]!);
  else request.slots = slots.map(counter);
  return request;
}

Deno.test("requests leave in the order in which they came, and are linked to nothing then", () => {
  const queue = new SentQueue();
  const [a, b, c] = [requestOf({}, 1), requestOf({}, 2), requestOf({}, 3)];
  for (const request of [a, b, c]) queue.push(request, NOTHING_WRITTEN);
  assertEquals([queue.head === a, queue.length], [true, 3]);
  queue.shift();
  assertEquals([queue.head === b, queue.length, a.nextSent], [true, 2, null]);
  assertEquals(queue.takeAll().map((request) => [request === b, request === c]), [
    [true, false],
    [false, true],
  ]);
  assertEquals([queue.head, queue.length, b.nextSent, c.nextSent], [null, 0, null, null]);
  queue.push(a, NOTHING_WRITTEN);
  assertEquals([queue.head === a, queue.length], [true, 1]);
});

Deno.test("it knows whose requests and which slots are in flight", () => {
  const queue = new SentQueue();
  const [one, two] = [{}, {}];
  queue.push(requestOf(one, 5), NOTHING_WRITTEN);
  queue.push(requestOf(one, 7, 9), NOTHING_WRITTEN);
  assertEquals([5, 7, 9, 8].map((id) => queue.hasSlot(id)), [true, true, true, false]);
  assertEquals([queue.hasOthersThan(one), queue.hasOthersThan(two)], [false, true]);
  queue.push(requestOf(two, 8), NOTHING_WRITTEN);
  assertEquals([queue.hasOthersThan(one), queue.hasSlot(8)], [true, true]);
});

Deno.test("a request knows when the system took the last byte of what it was sent with", () => {
  const queue = new SentQueue();
  const [a, b, c] = [requestOf({}, 1), requestOf({}, 2), requestOf({}, 3)];
  clock.nowMs = 1_000;
  queue.push(a, { writtenBytes: 0, appendedBytes: 0, writes: 0 });
  queue.push(b, { writtenBytes: 0, appendedBytes: 10, writes: 0 });
  queue.push(c, { writtenBytes: 0, appendedBytes: 20, writes: 1 }); // the first write is under way
  const wroteMs = () => [a, b, c].map((request) => request.sentIn!.wroteMs);
  clock.nowMs = 1_005;
  queue.wrote({ writtenBytes: 12, appendedBytes: 30, writes: 1 });
  assertEquals(wroteMs(), [0, 0, 0]);
  clock.nowMs = 1_010;
  queue.wrote({ writtenBytes: 20, appendedBytes: 30, writes: 1 });
  assertEquals(wroteMs(), [1_010, 1_010, 0]);
  clock.nowMs = 1_020;
  queue.wrote({ writtenBytes: 30, appendedBytes: 30, writes: 2 });
  assertEquals(wroteMs(), [1_010, 1_010, 1_020]);
  // What was not written before the connection was lost counts no more.
  queue.push(requestOf({}, 1), { writtenBytes: 30, appendedBytes: 30, writes: 2 });
  queue.takeAll();
  const next = requestOf({}, 1);
  queue.push(next, { writtenBytes: 0, appendedBytes: 0, writes: 0 });
  clock.nowMs = 1_030;
  queue.wrote({ writtenBytes: 8, appendedBytes: 8, writes: 1 });
  assertEquals(next.sentIn!.wroteMs, 1_030);
});

Deno.test("the fastest reply of a server is never faster than it was, however late we see what was written", () => {
  const queue = new SentQueue();
  const server = { times: new Histogram(), fastestReply: new FastestReply() };
  clock.nowMs = 3_000;
  queue.push(requestOf({}, 1), { writtenBytes: 0, appendedBytes: 0, writes: 0 });
  clock.nowMs = 3_019;
  queue.wrote({ writtenBytes: 10, appendedBytes: 10, writes: 1 });
  clock.nowMs = 3_020;
  queue.came({ type: 43, isDone: true, missingBytes: 0 }, server);
  assertEquals(server.fastestReply.ms, 20);
});

Deno.test("batches are remembered for a while, and never mistaken for later ones", () => {
  const queue = new SentQueue();
  const [first, lost] = [requestOf({}, 1), requestOf({}, 1)];
  clock.nowMs = 4_000;
  queue.push(first, { writtenBytes: 0, appendedBytes: 0, writes: 0 });
  queue.wrote({ writtenBytes: 10, appendedBytes: 10, writes: 1 });
  queue.push(lost, { writtenBytes: 10, appendedBytes: 10, writes: 1 });
  queue.takeAll();
  const [{ sinceMs, wroteMs }, never] = [first.sentIn!, lost.sentIn!];
  assertEquals([sinceMs, wroteMs, never.wroteMs], [4_000, 4_000, 0]);
  for (let i = 0; i < 1_000; i++) {
    clock.nowMs = 5_000 + i;
    const request = requestOf({}, 1);
    queue.push(request, { writtenBytes: i * 10, appendedBytes: i * 10, writes: i });
    queue.wrote({ writtenBytes: (i + 1) * 10, appendedBytes: (i + 1) * 10, writes: i + 1 });
    assertEquals([request.sentIn!.sinceMs, request.sentIn!.wroteMs], [clock.nowMs, clock.nowMs]);
    assertEquals(first.sentIn!.sinceMs <= first.sentMs, first.sentIn!.wroteMs === 4_000);
  }
  // What was never written is no other's.
  assertEquals([never.sinceMs, never.wroteMs], [4_000, 0]);
});
