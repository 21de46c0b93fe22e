/**
 * What comes next for a migration task, for every state of its slot.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { nextStep } from "../../../src/migration/task.ts";
import type { MigrateTaskRecord } from "../../../src/model/migrate_task.ts";
import { slotIn, type SlotRecord, type SlotStatus } from "../../../src/model/slot.ts";

function task(new_group: number): MigrateTaskRecord {
  return { slot_id: 5, new_group, delay: 0, create_at: "0", percent: 0, status: "migrating" };
}

function slot(status: SlotStatus, group: number, from = -1, to = -1): SlotRecord {
  const at = slotIn("test", 5, group, status);
  return { ...at, state: { ...at.state, migrate_status: { from, to } } };
}

Deno.test("a task's next step follows from its goal and the slot alone", () => {
  const cases: readonly (readonly [goal: number, slot: SlotRecord, step: string])[] = [
    [2, slot("online", 1), "begin 1>2"],
    [2, slot("pre_migrate", 1), "begin 1>2"],
    [2, slot("migrate", 2, 1, 2), "move 1>2"],
    [2, slot("online", 2), "end slot 5 is in group 2 already"],
    [2, slot("offline", -1), "end slot 5 is offline"],
    [2, slot("offline", 1), "end slot 5 is offline"],
    // Blocked, and already in its group: it must not stay blocked.
    [2, slot("pre_migrate", 2), "end slot 5 is in group 2 already, and online"],
    // Cancelled: back to where it came from.
    [1, slot("migrate", 2, 1, 2), "begin 2>1"],
    [1, slot("pre_migrate", 2, 1, 2), "begin 2>1"],
    [1, slot("migrate", 1, 2, 1), "move 2>1"],
    // Cancelled, and the cancelling cancelled.
    [2, slot("pre_migrate", 2, 1, 2), "begin 1>2"],
    // Keys of the slot are in two groups: a third must wait.
    [3, slot("migrate", 2, 1, 2), "wait slot 5 is migrating from group 1 to 2"],
    [3, slot("pre_migrate", 2, 1, 2), "wait slot 5 is migrating from group 1 to 2"],
  ];
  for (const [goal, record, expected] of cases) {
    const step = nextStep(task(goal), record);
    const shown = step.kind === "begin" || step.kind === "move"
      ? `${step.kind} ${step.from}>${step.to}`
      : step.kind === "end" && step.slot !== undefined
      ? `end ${step.why}, and ${step.slot.state.status}`
      : `${step.kind} ${step.why}`;
    assertEquals(shown, expected);
  }
});
