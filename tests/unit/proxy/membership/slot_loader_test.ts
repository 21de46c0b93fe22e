/**
 * How much is read of the store when a group has another master: a failover must not wait for a slow coordinator.
 *
 * @module
 */

import { assertEquals, assertLess } from "@std/assert";
import { SlotLoader } from "../../../../src/proxy/membership/slot_loader.ts";
import { saveServer } from "../../../../src/store/groups.ts";
import { RecordedSlotTable } from "../../../support/slot_table.ts";
import { StoreFolder } from "../../../support/store.ts";

Deno.test("slots get another master without being read again; those that were taken away stay so", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("10.0.0.1:1,10.0.0.2:1");
  const table = new RecordedSlotTable();
  const loader = new SlotLoader(store, table);
  await loader.loadAll();
  await loader.resetRange(0, 9);
  const { coordinator } = store;
  let reads = 0;
  const read = coordinator.read.bind(coordinator);
  coordinator.read = (path) => {
    reads++;
    return read(path);
  };
  await saveServer(store, { type: "offline", group_id: 1, addr: "10.0.0.1:1" });
  await saveServer(store, { type: "master", group_id: 1, addr: "10.0.0.9:1" });
  reads = 0;
  await loader.loadGroup(1);
  assertLess(reads, 10);
  const own = [...table.fills.values()].filter(({ groupId }) => groupId === 1);
  assertEquals(own.map(({ slotId }) => slotId), Array.from({ length: 502 }, (_, i) => 10 + i));
  assertEquals(new Set(own.map(({ backendAddr }) => backendAddr)), new Set(["10.0.0.9:1"]));
});
