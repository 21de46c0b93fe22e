/**
 * The record of who holds, or waits for, the product's lock.
 *
 * @module
 */

import { decodeRecord, encodeRecord, integer, recordOf, text } from "./record.ts";

/** What `LOCK/lock-<seq>` holds. */
export interface LockOwnerRecord {
  /** What the lock is wanted for. */
  readonly desc: string;
  readonly hostname: string;
  readonly pid: number;
}

const LOCK_OWNER_SHAPE = recordOf<LockOwnerRecord>({ desc: text, hostname: text, pid: integer });

/**
 * Reads a lock owner from its JSON.
 *
 * @throws {RecordError} When it is not a lock owner.
 */
export function decodeLockOwner(json: string): LockOwnerRecord {
  return decodeRecord(LOCK_OWNER_SHAPE, json, "lock owner");
}

/** Writes a lock owner's JSON. */
export function encodeLockOwner(record: LockOwnerRecord): string {
  return encodeRecord(LOCK_OWNER_SHAPE, record);
}
