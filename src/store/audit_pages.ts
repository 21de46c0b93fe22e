/**
 * The audit trail in the store: pages of entries, each written again as it fills, the oldest one over
 * and over. So one write takes all that happened within a second, and the space is bounded.
 *
 *     audit/done_0 … done_19         what was done, 50 entries each
 *     audit/refused_0 … refused_3    what was refused: strangers cannot push out what was done
 *
 * @module
 */

import { type AuditEntry, decodeAuditPage } from "../model/audit_entry.ts";
import { RecordError } from "../model/record.ts";
import { type ReadableStore, readIfThere } from "./store.ts";

/** Entries of a page. */
export const AUDIT_PAGE_ENTRIES = 50;

/** How many pages there are of each kind. */
export const AUDIT_PAGES = { done: 20, refused: 4 } as const;

/** What was done, or what was refused. */
export type AuditKind = keyof typeof AUDIT_PAGES;

/** The page that an entry is on. */
export function auditPageOf(kind: AuditKind, seq: number): string {
  return `${kind}_${Math.floor(seq / AUDIT_PAGE_ENTRIES) % AUDIT_PAGES[kind]}`;
}

/** All entries of a kind, oldest first; a page that cannot be read is empty. */
export async function loadAuditEntries(
  store: ReadableStore,
  kind: AuditKind,
): Promise<AuditEntry[]> {
  const names = Array.from({ length: AUDIT_PAGES[kind] }, (_, i) => `${kind}_${i}`);
  const pages = await Promise.all(names.map(async (name) => {
    const json = await readIfThere(store, store.paths.auditPage(name));
    try {
      return json === undefined ? [] : decodeAuditPage(json);
    } catch (error) {
      if (error instanceof RecordError) return [];
      throw error;
    }
  }));
  return pages.flat().sort((a, b) => a.seq - b.seq);
}
