/**
 * Slots in the store.
 *
 * @module
 */

import { Turns } from "../base/turns.ts";
import { READS_MAX } from "../coordinator/read_folder.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import { decodeSlot, encodeSlot, NO_GROUP, SLOT_STATUSES, type SlotRecord } from "../model/slot.ts";
import { RecordError } from "../model/record.ts";
import { numberedName } from "./paths.ts";
import {
  folderIfThere,
  type ReadableStore,
  readIfThere,
  saveEntry,
  type Store,
  StoreError,
} from "./store.ts";
import { decodeAt, type OnUnreadable } from "./unreadable.ts";

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

/** Reads slots, {@linkcode READS_MAX} at a time. */
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

  /** Reads these slots, in their order. */
  loadAll(slotIds: readonly number[]): Promise<SlotRecord[]> {
    return Promise.all(slotIds.map((slotId) => this.load(slotId)));
  }

  /** As {@linkcode SlotReader.loadAll}, without those that are stored and cannot be read. */
  async loadReadable(slotIds: readonly number[]): Promise<SlotRecord[]> {
    const all = await Promise.all(slotIds.map(async (slotId) => {
      try {
        return [await this.load(slotId)];
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        return [];
      }
    }));
    return all.flat();
  }
}

/** A slot, the number in the name under which it is stored, and the text that was decoded. */
interface KnownSlot {
  readonly id: number;
  readonly json: string;
  readonly slot: SlotRecord;
}

/** Slots as they were read before, by the name under which they are stored. */
export type KnownSlots = Map<string, KnownSlot>;

/**
 * Reads every slot that is stored, by id.
 *
 * @param known Those that were read before: one that has the same text is not decoded again. Updated.
 * @param onBad Takes those that cannot be read, which are left out.
 * @throws {RecordError} When one is not a slot and there is no `onBad`.
 */
export async function loadSlots(
  store: ReadableStore,
  known: KnownSlots = new Map(),
  onBad?: OnUnreadable,
): Promise<SlotRecord[]> {
  const slots: KnownSlot[] = [];
  for (const [name, json] of await folderIfThere(store, store.paths.slots)) {
    let read = known.get(name);
    if (read?.json !== json) {
      const id = numberedName(name, "slot_");
      if (id === undefined) continue;
      const path = `${store.paths.slots}/${name}`;
      const slot = decodeAt(path, () => decodeSlot(json), onBad);
      if (slot === undefined) continue;
      known.set(name, read = { id, json, slot });
    }
    slots.push(read);
  }
  return slots.sort((a, b) => a.id - b.id).map(({ slot }) => slot);
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
