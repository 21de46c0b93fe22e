/**
 * Slots in the store.
 *
 * @module
 */

import { Turns } from "../base/turns.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import { decodeSlot, encodeSlot, NO_GROUP, SLOT_STATUSES, type SlotRecord } from "../model/slot.ts";
import { numberedName } from "./paths.ts";
import {
  childrenIfThere,
  type ReadableStore,
  readIfThere,
  READS_MAX,
  saveEntry,
  type Store,
  StoreError,
} from "./store.ts";

/**
 * Reads a slot.
 *
 * @throws {StoreError} When it is not stored.
 * @throws {RecordError} When it is stored and not a slot.
 */
export async function loadSlot(store: ReadableStore, slotId: number): Promise<SlotRecord> {
  const json = await readIfThere(store, store.paths.slot(slotId));
  if (json === undefined) throw new StoreError(`slot ${slotId} is not found`);
  return decodeSlot(json);
}

/**
 * Reads slots, many at a time but not all: a call to the coordinator has a few seconds from when it is made, and
 * one that is far away, or busy, answers fewer than 1024 in that time.
 */
export class SlotReader {
  readonly #store: ReadableStore;
  readonly #turns = new Turns(READS_MAX);

  constructor(store: ReadableStore) {
    this.#store = store;
  }

  /** As {@linkcode loadSlot}. */
  load(slotId: number): Promise<SlotRecord> {
    return this.#turns.take(() => loadSlot(this.#store, slotId));
  }
}

/** Reads every slot that is stored, by id. */
export async function loadSlots(store: ReadableStore): Promise<SlotRecord[]> {
  const names = await childrenIfThere(store, store.paths.slots);
  const ids = names.map((name) => numberedName(name, "slot_")).filter((id) => id !== undefined);
  const reader = new SlotReader(store);
  return await Promise.all(ids.sort((a, b) => a - b).map((id) => reader.load(id)));
}

/**
 * Writes a slot.
 *
 * @throws {StoreError} When its id or status is not one.
 */
export async function saveSlot(store: Store, slot: SlotRecord): Promise<void> {
  checkSlot(slot);
  await saveEntry(store, store.paths.slot(slot.id), encodeSlot(slot));
}

/**
 * Checks a slot before it is written.
 *
 * @throws {StoreError} When its id or status is not one.
 */
export function checkSlot(slot: SlotRecord): void {
  if (!SLOT_STATUSES.includes(slot.state.status)) {
    // Codis 2.0 text, byte for byte.
    throw new StoreError(
      "unknown slot status, slot status should be (online, offline, migrate, pre_migrate)",
    );
  }
  if (!Number.isInteger(slot.id) || slot.id < 0 || slot.id >= SLOT_COUNT) {
    throw new StoreError(`invalid slot id ${slot.id}`);
  }
}

/**
 * Checks that a proxy may serve these slots: each has a group, and is at rest or migrating.
 *
 * @throws {StoreError} When one is `offline` or `pre_migrate`, or has no group.
 */
export function checkSlotsServable(slots: readonly SlotRecord[]): void {
  for (const slot of slots) {
    const { status } = slot.state;
    // Codis 2.0 texts.
    if (status !== "online" && status !== "migrate") {
      throw new StoreError(`slot ${JSON.stringify(slot, null, 2)} is not online or migrate`);
    }
    if (slot.group_id === NO_GROUP) {
      throw new StoreError(`slot ${JSON.stringify(slot, null, 2)} has invalid group id`);
    }
  }
}
