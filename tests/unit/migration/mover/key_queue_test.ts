/**
 * The line of keys between who finds them and who moves them.
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
  const line = new KeyQueue();
  await line.put([...keys(3), ...keys(5, { slotId: 3 }), ...keys(9, { slotId: 2 })]);
  await line.put(keys(2, { database: 1 }));
  line.end();
  const calls: number[] = [];
  for (;;) {
    const call = await line.take(() => 5, SLOTS);
    if (call.length === 0) break;
    assert(call.every(({ database }) => database === call[0]!.database));
    calls.push(call.length);
  }
  assertEquals(calls, [5, 5, 2, 2]);
});

Deno.test("a call waits until it is full, and is no larger than what a server does at once", async () => {
  const line = new KeyQueue();
  const call = line.take(() => 100, SLOTS);
  await line.put(keys(60));
  await line.put(keys(60));
  assertEquals((await call).length, 100);
  await line.put(keys(4, { size: 100_000 }));
  line.end();
  const sizes = [];
  for (let i = 0; i < 4; i++) sizes.push((await line.take(() => 100, SLOTS)).length);
  assertEquals(sizes, [22, 2, 0, 0]);
});

Deno.test("who finds keys waits for who moves them, and hears when that fails", async () => {
  const line = new KeyQueue();
  await line.put(keys(1_500));
  let isPut = false;
  const putting = line.put(keys(1_500)).then(() => isPut = true);
  for (let i = 0; i < 9; i++) await line.take(() => 100, SLOTS);
  assertEquals(isPut, false);
  await line.take(() => 100, SLOTS);
  await putting;
  const waiting = line.put(keys(1_500));
  line.fail(new Error("the target is gone"));
  await assertRejects(() => waiting, Error, "the target is gone");
  await assertRejects(() => line.put([]), Error, "the target is gone");
  assertEquals(await line.take(() => 1, SLOTS), []);
});

Deno.test("keys of slots that were taken away hold up nobody", async () => {
  const line = new KeyQueue();
  const slots = new Set([1, 2]);
  let isPut = false;
  const putting = line.put([...keys(600), ...keys(2_400, { slotId: 2 })]).then(() => isPut = true);
  slots.delete(2);
  // Too few are left for a full call, and who finds more waits for room.
  const call = line.take(() => 1_000, slots);
  await putting;
  assert(isPut);
  await line.put(keys(400));
  assertEquals((await call).length, 1_000);
});
