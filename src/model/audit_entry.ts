/**
 * The record of one thing that somebody did, or tried, through the dashboard. Codis 2.0 has none.
 *
 * @module
 */

import {
  decodeRecord,
  encodeRecord,
  integer,
  listOf,
  recordOf,
  type Shape,
  text,
} from "./record.ts";

/** See the header. */
export interface AuditEntry {
  /** Grows by one with each entry of its kind. */
  readonly seq: number;
  /** Unix milliseconds; of several equal ones the last. */
  readonly at: number;
  /** `alice`, `token ci`, `dashboard_token`, `this machine`, `failover`; `nobody` of a wrong login. */
  readonly who: string;
  readonly address: string;
  /** `page`, `cli`, `proxy`, `api` or `dashboard`, as the sender says. */
  readonly by: string;
  /** Method and path: `POST /api/migrate`. */
  readonly request: string;
  /** What was asked for, without secrets: `from=0 to=9 new_group=2`. */
  readonly arguments: string;
  /** Of HTTP. */
  readonly status: number;
  /** `ok`, or the text of the error. */
  readonly end: string;
  /** How many equal ones in a row; only what is refused is counted together. */
  readonly count: number;
}

/** The stored form of an {@linkcode AuditEntry}. */
export const AUDIT_ENTRY_SHAPE: Shape<AuditEntry> = recordOf<AuditEntry>({
  seq: integer,
  at: integer,
  who: text,
  address: text,
  by: text,
  request: text,
  arguments: text,
  status: integer,
  end: text,
  count: integer,
});

interface Stored {
  readonly entries: readonly AuditEntry[] | null;
}

const SHAPE = recordOf<Stored>({ entries: listOf(AUDIT_ENTRY_SHAPE) });

/**
 * Reads a page of entries from its JSON.
 *
 * @throws {RecordError} When it holds something else.
 */
export function decodeAuditPage(json: string): readonly AuditEntry[] {
  return decodeRecord(SHAPE, json, "audit page").entries ?? [];
}

/** Writes a page's JSON. */
export function encodeAuditPage(entries: readonly AuditEntry[]): string {
  return encodeRecord(SHAPE, { entries });
}

/** Whether it was refused because of who asked. */
export function isRefused({ status }: Pick<AuditEntry, "status">): boolean {
  return [401, 403, 415, 429].includes(status);
}
