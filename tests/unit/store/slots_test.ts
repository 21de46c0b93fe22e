/**
 * Slots that are stored are slots, and are read so many at a time.
 *
 * @module
 */

import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { delay } from "@std/async/delay";
import { slotIn, type SlotStatus } from "../../../src/model/slot.ts";
import { SlotLoader } from "../../../src/proxy/membership/slot_loader.ts";
import { checkSlot, loadSlots } from "../../../src/store/slots.ts";
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

Deno.test("slots are read in turns: a slow coordinator answers each call in its time", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("10.0.0.1:1,10.0.0.2:1");
  const { coordinator } = store;
  const read = coordinator.read.bind(coordinator);
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
