/**
 * The queue of keys between the scan and the workers.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { KeyQueue, type MovingKey } from "../../../../src/migration/mover/key_queue.ts";

const SLOTS: ReadonlySet<number> = new Set([1, 2]);

function keys(count: number, change: Partial<MovingKey> = {}): MovingKey[] {
  return Array.from({ length: count }, (_, i) => ({
    bytes: new Uint8Array([i]),
    slotId: 1,
    database: 0,
    size: 100,
    ...change,
  }));
}

Deno.test("calls are full, until the last, and hold keys of one database and of wanted slots", async () => {
  const queue = new KeyQueue();
  await queue.put([...keys(3), ...keys(5, { slotId: 3 }), ...keys(9, { slotId: 2 })]);
  await queue.put(keys(2, { database: 1 }));
  queue.end();
  const calls: number[] = [];
  for (;;) {
    const call = await queue.take(() => 5, SLOTS);
    if (call.length === 0) break;
    assert(call.every(({ database }) => database === call[0]!.database));
    calls.push(call.length);
  }
  assertEquals(calls, [5, 5, 2, 2]);
});

Deno.test("a call waits until it is full, and is no larger than what a server does at once", async () => {
  const queue = new KeyQueue();
  const call = queue.take(() => 100, SLOTS);
  await queue.put(keys(60));
  await queue.put(keys(60));
  assertEquals((await call).length, 100);
  await queue.put(keys(4, { size: 100_000 }));
  queue.end();
  const sizes = [];
  for (let i = 0; i < 4; i++) sizes.push((await queue.take(() => 100, SLOTS)).length);
  assertEquals(sizes, [22, 2, 0, 0]);
});

Deno.test("the scan waits while the queue is full, and fails when the workers fail", async () => {
  const queue = new KeyQueue();
  await queue.put(keys(1_500));
  let isPut = false;
  const putting = queue.put(keys(1_500)).then(() => isPut = true);
  for (let i = 0; i < 9; i++) await queue.take(() => 100, SLOTS);
  assertEquals(isPut, false);
  await queue.take(() => 100, SLOTS);
  await putting;
  const waiting = queue.put(keys(1_500));
  queue.fail(new Error("the target is gone"));
  await assertRejects(() => waiting, Error, "the target is gone");
  await assertRejects(() => queue.put([]), Error, "the target is gone");
  assertEquals(await queue.take(() => 1, SLOTS), []);
});

Deno.test("keys of slots that were taken out delay nothing", async () => {
  const queue = new KeyQueue();
  const slots = new Set([1, 2]);
  let isPut = false;
  const putting = queue.put([...keys(600), ...keys(2_400, { slotId: 2 })]).then(() => isPut = true);
  slots.delete(2);
  // Too few are left for a full call, and who finds more waits for room.
  const call = queue.take(() => 1_000, slots);
  await putting;
  assert(isPut);
  await queue.put(keys(400));
  assertEquals((await call).length, 1_000);
});
