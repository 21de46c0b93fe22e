/**
 * The record of one Redis server in a group.
 *
 * @module
 */

import { decodeRecord, encodeRecord, integer, recordOf, text, word } from "./record.ts";

/** The roles of a server, as stored. */
export const SERVER_TYPES = ["master", "slave", "offline"] as const;

/** One of {@linkcode SERVER_TYPES}. */
export type ServerType = (typeof SERVER_TYPES)[number];

/** What `servers/group_<gid>/<host:port>` holds. */
export interface ServerRecord {
  readonly type: ServerType;
  readonly group_id: number;
  /** `host:port`; also the node's name. */
  readonly addr: string;
}

/** The stored form of a {@linkcode ServerRecord}. */
export const SERVER_SHAPE = recordOf<ServerRecord>({
  type: word(SERVER_TYPES),
  group_id: integer,
  addr: text,
});

/**
 * Reads a server from its JSON.
 *
 * @throws {RecordError} When it is not a server.
 */
export function decodeServer(json: string): ServerRecord {
  return decodeRecord(SERVER_SHAPE, json, "server");
}

/** Writes a server's JSON. */
export function encodeServer(record: ServerRecord): string {
  return encodeRecord(SERVER_SHAPE, record);
}
