/**
 * A change of all slots reads them a few at a time: a coordinator that is far away, or busy, does not answer 1024
 * questions in the time that one may take.
 *
 * @module
 */

import { assertEquals, assertLessOrEqual } from "@std/assert";
import { initSlots, setSlotRange } from "../../../src/control/slots.ts";
import { READS_MAX } from "../../../src/coordinator/read_folder.ts";
import { loadSlots } from "../../../src/store/slots.ts";
import { ScriptedControl } from "../../support/scripted_control.ts";
import { StoreFolder } from "../../support/store.ts";

Deno.test("all slots are given to a group with few questions at a time", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1");
  const control = new ScriptedControl(store);
  await initSlots(control, true);
  const { read } = store.coordinator;
  let [asked, most] = [0, 0];
  store.coordinator.read = async function (path) {
    most = Math.max(most, ++asked);
    try {
      return await read.call(this, path);
    } finally {
      asked--;
    }
  };
  await setSlotRange(control, { from: 0, to: 1023, groupId: 1, status: "online" });
  assertLessOrEqual(most, READS_MAX);
  assertEquals((await loadSlots(store)).filter(({ group_id }) => group_id === 1).length, 1024);
});
