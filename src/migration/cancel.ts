/**
 * Cancels a migration task, whatever its state.
 *
 *      not started      task deleted
 *      pre_migrate      slot online as before, task deleted
 *      migrate F to T   the task's new group is F: the slot goes back; nearly done, it finishes
 *      migrate T to F   the same the other way round: what was cancelled goes forward again
 *
 * An operator may choose what happens to a task that has started: it goes `back` in any case, or it
 * finishes (`finish`), wherever it goes.
 *
 * A task that goes back is stored as what it is: a task to the group that the slot came from. A Codis 2.0
 * dashboard that finds it deletes it and lets the slot migrate on.
 *
 * @module
 */

import type { CancelMode } from "../api/answers.ts";
import { isUnderway, type SlotRecord } from "../model/slot.ts";
import { loadSlot } from "../store/slots.ts";
import type { MigrationJob } from "./job.ts";
import type { StepWriter } from "./step_writer.ts";
import { type ChangePart, endPart, taskPart, undoPart } from "./task.ts";

/** A slot with at most so many keys left may be nearer to its goal than to its source. */
const NEARLY_DONE_KEYS = 500;
/** Least number of moved keys for each key left, for the same. */
const NEARLY_DONE_SHARE = 10;

/** Whether a task shall finish: then work on it need not stop. */
export async function isToFinish(
  writer: StepWriter,
  { name, task }: MigrationJob,
  mode: CancelMode | undefined,
): Promise<boolean> {
  if (mode !== "finish") return false;
  await writer.settle();
  const slot = await loadSlot(writer.control.store, task.slot_id);
  if (!isUnderway(slot)) return false;
  writer.control.report(
    "info",
    `slot ${slot.id}: migration has started, task ${name} will finish in group ${task.new_group}`,
  );
  return true;
}

/**
 * Cancels a task that no stream works on.
 *
 * @returns Whether the task is gone.
 * @throws As `Control.change`.
 */
export async function cancelTask(
  writer: StepWriter,
  job: MigrationJob,
  mode: CancelMode | undefined,
): Promise<boolean> {
  const { control: { store } } = writer;
  const { name, task } = job;
  if (await isToFinish(writer, job, mode)) return false;
  await writer.settle();
  const slot = await loadSlot(store, task.slot_id);
  if (isUnderway(slot)) {
    await reverse(writer, job, slot, mode);
    return false;
  }
  const parts: ChangePart[] = [endPart(store, name, undefined)];
  if (slot.state.status === "pre_migrate") parts.unshift(undoPart(store, slot));
  await writer.writeAnyway(`slot ${slot.id}: migration cancelled`, parts);
  return true;
}

/** Makes a task that has started go the other way, unless it should go on. */
async function reverse(
  writer: StepWriter,
  job: MigrationJob,
  slot: SlotRecord,
  mode: CancelMode | undefined,
): Promise<void> {
  const { control } = writer;
  const { name, task } = job;
  const { group_id: group, state: { migrate_status: { from } } } = slot;
  const isForward = task.new_group === group;
  if (mode === "back" && (job.isGoingBack || !isForward)) {
    control.report("info", `slot ${slot.id} is moving back to group ${task.new_group} already`);
    return;
  }
  if (mode === undefined && isForward && isNearlyDone(job)) {
    const left = job.progress.keysLeft;
    control.report("info", `slot ${slot.id} is not moved back: only ${left} of its keys are left`);
    return;
  }
  const reversed = { ...task, new_group: isForward ? from : group };
  await writer.writeAnyway(
    `slot ${slot.id}: migration cancelled, moves to group ${reversed.new_group}`,
    [taskPart(control.store, name, reversed, "migrating")],
  );
  job.reverse({ ...reversed, status: "migrating" }, isForward);
}

function isNearlyDone({ hasProblem, progress: { keysMoved, keysLeft } }: MigrationJob): boolean {
  return !hasProblem && keysLeft !== null && keysLeft <= NEARLY_DONE_KEYS &&
    keysMoved > keysLeft * NEARLY_DONE_SHARE;
}
