/**
 * Masters in whose place a failover has promoted another server, until they have rejoined their group.
 *
 * @module
 */

import { decodeRecord, encodeRecord, integer, recordOf, text } from "../model/record.ts";
import { childrenIfThere, readIfThere, type Store } from "./store.ts";
import { decodeAt, type OnUnreadable } from "./unreadable.ts";

/** A master that failed, and where its stream of changes parts from that of the group. */
export interface FailedMaster {
  /** When another server was promoted, in Unix milliseconds. */
  readonly since: number;
  readonly group_id: number;
  /** The server that was promoted. */
  readonly heir: string;
  /** Name of the stream of changes: its replication id, before Redis 4 its run id; `""`: not known. */
  readonly history: string;
  /** How much of it the promoted server had, in bytes; -1: not known. */
  readonly offset: number;
  /** How much the failed master was last seen to have made, in bytes; -1: not known. */
  readonly seen_offset: number;
}

const SHAPE = recordOf<FailedMaster>({
  since: integer,
  group_id: integer,
  heir: text,
  history: text,
  offset: integer,
  seen_offset: integer,
});

/** Writes its JSON. */
export function encodeFailedMaster(record: FailedMaster): string {
  return encodeRecord(SHAPE, record);
}

/**
 * Reads one.
 *
 * @throws {RecordError} When it is none.
 */
export function decodeFailedMaster(json: string): FailedMaster {
  return decodeRecord(SHAPE, json, "failed master");
}

/** All failed masters, by address; those that cannot be read are told to `onBad`, and left out. */
export async function loadFailedMasters(
  store: Store,
  onBad: OnUnreadable,
): Promise<Map<string, FailedMaster>> {
  const found = new Map<string, FailedMaster>();
  for (const addr of await childrenIfThere(store, store.paths.failedMasters)) {
    const path = store.paths.failedMaster(addr);
    const json = await readIfThere(store, path);
    if (json === undefined) continue;
    const failed = decodeAt(path, () => decodeFailedMaster(json), onBad);
    if (failed !== undefined) found.set(addr, failed);
  }
  return found;
}
