/**
 * The rule by which a failover is safe although a proxy cannot be told of it.
 *
 *     dashboard, with failover = auto ─► failover_rule ─► every proxy reads it, and notes that in its fence
 *
 *     proxy:      has not heard from the coordinator for STEP_BACK_MS ─► uses a master only while that one
 *                 still hears from all of its replicas
 *     dashboard:  has not heard from a proxy ─► waits for UNHEARD_MS before it promotes; a fence that does not
 *                 note the rule holds every promotion
 *
 * A replica that was promoted does not follow its master any more. So a proxy that is cut off, together with a
 * master, stops using it before another one is made, or within two seconds when the replica is cut off later.
 *
 * @module
 */

import { createIfMissing, deleteIfThere, LEAF, readIfThere, type Store } from "./store.ts";

/** How long a proxy trusts what it has heard, in milliseconds. */
export const STEP_BACK_MS = 1_500;
/** How long a proxy must not have been heard until it has stepped back for sure, in milliseconds. */
export const UNHEARD_MS = 3_250;

/** What a fence says, after the life of its process, when that one follows the rule. */
const NOTE = "steps back when cut off";

/** Puts the rule in force, or ends it. */
export async function saveFailoverRule(store: Store, isInForce: boolean): Promise<void> {
  const path = store.paths.failoverRule;
  if (isInForce) await createIfMissing(store, path, "", LEAF);
  else await deleteIfThere(store, path);
}

/** Whether the rule is in force. */
export async function loadFailoverRule(store: Store): Promise<boolean> {
  return await readIfThere(store, store.paths.failoverRule) !== undefined;
}

/** What a fence says. */
export function encodeFenceNote(life: string, stepsBack: boolean): string {
  return stepsBack ? `${life}\n${NOTE}` : life;
}

/** Reads what a fence says. */
export function decodeFenceNote(data: string): { life: string; stepsBack: boolean } {
  const [life = "", note] = data.split("\n");
  return { life, stepsBack: note === NOTE };
}
