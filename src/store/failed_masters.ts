/**
 * Masters in whose place a failover has promoted another server, until they have rejoined their group.
 *
 * @module
 */

import { decodeRecord, encodeRecord, integer, recordOf, text } from "../model/record.ts";
import { childrenIfThere, readIfThere, type Store } from "./store.ts";

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
 * All failed masters, by address.
 *
 * @throws {RecordError} When one cannot be read.
 */
export async function loadFailedMasters(store: Store): Promise<Map<string, FailedMaster>> {
  const found = new Map<string, FailedMaster>();
  for (const addr of await childrenIfThere(store, store.paths.failedMasters)) {
    const json = await readIfThere(store, store.paths.failedMaster(addr));
    if (json !== undefined) found.set(addr, decodeRecord(SHAPE, json, "failed master"));
  }
  return found;
}
