/**
 * Slots that are stored are slots, and are read so many at a time.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import { delay } from "@std/async/delay";
import { RecordError } from "../../../src/model/record.ts";
import { slotIn, type SlotStatus } from "../../../src/model/slot.ts";
import { SlotLoader } from "../../../src/proxy/membership/slot_loader.ts";
import { checkSlot, type KnownSlots, loadSlots, saveSlot } from "../../../src/store/slots.ts";
import { StoreError } from "../../../src/store/store.ts";
import { RecordedSlotTable } from "../../support/slot_table.ts";
import { StoreFolder } from "../../support/store.ts";

/** How many slots are asked for before each answer: a call must not wait for more than these. */
const AHEAD = 64;

Deno.test("checkSlot() refuses a status or an id that is not one", () => {
  checkSlot(slotIn("p", 1023, 1, "migrate"));
  assertThrows(
    () => checkSlot(slotIn("p", 1, 1, "lost" as SlotStatus)),
    StoreError,
    "unknown slot status, slot status should be (online, offline, migrate, pre_migrate)",
  );
  assertThrows(() => checkSlot(slotIn("p", 1024, 1, "online")), StoreError, "invalid slot id 1024");
});

Deno.test("a slot is decoded again only when its text has changed", async () => {
  await using folder = await StoreFolder.make();
  const [store, other] = [await folder.openFilled("10.0.0.1:1,10.0.0.2:1"), await folder.open()];
  const known: KnownSlots = new Map();
  const before = await loadSlots(store, known);
  assertEquals(before.map(({ id }) => id), Array.from({ length: 1024 }, (_, id) => id));
  const again = await loadSlots(store, known);
  assert(again.every((slot, id) => slot === before[id]));
  // By another process, and then back.
  await saveSlot(other, slotIn("test", 7, 2, "online"));
  const changed = await loadSlots(store, known);
  assertEquals(changed[7], slotIn("test", 7, 2, "online"));
  assertEquals(changed.filter((slot, id) => slot !== before[id]).length, 1);
  await saveSlot(other, before[7]!);
  assertEquals(await loadSlots(store, known), before);
  // What was read once does not hide that it cannot be read any more.
  await other.coordinator.write(store.paths.slot(7), "{}");
  await assertRejects(() => loadSlots(store, known), RecordError, "slot.state must be an object");
});

Deno.test("slots are read in turns: a slow coordinator answers each call in its time", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("10.0.0.1:1,10.0.0.2:1");
  const { coordinator } = store;
  const read = coordinator.read.bind(coordinator);
  // As one that has to read them one by one.
  Object.assign(coordinator, { readFolder: undefined });
  let [waiting, most] = [0, 0];
  coordinator.read = async (path) => {
    most = Math.max(most, ++waiting);
    await delay(0);
    waiting--;
    return await read(path);
  };
  assertEquals((await loadSlots(store)).length, 1024);
  assertEquals(most, AHEAD);
  const table = new RecordedSlotTable();
  await new SlotLoader(store, table).loadAll();
  assertEquals(table.fills.size, 1024);
  // And those of groups.
  assertLess(most, AHEAD + 3);
});
