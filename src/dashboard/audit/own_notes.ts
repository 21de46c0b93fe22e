/**
 * What the audit trail says of what nobody asked the dashboard for over HTTP: failovers, Sentinel, its configuration.
 *
 * @module
 */

import type { ConfigNote } from "../../config/running.ts";
import { UnconfirmedError } from "../../control/errors.ts";
import type { FailoverCounts } from "../metrics/row.ts";
import type { AuditNote, AuditTrail } from "./audit_trail.ts";

/** A note of something that went well, or did not. */
export function ownNote(
  who: string,
  request: string,
  args: string,
  status = 200,
  end = "ok",
): AuditNote {
  return { who, address: "", by: "dashboard", request, arguments: args, status, end };
}

/** Counts and notes a failover; to be called once, with why it failed. */
export function failoverNoter(
  audit: AuditTrail,
  counts: FailoverCounts,
  groupId: number,
  addr: string,
): (error?: Error) => void {
  return (error) => {
    // Done but for a proxy that is late.
    const isDone = error === undefined || error instanceof UnconfirmedError;
    counts[isDone ? "done" : "failed"]++;
    const args = `group_id=${groupId} addr=${addr}`;
    audit.note(ownNote("failover", "promote", args, isDone ? 200 : 500, error?.message ?? "ok"));
  };
}

/** What a reload that came over the API begins its name with: the API notes it itself. */
export const RELOAD_BY_API = "POST /api/reload";

/** Notes changes of the configuration, but for those that the API notes. */
export function noteConfig(audit: AuditTrail, { by, changes, error }: ConfigNote): void {
  if (by.startsWith(RELOAD_BY_API)) return;
  const isDone = error === "";
  audit.note(ownNote(by, "config", changes, isDone ? 200 : 400, isDone ? "ok" : error));
}
