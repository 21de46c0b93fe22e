/** Waiting for slots ends once, and says which slot it has waited for. */

import { assertEquals } from "@std/assert";
import { slotWaitedOut } from "../../../../src/router/errors.ts";
import { Slot } from "../../../../src/router/slots/slot.ts";
import { whenSettled } from "../../../../src/router/slots/when_usable.ts";

function blockedSlots(): [Slot, Slot] {
  const slots: [Slot, Slot] = [new Slot(5, 1_000), new Slot(6, 1_000)];
  for (const slot of slots) slot.settle("blocked");
  return slots;
}

Deno.test("a wait for slots that takes too long names one that is in doubt then", async () => {
  const slots = blockedSlots();
  const error = await new Promise((resolve) => {
    whenSettled(slots, 20, resolve);
    slots[0].settle("offline");
  });
  assertEquals(error, slotWaitedOut(6, 20));
});

Deno.test("a wait for slots ends as soon as none is in doubt", () => {
  const slots = blockedSlots();
  const ends: string[] = [];
  whenSettled(slots, 60_000, (error) => ends.push(error));
  slots[1].settle("offline");
  slots[0].settle("blocked");
  assertEquals(ends, []);
  slots[0].settle("offline");
  assertEquals(ends, [""]);
});
