/**
 * Cancels a migration task, wherever it is.
 *
 *      not begun        task deleted
 *      pre_migrate      slot online as before, task deleted
 *      migrate F to T   the task's new group is F: the slot goes back; nearly done, it is let be
 *      migrate T to F   the same the other way round: what was cancelled goes forward again
 *
 * The operator may say what becomes of what has begun: it goes `back` in any case, or comes to its end
 * (`finish`) wherever it goes.
 *
 * That a task goes back is recorded as what it is: a task to where the slot came from. A Codis 2.0
 * dashboard that finds it ends it and lets the slot migrate on.
 *
 * @module
 */

import type { CancelMode } from "../api/answers.ts";
import { loadSlot } from "../store/slots.ts";
import type { MigrationJob } from "./job.ts";
import { type ChangePart, endPart, isUnderway, taskPart, undoPart } from "./task.ts";
import type { StepWriter } from "./step_writer.ts";

/** Keys that are left of a slot that goes on when it is nearer to its goal than to where it came from. */
const NEARLY_DONE_KEYS = 500;
/** Moved keys for each one left, at least, for the same. */
const NEARLY_DONE_SHARE = 10;

/** Whether a task is to be let finish: then nobody who works on it need stop. */
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
    `slot ${slot.id} has begun: task ${name} comes to its end in group ${task.new_group}`,
  );
  return true;
}

/**
 * Cancels a task that nobody works on.
 *
 * @returns Whether the task is gone.
 * @throws As `Control.change`.
 */
export async function cancelTask(
  writer: StepWriter,
  job: MigrationJob,
  mode: CancelMode | undefined,
): Promise<boolean> {
  const { control, control: { store } } = writer;
  const { name, task } = job;
  if (await isToFinish(writer, job, mode)) return false;
  await writer.settle();
  const slot = await loadSlot(store, task.slot_id);
  if (!isUnderway(slot)) {
    const parts: ChangePart[] = [endPart(store, name, undefined)];
    if (slot.state.status === "pre_migrate") parts.unshift(undoPart(store, slot));
    await writer.writeAnyway(`slot ${slot.id}: migration cancelled`, parts);
    return true;
  }
  const { group_id: group, state: { migrate_status: { from } } } = slot;
  const isForward = task.new_group === group;
  const { keysMoved, keysLeft } = job.progress;
  if (mode === "back" && (job.isTurned || !isForward)) {
    control.report("info", `slot ${slot.id} is on its way back to group ${task.new_group} already`);
    return false;
  }
  if (
    mode === undefined && isForward && !job.isInTrouble && keysLeft !== null &&
    keysLeft <= NEARLY_DONE_KEYS &&
    keysMoved > keysLeft * NEARLY_DONE_SHARE
  ) {
    control.report(
      "info",
      `slot ${slot.id} is not turned back: of its keys only ${keysLeft} are not in group ${group} yet`,
    );
    return false;
  }
  const turned = { ...task, new_group: isForward ? from : group };
  await writer.writeAnyway(
    `slot ${slot.id}: migration cancelled, on to group ${turned.new_group}`,
    [taskPart(store, name, turned, "migrating")],
  );
  job.turn({ ...turned, status: "migrating" }, isForward);
  return false;
}
