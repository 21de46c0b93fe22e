/**
 * The newest records of some kind in the store: pages of them, each written again as it fills, the oldest
 * one over and over. So one write takes all that happened within a second, and the space is bounded.
 *
 *     audit/done_0 … done_19         what was done through the dashboard
 *     audit/refused_0 … refused_3    what was refused: strangers cannot push out what was done
 *     outages/page_0 … page_9        outage events
 *
 * @module
 */

import { type AuditEntry, decodeAuditPage, encodeAuditPage } from "../model/audit_entry.ts";
import { decodeOutagePage, encodeOutagePage, type OutageEvent } from "../model/outage_event.ts";
import { RecordError } from "../model/record.ts";
import type { StorePaths } from "./paths.ts";
import { type ReadableStore, readIfThere } from "./store.ts";

/** Records of a page. */
export const PAGE_RECORDS = 50;

/** See the header. */
export interface PageRing<T extends { readonly seq: number }> {
  /** How many pages there are. */
  readonly pages: number;
  /** Where a page is, by its number. */
  path(paths: StorePaths, page: number): string;
  /** @throws {RecordError} When it is no page. */
  decode(json: string): readonly T[];
  encode(records: readonly T[]): string;
}

/** What was done through the dashboard, and what was refused. */
export const AUDIT_RINGS: Readonly<Record<"done" | "refused", PageRing<AuditEntry>>> = {
  done: {
    pages: 20,
    path: (paths, page) => paths.auditPage(`done_${page}`),
    decode: decodeAuditPage,
    encode: encodeAuditPage,
  },
  refused: {
    pages: 4,
    path: (paths, page) => paths.auditPage(`refused_${page}`),
    decode: decodeAuditPage,
    encode: encodeAuditPage,
  },
};

/** Outage events. */
export const OUTAGE_RING: PageRing<OutageEvent> = {
  pages: 10,
  path: (paths, page) => paths.outagePage(`page_${page}`),
  decode: decodeOutagePage,
  encode: encodeOutagePage,
};

/** The page that a record is on. */
export function pageOf({ pages }: Pick<PageRing<AuditEntry>, "pages">, seq: number): number {
  return Math.floor(seq / PAGE_RECORDS) % pages;
}

/** All records of a ring, oldest first; a page that cannot be read is empty. */
export async function loadRing<T extends { readonly seq: number }>(
  store: ReadableStore,
  ring: PageRing<T>,
): Promise<T[]> {
  const pages = await Promise.all(Array.from({ length: ring.pages }, async (_, page) => {
    const json = await readIfThere(store, ring.path(store.paths, page));
    try {
      return json === undefined ? [] : ring.decode(json);
    } catch (error) {
      if (error instanceof RecordError) return [];
      throw error;
    }
  }));
  return pages.flat().sort((a, b) => a.seq - b.seq);
}
