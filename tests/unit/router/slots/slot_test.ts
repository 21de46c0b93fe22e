/**
 * What a slot guarantees to who watches it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Slot, type SlotWatcher } from "../../../../src/router/slots/slot.ts";

Deno.test("a change of a slot waits for what its watchers have in flight, and tells them when it is over", async () => {
  const slot = new Slot(5, 1_000);
  slot.settle("blocked");
  const seen: string[] = [];
  const watcher: SlotWatcher = {
    slotDraining(slot) {
      seen.push("draining");
      slot.enter();
      setTimeout(() => {
        seen.push("left");
        slot.leave();
      }, 5);
    },
    slotSettled: ({ state }) => seen.push(state),
  };
  slot.watch(watcher);
  assertEquals(await slot.drain(), true);
  slot.settle("blocked");
  slot.unwatch(watcher);
  assertEquals(await slot.drain(), true);
  assertEquals(seen, ["draining", "left", "blocked"]);
});
