/**
 * What a backend's queue of sent requests guarantees.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { SentQueue } from "../../../../src/router/backends/sent_queue.ts";
import { Request } from "../../../../src/router/request.ts";

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
  for (const request of [a, b, c]) queue.push(request, 0);
  assertEquals([queue.head === a, queue.length], [true, 3]);
  queue.shift();
  assertEquals([queue.head === b, queue.length, a.nextSent], [true, 2, null]);
  assertEquals(queue.takeAll().map((request) => [request === b, request === c]), [
    [true, false],
    [false, true],
  ]);
  assertEquals([queue.head, queue.length, b.nextSent, c.nextSent], [null, 0, null, null]);
  queue.push(a, 0);
  assertEquals([queue.head === a, queue.length], [true, 1]);
});

Deno.test("it knows whose requests and which slots are in flight", () => {
  const queue = new SentQueue();
  const [one, two] = [{}, {}];
  queue.push(requestOf(one, 5), 0);
  queue.push(requestOf(one, 7, 9), 0);
  assertEquals([5, 7, 9, 8].map((id) => queue.hasSlot(id)), [true, true, true, false]);
  assertEquals([queue.hasOthersThan(one), queue.hasOthersThan(two)], [false, true]);
  queue.push(requestOf(two, 8), 0);
  assertEquals([queue.hasOthersThan(one), queue.hasSlot(8)], [true, true]);
});
