/**
 * Slot rules in the store, one entry for all of them. A Codis 2.0 dashboard ignores it.
 *
 *      rules ── a change begins ──► rules, pending ── committed ──► the pending rules
 *        ▲                               └── given up, by the dashboard or by a proxy ──┐
 *        └──────────────────────────────────────────────────────────────────────────────┘
 *
 * While rules are pending, proxies hold all requests. So that they do not for ever when the dashboard dies,
 * a proxy may give the change up. Each step is a compare-and-set of the entry: one of them wins.
 *
 * @module
 */

import { Placement, type SlotRule } from "../hash/placement.ts";
import { NoNodeError } from "../coordinator/errors.ts";
import { decodeSlotRules, encodeSlotRules } from "../model/slot_rule.ts";
import type { ReadableStore, Store } from "./store.ts";

/** Slot rules as they are stored. */
export interface StoredSlotRules {
  readonly rules: readonly SlotRule[];
  /** Undefined while no change is being made. */
  readonly pending: readonly SlotRule[] | undefined;
  /** The entry's version; undefined while there is no entry. */
  readonly version: number | undefined;
}

/**
 * Reads the rules; none when there is no entry.
 *
 * @throws {RecordError} When they cannot be read: nobody can know where keys are.
 */
export async function loadSlotRules(store: ReadableStore): Promise<StoredSlotRules> {
  try {
    const { data, version } = await store.coordinator.read(store.paths.slotRules);
    const { rules, pending } = decodeSlotRules(data);
    return { rules: rules ?? [], pending: pending ?? undefined, version };
  } catch (error) {
    if (!(error instanceof NoNodeError)) throw error;
    return { rules: [], pending: undefined, version: undefined };
  }
}

/**
 * Where keys are placed by the rules that are in force.
 *
 * @throws As {@linkcode loadSlotRules}.
 */
export async function loadPlacement(store: ReadableStore): Promise<Placement> {
  return new Placement((await loadSlotRules(store)).rules);
}

/**
 * Ends a change that was not committed: the rules stay as they are. For a proxy that has held requests for
 * too long.
 *
 * @throws {BadVersionError} When the entry has changed since it was read.
 */
export async function giveUpSlotRules(store: Store, read: StoredSlotRules): Promise<void> {
  const data = encodeSlotRules({ rules: read.rules, pending: null });
  await store.coordinator.write(store.paths.slotRules, data, read.version);
}
