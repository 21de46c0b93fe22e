/**
 * The big keys of a slot, as operators see them.
 *
 * @module
 */

import type { BigKeyView } from "../api/cluster_view.ts";

/**
 * What a migration does with big keys: move them last; the same, with a warning before; or leave them
 * where they are, and their slot with them.
 */
export type BigKeyPolicy = "last" | "warn" | "refuse";

/** The big keys of a slot that have not moved, by name. */
export type BigKeyList = Map<string, BigKeyView>;

/** Big keys of a slot that are shown. */
const SHOWN_MAX = 20;

/** The big keys of a slot that are shown, the biggest first. */
export function shownKeys(list: BigKeyList): BigKeyView[] {
  return [...list.values()].sort((a, b) => b.bytes - a.bytes).slice(0, SHOWN_MAX);
}
