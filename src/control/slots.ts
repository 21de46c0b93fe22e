/**
 * Operations on slots: initialise them, assign them to a group, check them.
 *
 * @module
 */

import { SLOT_COUNT } from "../hash/slot_id.ts";
import {
  encodeSlot,
  freshSlot,
  isUnderway,
  NO_GROUP,
  slotIn,
  type SlotRecord,
  type SlotStatus,
} from "../model/slot.ts";
import { loadGroupIds } from "../store/groups.ts";
import { withLock } from "../store/lock.ts";
import { loadSlots, SlotReader } from "../store/slots.ts";
import { childrenIfThere, type Store, StoreError } from "../store/store.ts";
import type { Control } from "./control.ts";

/** A range of slots, both ends included, and the group and status that it gets. */
export interface SlotAssignment {
  readonly from: number;
  readonly to: number;
  readonly groupId: number;
  readonly status: SlotStatus;
}

/**
 * Creates 1024 slots that belong to no group.
 *
 * @param isForced Also when there are slots: then they belong to no group any more.
 * @throws {StoreError} When there are slots and it is not forced.
 */
export async function initSlots(control: Control, isForced: boolean): Promise<void> {
  const { store } = control;
  const existing = await childrenIfThere(store, store.paths.slots);
  if (existing.length > 0 && !isForced) {
    // Codis 2.0 text, byte for byte.
    throw new StoreError("slots already initialized, you may use 'is_force' flag and try again.");
  }
  await control.change({
    summary: `${SLOT_COUNT} slots, of no group`,
    writes: Array.from({ length: SLOT_COUNT }, (_, slotId) => ({
      path: store.paths.slot(slotId),
      data: encodeSlot(freshSlot(store.product, slotId)),
    })),
    // One action for all of them: Codis 2.0 sends 1024, each of which ends a Codis 2.0 proxy.
    announcements: [{
      type: "multi_slot_changed",
      target: { from: 0, to: SLOT_COUNT - 1, status: "offline", group_id: NO_GROUP },
      mustConfirm: true,
    }],
  });
}

/**
 * Assigns slots that belong to no group, also those that are not stored or cannot be read, or that nobody can serve.
 *
 * @throws {StoreError} When one of them belongs to a group, or there is no such group.
 */
export async function setSlotRange(control: Control, range: SlotAssignment): Promise<void> {
  const { store } = control;
  const { from, to, groupId, status } = range;
  await withLock(store, `set slots ${from} to ${to}`, async () => {
    // Codis 2.0 texts.
    if (status !== "online" && status !== "offline") throw new StoreError("invalid status");
    const groupIds = await loadGroupIds(store);
    if (!groupIds.includes(groupId)) {
      throw new StoreError(`group ${groupId} is not found`);
    }
    const slotIds = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    // Of a slot that cannot be read, the operator says here whose it is.
    const slots = await new SlotReader(store).loadReadable(await storedOf(store, slotIds));
    const taken = slots.find((slot) =>
      slot.state.status !== "offline" && whyNobodyServes(slot, groupIds) === ""
    );
    if (taken !== undefined) {
      throw new StoreError(
        `slot ${taken.id} is not offline, if you want to change the group for a slot, use migrate`,
      );
    }
    await control.change({
      summary: from === to
        ? `slot ${from}: group ${groupId}, ${status}`
        : `slots ${from} to ${to}: group ${groupId}, ${status}`,
      writes: slotIds.map((slotId) => ({
        path: store.paths.slot(slotId),
        data: encodeSlot(slotIn(store.product, slotId, groupId, status)),
      })),
      announcements: [{
        type: "multi_slot_changed",
        target: { from, to, status, group_id: groupId },
        mustConfirm: true,
      }],
    });
  });
}

/**
 * Those of slots that are stored. Where some are, one may be missing; where none is, they are to be made first.
 *
 * @throws {StoreError} When none is stored at all.
 */
async function storedOf(store: Store, slotIds: readonly number[]): Promise<number[]> {
  const names = new Set(await childrenIfThere(store, store.paths.slots));
  // Codis 2.0 text
  if (names.size === 0) throw new StoreError(`slot ${slotIds[0]} is not found`);
  return slotIds.filter((slotId) => names.has(`slot_${slotId}`));
}

/**
 * Why nobody can serve or move a slot as it is stored, to be said after its number; `""`: somebody can.
 *
 * @param groupIds The groups that are there.
 */
export function whyNobodyServes(slot: SlotRecord, groupIds: readonly number[]): string {
  const { group_id: groupId, state: { migrate_status: { from } } } = slot;
  if (!groupIds.includes(groupId)) return `is in group ${groupId}, which is not there`;
  if (!isUnderway(slot)) return "";
  if (from === groupId) return `migrates from group ${from} to itself`;
  return groupIds.includes(from) ? "" : `migrates from group ${from}, which is not there`;
}

/**
 * Checks that no slot is a group's, or has keys left there.
 *
 * @throws {StoreError} When one is.
 */
export async function checkNoSlotOf(control: Control, groupId: number): Promise<void> {
  for (const slot of await loadSlots(control.store)) {
    // Codis 2.0 texts.
    if (slot.group_id === groupId) {
      throw new StoreError(`group ${groupId} is using by slot ${slot.id}`);
    }
    if (slot.state.status === "migrate" && slot.state.migrate_status.from === groupId) {
      throw new StoreError(`slot ${slot.id} has residual data remain in group ${groupId}`);
    }
  }
}
