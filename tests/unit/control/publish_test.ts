/**
 * How announcements of slots are joined into actions.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Announcement } from "../../../src/control/control.ts";
import { inRows, type Row } from "../../../src/control/publish.ts";
import { slotIn } from "../../../src/model/slot.ts";

function slot(
  type: "slot_changed" | "slot_premigrate" | "slot_migrate",
  id: number,
  groupId = 1,
): Announcement {
  return { type, target: slotIn("test", id, groupId, "online"), mustConfirm: true };
}

Deno.test("inRows() joins slots in a row into one action, and leaves one alone as in Codis 2.0", () => {
  const removed: Announcement = {
    type: "group_remove",
    target: { id: 3, product_name: "test", servers: null },
    mustConfirm: false,
  };
  const rows = inRows([
    slot("slot_migrate", 5),
    slot("slot_migrate", 4),
    slot("slot_migrate", 3),
    slot("slot_migrate", 6, 2),
    slot("slot_premigrate", 7),
    slot("slot_premigrate", 9),
    removed,
  ]);
  const target = { from: 3, to: 5, status: "online", group_id: 1 } as const;
  assertEquals(rows, [
    { ...removed, desc: "" },
    { type: "multi_slot_changed", target, mustConfirm: true, desc: "slot_migrate" },
    { ...slot("slot_migrate", 6, 2), desc: "" },
    { ...slot("slot_premigrate", 7), desc: "" },
    { ...slot("slot_premigrate", 9), desc: "" },
  ] as Row[]);
});
