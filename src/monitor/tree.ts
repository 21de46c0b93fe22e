/**
 * The slots and groups that the store has, as they were last read or written here.
 *
 * @module
 */

import type { EntryWrite } from "../control/control.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import type { GroupRecord } from "../model/group.ts";
import { decodeSlot, type SlotRecord } from "../model/slot.ts";
import { loadGroups } from "../store/groups.ts";
import { loadSlots } from "../store/slots.ts";
import type { Store } from "../store/store.ts";

/** See the header. */
export class TreeMonitor {
  readonly #store: Store;
  #slots: (SlotRecord | undefined)[] = [];
  #groups: readonly GroupRecord[] = [];

  /** Reads nothing yet. */
  constructor(store: Store) {
    this.#store = store;
  }

  /** By slot number; undefined where the store has no slot, or it was not read yet. */
  get slots(): readonly (SlotRecord | undefined)[] {
    return this.#slots;
  }

  /** The groups, by number. */
  get groups(): readonly GroupRecord[] {
    return this.#groups;
  }

  /** How many slots a group owns. */
  slotCount(groupId: number): number {
    return this.#slots.reduce((sum, slot) => sum + (slot?.group_id === groupId ? 1 : 0), 0);
  }

  /**
   * Reads slots and groups.
   *
   * @throws {CoordinatorError | RecordError} When that fails; what was read before stays.
   */
  async refresh(): Promise<void> {
    const [slots, groups] = await Promise.all([loadSlots(this.#store), loadGroups(this.#store)]);
    const byId: (SlotRecord | undefined)[] = Array.from({ length: SLOT_COUNT });
    for (const slot of slots) byId[slot.id] = slot;
    this.#slots = byId;
    this.#groups = groups;
  }

  /**
   * Takes over the slots that a change has written, and reads groups again if it has written any.
   *
   * @throws {CoordinatorError | RecordError} When groups cannot be read.
   */
  async written(writes: readonly EntryWrite[]): Promise<void> {
    const { paths } = this.#store;
    for (const { path, data } of writes) {
      if (data === null || !path.startsWith(`${paths.slots}/`)) continue;
      const slot = decodeSlot(data);
      this.#slots[slot.id] = slot;
    }
    if (!writes.some(({ path }) => path.startsWith(`${paths.servers}/`))) return;
    this.#groups = await loadGroups(this.#store);
  }
}
