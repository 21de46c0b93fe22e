/**
 * The queue of keys between the scan and the workers.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  KeyQueue,
  type MovingKey,
  type QueuedSlots,
} from "../../../../src/migration/mover/key_queue.ts";

/** The slots `open` are open, and slot 4 will be. */
function slotsOf(open: ReadonlySet<number> = new Set([1, 2])): QueuedSlots {
  return { isOpen: (slotId) => open.has(slotId), isComing: (slotId) => slotId === 4 };
}

function keys(count: number, change: Partial<MovingKey> = {}): MovingKey[] {
  return Array.from({ length: count }, (_, i) => ({
    bytes: new Uint8Array([i]),
    slotId: 1,
    database: 0,
    size: 100,
    isGuess: false,
    ...change,
  }));
}

Deno.test("calls are full, until the last, and hold keys of one database and of wanted slots", async () => {
  const queue = new KeyQueue(slotsOf());
  await queue.put([...keys(3), ...keys(5, { slotId: 3 }), ...keys(9, { slotId: 2 })]);
  await queue.put(keys(2, { database: 1 }));
  queue.end();
  const calls: number[] = [];
  for (;;) {
    const call = await queue.take(() => 5);
    if (call.length === 0) break;
    assert(call.every(({ database }) => database === call[0]!.database));
    calls.push(call.length);
  }
  assertEquals(calls, [5, 5, 2, 2]);
});

Deno.test("a call waits until it is full, and is no larger than what a server does at once", async () => {
  const queue = new KeyQueue(slotsOf());
  const call = queue.take(() => 100);
  await queue.put(keys(60));
  await queue.put(keys(60));
  assertEquals((await call).length, 100);
  await queue.put(keys(4, { size: 100_000 }));
  queue.end();
  const sizes = [];
  for (let i = 0; i < 4; i++) sizes.push((await queue.take(() => 100)).length);
  assertEquals(sizes, [22, 2, 0, 0]);
});

Deno.test("the scan waits while the queue is full, and fails when the workers fail", async () => {
  const queue = new KeyQueue(slotsOf());
  await queue.put(keys(1_500));
  let isPut = false;
  const putting = queue.put(keys(1_500)).then(() => isPut = true);
  for (let i = 0; i < 9; i++) await queue.take(() => 100);
  assertEquals(isPut, false);
  await queue.take(() => 100);
  await putting;
  const waiting = queue.put(keys(1_500));
  queue.fail(new Error("the target is gone"));
  await assertRejects(() => waiting, Error, "the target is gone");
  await assertRejects(() => queue.put([]), Error, "the target is gone");
  assertEquals(await queue.take(() => 1), []);
});

Deno.test("keys of slots that were taken out delay nothing", async () => {
  const slots = new Set([1, 2]);
  const queue = new KeyQueue(slotsOf(slots));
  let isPut = false;
  const putting = queue.put([...keys(600), ...keys(2_400, { slotId: 2 })]).then(() => isPut = true);
  slots.delete(2);
  // Too few are left for a full call, and who finds more waits for room.
  const call = queue.take(() => 1_000);
  await putting;
  assert(isPut);
  await queue.put(keys(400));
  assertEquals((await call).length, 1_000);
});

Deno.test("keys of slots that are being opened wait for that, and the scan for them", async () => {
  const open = new Set<number>();
  const queue = new KeyQueue(slotsOf(open));
  await queue.put([...keys(40, { slotId: 4 }), ...keys(9)]);
  let isPut = false;
  const putting = queue.put(keys(60_000, { slotId: 4 })).then(() => isPut = true);
  const call = queue.take(() => 50);
  queue.opened();
  await Promise.resolve();
  assertEquals(isPut, false);
  open.add(4);
  queue.opened();
  assertEquals((await call).length, 50);
  open.delete(4);
  queue.end();
  assertEquals(await queue.take(() => 50), []);
  await putting;
});
