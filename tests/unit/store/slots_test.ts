/**
 * Slots that are stored are slots.
 *
 * @module
 */

import { assertThrows } from "@std/assert";
import { slotIn, type SlotStatus } from "../../../src/model/slot.ts";
import { checkSlot } from "../../../src/store/slots.ts";
import { StoreError } from "../../../src/store/store.ts";

Deno.test("checkSlot() refuses a status or an id that is not one", () => {
  checkSlot(slotIn("p", 1023, 1, "migrate"));
  assertThrows(
    () => checkSlot(slotIn("p", 1, 1, "lost" as SlotStatus)),
    StoreError,
    "unknown slot status, slot status should be (online, offline, migrate, pre_migrate)",
  );
  assertThrows(() => checkSlot(slotIn("p", 1024, 1, "online")), StoreError, "invalid slot id 1024");
});
