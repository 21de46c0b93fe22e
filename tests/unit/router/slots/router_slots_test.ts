/**
 * Who has a slot is shown as it is, whatever was shown before.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { RouterSlots, type SlotEvents } from "../../../../src/router/slots/router_slots.ts";
import { testOptions } from "../../../support/router_server.ts";

Deno.test("owners are those of now after each change of a slot", async () => {
  const slots = new RouterSlots(testOptions(), {} as SlotEvents);
  const shown = () => {
    const { groups, owners, sources } = slots.owners();
    return [groups[7], owners[7], sources[7]];
  };
  assertEquals(shown(), [-1, "", ""]);
  const fill = { slotId: 7, groupId: 1, backendAddr: "127.0.0.1:1", migrateFromAddr: "" };
  await slots.fillSlot({ ...fill, migrateFromGroupId: -1, isBlocked: false });
  assertEquals(shown(), [1, "127.0.0.1:1", ""]);
  const moving = { groupId: 2, backendAddr: "127.0.0.1:2", migrateFromAddr: "127.0.0.1:1" };
  await slots.fillSlot({ ...fill, ...moving, migrateFromGroupId: 1, isBlocked: false });
  assertEquals(shown(), [2, "127.0.0.1:2", "127.0.0.1:1"]);
  await slots.resetSlot(7);
  assertEquals(shown(), [-1, "", ""]);
});
