/**
 * Checks a request to migrate slots as a whole, then stores one task for each slot, or none.
 *
 * @module
 */

import type { MigrateBody } from "../api/answers.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import { GROUP_ID_MIN } from "../model/group.ts";
import type { MigrateTaskRecord } from "../model/migrate_task.ts";
import type { SlotRecord } from "../model/slot.ts";
import { slotsText } from "../model/slot_ranges.js";
import { loadGroup, loadGroupIds, masterOf } from "../store/groups.ts";
import {
  createMigrateTask,
  deleteMigrateTask,
  loadMigrateTasks,
  type StoredMigrateTask,
} from "../store/migrate_tasks.ts";
import { SlotReader } from "../store/slots.ts";
import { type Store, StoreError } from "../store/store.ts";
import { LEAVE_OUT } from "../store/unreadable.ts";
import type { Control } from "../control/control.ts";
import { InputError } from "../control/errors.ts";
import { nextStep } from "./task.ts";
import { areOneServer } from "../control/servers.ts";
import { whyNobodyServes } from "../control/slots.ts";

/** Tasks that are created at the same time, and where the store is quick. */
const TOGETHER = { usual: 16, quick: 64 };
/** A store is quick that creates some within this time, in milliseconds: each call has a deadline. */
const QUICK_MS = 100;

/** The store has failed, and keeps tasks that nobody wants: they are to be deleted later. */
export class TasksLeftError extends StoreError {
  readonly left: readonly StoredMigrateTask[];

  constructor(message: string, left: readonly StoredMigrateTask[], cause: Error) {
    super(message, { cause });
    this.left = left;
  }
}

/**
 * Stores the tasks.
 *
 * @returns Them, in the order of their slots.
 * @throws {InputError} When a number is out of range.
 * @throws {StoreError} When a group or slot does not allow it: nothing was stored.
 * @throws {TasksLeftError} When the store has failed and tasks that were stored could not be deleted.
 * @throws {NotLeaderError} When another dashboard has taken over; nothing was stored.
 */
export async function createTasks(
  control: Control,
  request: MigrateBody,
): Promise<StoredMigrateTask[]> {
  checkNumbers(request);
  const { store } = control;
  const { from, to, new_group: groupId, delay, keep = false } = request;
  const target = masterOf(await loadGroup(store, groupId, LEAVE_OUT)).addr;
  const slotIds = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const tasks = slotIds.map((slot_id): MigrateTaskRecord => ({
    slot_id,
    new_group: groupId,
    delay,
    create_at: `${Math.floor(Date.now() / 1000)}`,
    percent: 0,
    status: "pending",
    ...keep ? { keep } : {},
  }));
  const slots = await checkSlots(store, tasks);
  if (slots.every(({ group_id, state }) => group_id === groupId && state.status === "online")) {
    const what = from === to ? `slot ${from} is` : `slots ${from} to ${to} are all`;
    throw new StoreError(`${what} in group ${groupId} already`);
  }
  await checkOtherServers(control, new Set(slots.map(({ group_id }) => group_id)), groupId, target);
  const created: StoredMigrateTask[] = [];
  try {
    for (let at = 0, together = TOGETHER.usual; at < tasks.length;) {
      const some = tasks.slice(at, at + together);
      const startedMs = performance.now();
      await control.proveLead();
      const made = await Promise.allSettled(
        some.map(async (task) => {
          created.push({ name: await createMigrateTask(store, task), task });
        }),
      );
      const failed = made.find((each) => each.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      at += some.length;
      together = performance.now() - startedMs < QUICK_MS ? TOGETHER.quick : TOGETHER.usual;
    }
  } catch (error) {
    throw await takeBack(store, tasks, error as Error);
  }
  return created.sort((a, b) => a.task.slot_id - b.task.slot_id);
}

/**
 * Deletes those of the tasks that are stored, also those of calls whose answer was lost.
 *
 * @returns What to throw: the cause, and which tasks could not be deleted.
 */
async function takeBack(
  store: Store,
  tasks: readonly MigrateTaskRecord[],
  cause: Error,
): Promise<Error> {
  const createdAt = new Map(tasks.map(({ slot_id, create_at }) => [slot_id, create_at]));
  const loadOurs = async () =>
    (await loadMigrateTasks(store, LEAVE_OUT)).filter(({ task }) =>
      createdAt.get(task.slot_id) === task.create_at
    );
  const all = slotsText(createdAt.keys());
  try {
    const stored = await loadOurs();
    await Promise.allSettled(stored.map(({ name }) => deleteMigrateTask(store, name)));
    const left = await loadOurs();
    if (left.length === 0) return cause;
    const text =
      `${cause.message}. Not migrated: ${all}. Tasks were stored and cannot be deleted now: those of ${
        slotsText(left.map(({ task }) => task.slot_id))
      } are deleted when the store takes changes again`;
    return new TasksLeftError(text, left, cause);
  } catch {
    const text = `It cannot be read which tasks of ${all} were stored: look at the tasks later`;
    return new StoreError(`${cause.message}. ${text}`, { cause });
  }
}

function checkNumbers({ from, to, new_group, delay }: MigrateBody): void {
  const isSlot = (value: number) => Number.isInteger(value) && value >= 0 && value < SLOT_COUNT;
  const slotRule = `a slot, 0 to ${SLOT_COUNT - 1}`;
  if (!isSlot(from)) throw new InputError("from", slotRule, from);
  if (!isSlot(to)) throw new InputError("to", slotRule, to);
  if (to < from) throw new InputError("to", `a slot not below ${from}`, to);
  if (!(Number.isInteger(new_group) && new_group >= GROUP_ID_MIN)) {
    throw new InputError("new_group", `a whole number from ${GROUP_ID_MIN}`, new_group);
  }
  if (!(Number.isInteger(delay) && delay >= 0)) {
    throw new InputError("delay", "whole milliseconds from 0", delay);
  }
}

/** @throws {StoreError} When the target is also the master of a group that gives slots. */
async function checkOtherServers(
  control: Control,
  owners: ReadonlySet<number>,
  groupId: number,
  target: string,
): Promise<void> {
  for (const owner of owners) {
    if (owner === groupId) continue;
    const group = await loadGroup(control.store, owner, LEAVE_OUT).catch(() => undefined);
    const source = group?.servers?.find(({ type }) => type === "master")?.addr;
    if (source === undefined || !await areOneServer(control, source, target)) continue;
    throw new StoreError(
      `groups ${owner} and ${groupId} have the same master, ${source}` +
        `${source === target ? "" : `, which is also ${target}`}: no key can be moved`,
    );
  }
}

async function checkSlots(
  store: Store,
  tasks: readonly MigrateTaskRecord[],
): Promise<SlotRecord[]> {
  const reader = new SlotReader(store);
  const slots = await reader.loadAll(tasks.map(({ slot_id }) => slot_id));
  const groupIds = await loadGroupIds(store);
  const stored = await loadMigrateTasks(store, LEAVE_OUT);
  const taskOf = new Map(stored.map(({ name, task }) => [task.slot_id, name]));
  for (const [i, task] of tasks.entries()) {
    const { slot_id } = task;
    const slot = slots[i]!;
    const other = taskOf.get(slot_id);
    if (other !== undefined) {
      throw new StoreError(`slot ${slot_id} has migrate task ${other}: wait for it, or cancel it`);
    }
    if (slot.state.status === "offline") {
      throw new StoreError(`slot ${slot_id} is offline: give it to a group with slot set first`);
    }
    const why = whyNobodyServes(slot, groupIds);
    if (why !== "") {
      throw new StoreError(
        `slot ${slot_id} ${why}: no key can be moved; give it to the group that has its keys with ` +
          `\`codis-proxy config slot range-set ${slot_id} ${slot_id} <group_id> online\``,
      );
    }
    const step = nextStep(task, slot);
    if (step.kind === "wait") throw new StoreError(`${step.why}: cancel that first`);
  }
  return slots;
}
