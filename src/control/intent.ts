/**
 * The intent of an operation: stored before it starts, for the dashboard that must finish it after a crash.
 *
 * @module
 */

import { checkIntent } from "../store/check_records.ts";
import { readIfThere, type Store } from "../store/store.ts";
import type { ClusterChange } from "./control.ts";

/** A promotion before its change is made: servers may have got commands already. */
export interface Promotion {
  readonly kind: "promote";
  readonly at: number;
  readonly group_id: number;
  /** The server that becomes master. */
  readonly addr: string;
  /** The old master; `""`: there is none. */
  readonly old_addr: string;
  /** Whether what the candidate lacks may be lost; left out for no. */
  readonly is_forced?: boolean;
  /** Whether the old master is down; left out for no. */
  readonly is_failover?: boolean;
}

/** A change of slot rules before it is committed: proxies may hold requests. */
export interface RuleChange {
  readonly kind: "slot_rules";
  readonly at: number;
}

/** An operation that is not a change yet. */
export type Preparation = Promotion | RuleChange;

/** An operation that has started; `at` is when, in Unix milliseconds. */
export type Intent =
  | { readonly kind: "change"; readonly at: number; readonly change: ClusterChange }
  | Preparation;

/** Writes an intent's JSON. */
export function encodeIntent(intent: Intent): string {
  return JSON.stringify(intent);
}

/**
 * Reads the intent of the operation that is not finished, if there is one.
 *
 * @throws {RecordError} When it cannot be read: no dashboard can know what to do about it.
 */
export async function loadIntent(store: Store): Promise<Intent | undefined> {
  const json = await readIfThere(store, store.paths.intent);
  if (json === undefined) return undefined;
  return checkIntent(json) as Intent;
}
