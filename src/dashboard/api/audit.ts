/**
 * The route of the audit trail: who did what.
 *
 * @module
 */

import { isRefused } from "../../model/audit_entry.ts";
import { integerOfText } from "../input.ts";
import { type ApiRoute, readMonitored } from "./route.ts";

/** Entries of an answer, unless fewer are asked for. */
const ENTRIES_MAX = 1_200;

/** See the header. */
export const AUDIT_ROUTES: readonly ApiRoute[] = [
  readMonitored("/api/audit", ({ dashboard, url }) => {
    const limit = integerOfText("limit", url.searchParams.get("limit") ?? "100", 1, ENTRIES_MAX);
    const who = url.searchParams.get("who");
    const isOnlyRefused = url.searchParams.get("refused") === "true";
    const entries = dashboard.audit.newest().filter((entry) =>
      (who === null || entry.who === who) && (!isOnlyRefused || isRefused(entry))
    );
    return Promise.resolve({ entries: entries.slice(0, limit) });
  }),
];
