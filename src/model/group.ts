/**
 * The record of a group of servers, as actions and REST bodies carry it; the store has no such node.
 *
 * @module
 */

import { decodeRecord, encodeRecord, integer, listOf, recordOf, text } from "./record.ts";
import { SERVER_SHAPE, type ServerRecord } from "./server.ts";

/** Least id of a group, as in Codis 2.0, whose manual begins at 1. */
export const GROUP_ID_MIN = 0;
/** Greatest id of a group: what fits into names in the store. */
export const GROUP_ID_MAX = 999_999_999;

/** One master and its slaves. */
export interface GroupRecord {
  /** {@linkcode GROUP_ID_MIN} and up. */
  readonly id: number;
  readonly product_name: string;
  /** `null` when there is none, as Go writes it. */
  readonly servers: readonly ServerRecord[] | null;
}

/** The stored form of a {@linkcode GroupRecord}. */
export const GROUP_SHAPE = recordOf<GroupRecord>({
  id: integer,
  product_name: text,
  servers: listOf(SERVER_SHAPE),
});

/**
 * Reads a group from its JSON.
 *
 * @throws {RecordError} When it is not a group.
 */
export function decodeGroup(json: string): GroupRecord {
  return decodeRecord(GROUP_SHAPE, json, "group");
}

/** Writes a group's JSON. */
export function encodeGroup(record: GroupRecord): string {
  return encodeRecord(GROUP_SHAPE, record);
}
