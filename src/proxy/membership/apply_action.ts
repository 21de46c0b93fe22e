/**
 * What each type of action does to a proxy's slots.
 *
 * @module
 */

import type { ActionOf, ActionRecord, ActionType } from "../../model/action.ts";
import type { SlotLoader } from "./slot_loader.ts";

type Appliers = {
  readonly [T in ActionType]: (slots: SlotLoader, target: ActionOf<T>["target"]) => Promise<void>;
};

/** The copy inside an action names what changed; what it changed to is read from the store. */
const APPLIERS: Appliers = {
  slot_changed: (slots, slot) => slots.loadRange(slot.id, slot.id),
  slot_premigrate: (slots, slot) => slots.loadRange(slot.id, slot.id),
  slot_migrate: (slots, slot) => slots.loadRange(slot.id, slot.id),
  multi_slot_changed: (slots, range) =>
    range.status === "offline"
      ? slots.resetRange(range.from, range.to)
      : slots.loadRange(range.from, range.to),
  group_changed: (slots, group) => slots.loadGroup(group.id),
  // No slot may have the group, or it could not have been removed.
  group_remove: () => Promise.resolve(),
};

/**
 * Brings an action into force.
 *
 * @returns When nothing of what it changes is in flight any more.
 * @throws {CoordinatorError} When the store cannot be read.
 */
export async function applyAction(slots: SlotLoader, action: ActionRecord): Promise<void> {
  const apply = APPLIERS[action.type] as Appliers[typeof action.type];
  await apply(slots, action.target as never);
}
