/**
 * Changes of a proxy's configuration for the audit trail, which a dashboard of its own keeps. Where the dashboard is
 * in the proxy's process, that notes them itself.
 *
 * @module
 */

import { DashboardClient } from "../api/dashboard_client.ts";
import { DashboardError } from "../api/dashboard_errors.ts";
import { logger } from "../base/log.ts";
import { SYSTEM_TIMERS } from "../base/timers.ts";
import type { ConfigNote, RunningConfig } from "../config/running.ts";
import { retry } from "./membership/retry.ts";

/** Longest time that the dashboard may take to answer, in milliseconds. */
const TELL_MS = 5_000;
/** How long a dashboard is waited for that does not answer, in milliseconds; the log has the change in any case. */
const TOLD_WITHIN_MS = 60_000;

const log = logger("proxy");

/** From now on, the dashboard is told of each change, and of each reload that failed. */
export function noteAtDashboard(running: RunningConfig): void {
  if (running.config.dashboardAddr === undefined) return;
  running.onNote = (note) => void tell(running, note);
}

/** Whether the dashboard has refused, for another reason than that none leads now. */
function isFinal(failure: unknown): boolean {
  return failure instanceof DashboardError && failure.status !== 503;
}

async function tell({ config }: RunningConfig, note: ConfigNote): Promise<void> {
  const { dashboardAddr: address, dashboardToken: token, proxyId } = config;
  if (address === undefined) return;
  const client = new DashboardClient({ address, token, changeMs: TELL_MS });
  const endMs = performance.now() + TOLD_WITHIN_MS;
  let failure: unknown;
  const isTold = await retry(
    () => client.noteProxyConfig(proxyId, note),
    (error) => failure = error,
    {
      signal: new AbortController().signal,
      timers: SYSTEM_TIMERS,
      isWanted: () => performance.now() < endMs && !isFinal(failure),
    },
  );
  if (isTold) return;
  log.warn("the audit trail has no entry of a change of the configuration ({by}): {error}", {
    by: note.by,
    error: failure,
  });
}
