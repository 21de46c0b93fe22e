/**
 * The dashboard of a proxy that is a whole system: what can be wrong with its files is said at the start of the
 * proxy, all else of it is loaded later.
 *
 * @module
 */

import type { Config } from "../../config/config.ts";
import type { ConfigNote, RunningConfig } from "../../config/running.ts";
import type { TlsToServers } from "../../io/tls.ts";
import { readTlsFiles } from "../../io/tls_files.ts";
import type { ProxyStart } from "../../proxy/proxy_start.ts";

/**
 * The authority of webhook_url's certificate; `""`: those that the runtime trusts.
 *
 * @throws {KeyError} When its file cannot be used.
 */
export async function webhookAuthority({ webhookUrl, webhookCa }: Config): Promise<string> {
  const none = { key: "", path: "" };
  const ca = { key: "webhook_ca", path: webhookUrl.isSet ? webhookCa : "" };
  return (await readTlsFiles({ cert: none, key: none, ca })).ca;
}

/** Whether a proxy serves the dashboard, too. */
export function isDashboardInside({ coordinator, dashboardAddr }: Config): boolean {
  return coordinator === "embedded" && dashboardAddr === undefined;
}

/**
 * The dashboard that a proxy serves on its own HTTP address: with the embedded coordinator and without
 * `dashboard_addr`, one process is the whole system. Otherwise `undefined`.
 *
 * @throws {Error} When a file that it needs cannot be used.
 */
export async function attachedDashboard(
  config: Config,
  tls: TlsToServers | undefined,
  running?: RunningConfig,
): Promise<ProxyStart["attach"]> {
  if (!isDashboardInside(config)) return undefined;
  const webhookCa = await webhookAuthority(config);
  const load = () => import("./dashboard_service.ts");
  // For its audit trail.
  const notes: ConfigNote[] = [];
  if (running !== undefined) running.onNote = (note) => notes.push(note);
  return {
    load,
    open: async (place) => {
      const { startAttached } = await load();
      const parts = { ...place, tls, webhookCa, running };
      const service = startAttached(running?.config ?? config, parts);
      for (const note of notes) running?.onNote(note);
      return service;
    },
  };
}
