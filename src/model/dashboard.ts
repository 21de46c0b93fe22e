/**
 * The record of the one dashboard of a product.
 *
 * @module
 */

import { decodeRecord, integer, optional, recordOf, text } from "./record.ts";

/** What `dashboard` holds. */
export interface DashboardRecord {
  /** Where proxies and the config commands reach it, `host:port`. */
  readonly addr: string;
  readonly pid: number;
  /** Tells two processes apart that have the same address and number, as in containers; Codis 2.0 has none. */
  readonly id?: string;
}

const DASHBOARD_SHAPE = recordOf<DashboardRecord>({ addr: text, pid: integer, id: optional(text) });

/**
 * Reads a dashboard from its JSON.
 *
 * @throws {RecordError} When it is not a dashboard.
 */
export function decodeDashboard(json: string): DashboardRecord {
  return decodeRecord(DASHBOARD_SHAPE, json, "dashboard");
}

/** Writes a dashboard's JSON, with the spaces that Codis 2.0 prints here and nowhere else. */
export function encodeDashboard(record: DashboardRecord): string {
  const { addr, pid, id } = record;
  const more = id === undefined ? "" : `, "id": ${JSON.stringify(id)}`;
  return `{"addr": ${JSON.stringify(addr)}, "pid": ${pid}${more}}`;
}
