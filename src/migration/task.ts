/**
 * The steps of a slot to another group: what comes next, and the change of the store for it.
 *
 *      online at F ──begin──► pre_migrate ──open──► migrate F to T ── keys moved ──finish──► online at T
 *           ▲                     │                     │                              task deleted
 *           └───────undo──────────┘                     │
 *                                                       │ task cancelled: its new group is F
 *      online at F ◄──finish── migrate T to F ◄──open── pre_migrate (group T) ◄──begin──┘
 *
 * Nodes and JSON are Codis 2.0's, so that its dashboard and ours can take over from each other. The state
 * of a task is read from the store, never remembered: the task has the goal, the slot has all else. While a
 * slot reverses, its `pre_migrate` keeps the groups of its `migrate`.
 *
 * Once every proxy has confirmed `pre_migrate`, no client writes the slot's keys at the old server. Only then
 * may a dashboard write `migrate`.
 *
 * @module
 */

import { encodeMigrateTask, type MigrateTaskRecord } from "../model/migrate_task.ts";
import {
  encodeSlot,
  isUnderway,
  type MigrateStatusRecord,
  slotIn,
  type SlotRecord,
  type SlotStatus,
} from "../model/slot.ts";
import type { StoredMigrateTask } from "../store/migrate_tasks.ts";
import type { Store } from "../store/store.ts";
import type { GroupRoute } from "./cycle.ts";
import type { Announcement, ClusterChange, EntryWrite } from "../control/control.ts";

/** What comes next for a task. */
export type NextStep =
  /** Nothing but to delete the task, and to write the slot when there is one to write. */
  | { readonly kind: "end"; readonly why: string; readonly slot: SlotRecord | undefined }
  /** Nothing now: another migration of the slot comes first. */
  | { readonly kind: "wait"; readonly why: string }
  /** Block the slot, then let it migrate. */
  | { readonly kind: "begin"; readonly from: number; readonly to: number }
  /** Move the keys. */
  | { readonly kind: "move"; readonly from: number; readonly to: number };

/** What one slot adds to a change. */
export interface ChangePart {
  readonly writes: readonly EntryWrite[];
  readonly announcements: readonly Announcement[];
}

/** What comes next for a task, given its slot. */
export function nextStep(task: MigrateTaskRecord, slot: SlotRecord): NextStep {
  const { id, group_id: group, state: { status, migrate_status: { from } } } = slot;
  const goal = task.new_group;
  if (status === "offline") {
    return { kind: "end", why: `slot ${id} is offline`, slot: undefined };
  }
  if (isUnderway(slot)) {
    if (goal === from) return { kind: "begin", from: group, to: from };
    if (goal !== group) {
      return { kind: "wait", why: `slot ${id} is migrating from group ${from} to ${group}` };
    }
    return { kind: status === "migrate" ? "move" : "begin", from, to: group };
  }
  if (goal === group) {
    const unblocked = status === "pre_migrate" ? withStatus(slot, "online") : undefined;
    return { kind: "end", why: `slot ${id} is in group ${group} already`, slot: unblocked };
  }
  return { kind: "begin", from: group, to: goal };
}

/**
 * The route on which keys of the slot move, or will when its block ends; `undefined`: none.
 *
 * @param step What comes next for its task; left out: the block is taken back.
 */
export function currentRouteOf(slot: SlotRecord, step?: NextStep): GroupRoute | undefined {
  const { group_id: to, state: { status, migrate_status: { from } } } = slot;
  if (status === "pre_migrate" && step?.kind === "begin") return { from: step.from, to: step.to };
  return isUnderway(slot) ? { from, to } : undefined;
}

/** Blocks a slot on every proxy, and marks its task as started. */
export function beginPart(
  store: Store,
  { name, task }: StoredMigrateTask,
  slot: SlotRecord,
): ChangePart {
  const blocked = withStatus(slot, "pre_migrate");
  const writes = [slotWrite(store, blocked), taskWrite(store, name, task, "migrating")];
  return part(blocked, writes, "slot_premigrate");
}

/** Lets a blocked slot migrate. */
export function openPart(store: Store, slot: SlotRecord, from: number, to: number): ChangePart {
  const migrating = withStatus({ ...slot, group_id: to }, "migrate", { from, to });
  return part(migrating, [slotWrite(store, migrating)], "slot_migrate");
}

/** Takes a block back: the slot is as before. */
export function undoPart(store: Store, slot: SlotRecord): ChangePart {
  const before = withStatus(slot, isUnderway(slot) ? "migrate" : "online");
  const type = isUnderway(slot) ? "slot_migrate" : "slot_changed";
  return part(before, [slotWrite(store, before)], type);
}

/** Ends a migration whose keys have all been moved. */
export function finishPart(store: Store, name: string, slotId: number, to: number): ChangePart {
  const moved = slotIn(store.product, slotId, to, "online");
  const writes = [slotWrite(store, moved), taskGone(store, name)];
  return part(moved, writes, "slot_changed");
}

/** Ends a task without moving anything; writes the slot where there is one to write. */
export function endPart(store: Store, name: string, slot: SlotRecord | undefined): ChangePart {
  if (slot === undefined) return { writes: [taskGone(store, name)], announcements: [] };
  return part(slot, [slotWrite(store, slot), taskGone(store, name)], "slot_changed");
}

/** Writes a task; no proxy needs to know. */
export function taskPart(
  store: Store,
  name: string,
  task: MigrateTaskRecord,
  status: MigrateTaskRecord["status"],
): ChangePart {
  return { writes: [taskWrite(store, name, task, status)], announcements: [] };
}

/** Makes one change of several parts. */
export function changeOf(summary: string, parts: readonly ChangePart[]): ClusterChange {
  return {
    summary,
    writes: parts.flatMap(({ writes }) => writes),
    announcements: parts.flatMap(({ announcements }) => announcements),
  };
}

function part(
  slot: SlotRecord,
  writes: readonly EntryWrite[],
  type: "slot_premigrate" | "slot_migrate" | "slot_changed",
): ChangePart {
  return { writes, announcements: [{ type, target: slot, mustConfirm: true }] };
}

function withStatus(
  slot: SlotRecord,
  status: SlotStatus,
  migrate_status: MigrateStatusRecord = slot.state.migrate_status,
): SlotRecord {
  return { ...slot, state: { ...slot.state, status, migrate_status } };
}

function slotWrite(store: Store, slot: SlotRecord): EntryWrite {
  return { path: store.paths.slot(slot.id), data: encodeSlot(slot) };
}

function taskWrite(
  store: Store,
  name: string,
  task: MigrateTaskRecord,
  status: MigrateTaskRecord["status"],
): EntryWrite {
  const data = encodeMigrateTask({ ...task, status });
  return { path: store.paths.migrateTask(name), data };
}

function taskGone(store: Store, name: string): EntryWrite {
  return { path: store.paths.migrateTask(name), data: null };
}
