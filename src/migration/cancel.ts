/**
 * Cancels migration tasks, whatever their states.
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
import type { MigrateTaskRecord } from "../model/migrate_task.ts";
import { isUnderway, type SlotRecord } from "../model/slot.ts";
import { slotsText } from "../model/slot_ranges.js";
import { SlotReader } from "../store/slots.ts";
import type { MigrationJob } from "./job.ts";
import type { StepWriter } from "./step_writer.ts";
import { endPart, taskPart, undoPart } from "./task.ts";

/** A slot with at most so many keys left may be nearer to its goal than to its source. */
const NEARLY_DONE_KEYS = 500;
/** Least number of moved keys for each key left, for the same. */
const NEARLY_DONE_SHARE = 10;

/** The tasks of which work need not stop, since they shall finish, are left out. */
export async function withoutFinishing(
  writer: StepWriter,
  jobs: readonly MigrationJob[],
  mode: CancelMode | undefined,
): Promise<readonly MigrationJob[]> {
  if (mode !== "finish") return jobs;
  const slots = await slotsOf(writer, jobs);
  return jobs.filter((job, i) => !isToFinish(writer, job, slots[i]!, mode));
}

/**
 * Cancels tasks that no stream works on, in one change.
 *
 * @returns The tasks that are gone.
 * @throws As `Control.change`.
 */
export async function cancelTasks(
  writer: StepWriter,
  jobs: readonly MigrationJob[],
  mode: CancelMode | undefined,
): Promise<readonly MigrationJob[]> {
  const slots = await slotsOf(writer, jobs);
  const ends: Cancelled[] = [];
  const reversals: Reversed[] = [];
  for (const [i, job] of jobs.entries()) {
    const slot = slots[i]!;
    if (isToFinish(writer, job, slot, mode)) continue;
    if (!isUnderway(slot)) ends.push({ job, slot });
    else if (mayReverse(writer, job, slot, mode)) reversals.push(reversed(job, slot));
  }
  const { store } = writer.control;
  const texts = [
    ...textsOf(ends, () => "migration cancelled"),
    ...textsOf(reversals, ({ task }) => `migration cancelled, moves to group ${task.new_group}`),
  ];
  await writer.writeAnyway(texts.join("; "), [
    ...ends.flatMap(({ job: { name }, slot }) => [
      ...slot.state.status === "pre_migrate" ? [undoPart(store, slot)] : [],
      endPart(store, name, undefined),
    ]),
    ...reversals.map(({ job: { name }, task }) => taskPart(store, name, task, "migrating")),
  ]);
  for (const { job, task, isBack } of reversals) {
    job.reverse({ ...task, status: "migrating" }, isBack);
  }
  return ends.map(({ job }) => job);
}

/** A task and its slot. */
interface Cancelled {
  readonly job: MigrationJob;
  readonly slot: SlotRecord;
}

/** A task that goes the other way from now on. */
interface Reversed extends Cancelled {
  readonly task: MigrateTaskRecord;
  /** Whether that is back to its source. */
  readonly isBack: boolean;
}

/** Names the slots, those of which the same is said together. */
function textsOf<T extends Cancelled>(all: readonly T[], textOf: (each: T) => string): string[] {
  const groups = Map.groupBy(all, textOf);
  return [...groups].map(([text, some]) =>
    `${slotsText(some.map(({ slot }) => slot.id))}: ${text}`
  );
}

async function slotsOf(writer: StepWriter, jobs: readonly MigrationJob[]): Promise<SlotRecord[]> {
  await writer.settle();
  const reader = new SlotReader(writer.control.store);
  return await reader.loadAll(jobs.map(({ task }) => task.slot_id));
}

function isToFinish(
  { control }: StepWriter,
  { name, task }: MigrationJob,
  slot: SlotRecord,
  mode: CancelMode | undefined,
): boolean {
  if (mode !== "finish" || !isUnderway(slot)) return false;
  control.report(
    "info",
    `slot ${slot.id}: migration has started, task ${name} will finish in group ${task.new_group}`,
  );
  return true;
}

/** Whether a task that has started may go the other way; if not, it goes on. */
function mayReverse(
  { control }: StepWriter,
  job: MigrationJob,
  slot: SlotRecord,
  mode: CancelMode | undefined,
): boolean {
  const { task } = job;
  const isForward = task.new_group === slot.group_id;
  if (mode === "back" && (job.isGoingBack || !isForward)) {
    control.report("info", `slot ${slot.id} is moving back to group ${task.new_group} already`);
    return false;
  }
  if (mode === undefined && isForward && isNearlyDone(job)) {
    const left = job.progress.keysLeft;
    control.report("info", `slot ${slot.id} is not moved back: only ${left} of its keys are left`);
    return false;
  }
  return true;
}

function reversed(job: MigrationJob, slot: SlotRecord): Reversed {
  const { group_id: group, state: { migrate_status: { from } } } = slot;
  const isBack = job.task.new_group === group;
  return { job, slot, isBack, task: { ...job.task, new_group: isBack ? from : group } };
}

function isNearlyDone({ hasProblem, progress: { keysMoved, keysLeft } }: MigrationJob): boolean {
  return !hasProblem && keysLeft !== null && keysLeft <= NEARLY_DONE_KEYS &&
    keysMoved > keysLeft * NEARLY_DONE_SHARE;
}
