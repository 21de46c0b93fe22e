/**
 * The record of who holds, or waits for, the product's lock.
 *
 * @module
 */

import { encodeRecord, integer, recordOf, text } from "./record.ts";

/** What `LOCK/lock-<seq>` holds. */
export interface LockOwnerRecord {
  /** What the lock is wanted for. */
  readonly desc: string;
  readonly hostname: string;
  readonly pid: number;
}

const LOCK_OWNER_SHAPE = recordOf<LockOwnerRecord>({ desc: text, hostname: text, pid: integer });

/** Writes a lock owner's JSON. */
export function encodeLockOwner(record: LockOwnerRecord): string {
  return encodeRecord(LOCK_OWNER_SHAPE, record);
}
