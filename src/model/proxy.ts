/**
 * The record of one proxy: what it registers, what Jodis clients read, what it signs answers with.
 *
 * @module
 */

import {
  bool,
  decodeRecord,
  encodeRecord,
  integer,
  optional,
  recordOf,
  text,
  word,
} from "./record.ts";

/** The states of a proxy, as stored. */
export const PROXY_STATES = ["offline", "online", "mark_offline"] as const;

/** One of {@linkcode PROXY_STATES}. */
export type ProxyState = (typeof PROXY_STATES)[number];

/** What `proxy/<proxy_id>` holds. */
export interface ProxyRecord {
  readonly id: string;
  /** Where clients reach it, `host:port`. */
  readonly addr: string;
  /** Never set. */
  readonly last_event: string;
  /** Never set. */
  readonly last_event_ts: number;
  readonly state: ProxyState;
  /** Never set by Codis 2.0; here the life of the process (`base/process_life.ts`), if one is known. */
  readonly description: string;
  /** Where its HTTP endpoint is, `host:port`. */
  readonly debug_var_addr: string;
  readonly pid: number;
  /** When it started, as Go prints times; compared byte for byte. */
  readonly start_at: string;
  /** Not in Codis 2.0: whether it answers as a node of a Redis Cluster (`cluster_mode`); left out: not. */
  readonly cluster_mode?: boolean | undefined;
  /** Not in Codis 2.0: where clients reach it with TLS, `host:port`; with `cluster_mode` only. */
  readonly tls_addr?: string | undefined;
  /** Not in Codis 2.0: whether it lets its clients go; with `cluster_mode` only. */
  readonly draining?: boolean | undefined;
}

/** The stored form of a {@linkcode ProxyRecord}. */
export const PROXY_SHAPE = recordOf<ProxyRecord>({
  id: text,
  addr: text,
  last_event: text,
  last_event_ts: integer,
  state: word(PROXY_STATES),
  description: text,
  debug_var_addr: text,
  pid: integer,
  start_at: text,
  cluster_mode: optional(bool),
  tls_addr: optional(text),
  draining: optional(bool),
});

/** What makes two records the same life of the same proxy. */
export type ProxyLife = Pick<ProxyRecord, "id" | "pid" | "start_at">;

/** Whether two records are of one life of one proxy: same id, same process, same start. */
export function isSameLife(a: ProxyLife, b: ProxyLife): boolean {
  return a.id === b.id && a.pid === b.pid && a.start_at === b.start_at;
}

/**
 * Reads a proxy from its JSON.
 *
 * @throws {RecordError} When it is not a proxy.
 */
export function decodeProxy(json: string): ProxyRecord {
  return decodeRecord(PROXY_SHAPE, json, "proxy");
}

/** Writes a proxy's JSON. */
export function encodeProxy(record: ProxyRecord): string {
  return encodeRecord(PROXY_SHAPE, record);
}

/**
 * Prints a time as Go does by default, in UTC: `2015-07-05 00:23:29.669851572 +0000 UTC`.
 *
 * @param epochMs Milliseconds since 1970, fractions allowed; kept to the microsecond.
 */
export function formatStartAt(epochMs: number): string {
  const wholeMs = Math.floor(epochMs);
  const micros = Math.floor((epochMs - wholeMs) * 1000);
  const [date, time, millis] = new Date(wholeMs).toISOString().slice(0, -1).split(/[T.]/);
  // Go drops the zeros at the end of a fraction, and the point when nothing is left.
  const fraction = `${millis}${String(micros).padStart(3, "0")}`.replace(/0+$/, "");
  return `${date} ${time}${fraction === "" ? "" : `.${fraction}`} +0000 UTC`;
}
