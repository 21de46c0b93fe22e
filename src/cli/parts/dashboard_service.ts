/**
 * A dashboard as the configuration wants it, for a process of its own and for a proxy's.
 *
 * @module
 */

import { type Gate, gateOf } from "../../api/auth.ts";
import { type Address, formatAddress } from "../../base/address.ts";
import { logger } from "../../base/log.ts";
import { backendLogin, clientLogin, type Config } from "../../config/config.ts";
import { Dashboard } from "../../dashboard/dashboard.ts";
import { answerDashboard } from "../../dashboard/server.ts";
import type { AttachedPlace, AttachedService } from "../../proxy/proxy_start.ts";
import { VERSION } from "../../proxy/version.ts";
import type { Store } from "../../store/store.ts";

/** How a dashboard is reached, and by whom. */
export interface DashboardPlace {
  readonly store: Store;
  /** Where others reach it, `host:port`. */
  readonly addr: string;
  /** What it listens on, where that was named on purpose; otherwise empty. */
  readonly hostname: string;
  /** Whether the entry of a Codis 2.0 dashboard is removed. */
  readonly takeOver: boolean;
}

/** A dashboard that is not started, and who may change anything through it. */
export function makeDashboard(
  config: Config,
  place: DashboardPlace,
): { dashboard: Dashboard; gate: Gate } {
  const { store, addr, hostname, takeOver } = place;
  const token = config.dashboardToken;
  const gate = gateOf(token, hostname, [
    ...config.httpNames,
    config.dashboardAddr?.hostname ?? "",
    config.announceHttpAddr?.hostname ?? "",
  ]);
  const dashboard = new Dashboard({
    store,
    coordinator: config.coordinator,
    addr,
    version: VERSION,
    auth: { ...backendLogin(config), clients: clientLogin(config) },
    dialMs: config.backendDialTimeoutMs,
    failover: config.failover,
    failoverAfterMs: config.failoverAfterMs,
    migrate: {
      keysPerSecond: config.migrateKeysPerSecond,
      bytesPerSecond: config.migrateBytesPerSecond,
      p99MaxMs: config.migrateP99MaxMs,
      bigKeyBytes: config.migrateBigKeyBytes,
      bigKeyPolicy: config.migrateBigKeyPolicy,
    },
    needsToken: token.isSet,
    takeOver,
  });
  if (gate.isOpenToAll && !token.isSet) {
    logger("dashboard").warn(
      "dashboard_token is not set: whoever reaches {addr} can change everything",
      { addr },
    );
  }
  return { dashboard, gate };
}

/**
 * The dashboard that a proxy serves on its own HTTP address: with the embedded coordinator and without
 * `dashboard_addr` one process is a whole system. Nothing otherwise.
 */
export function attachedDashboard(
  config: Config,
  http: Address,
): ((place: AttachedPlace) => AttachedService) | undefined {
  if (config.coordinator !== "embedded" || config.dashboardAddr !== undefined) return undefined;
  return ({ store, port }) => {
    // The store's other users are on this machine, too.
    const isAnywhere = ["", "0.0.0.0", "::"].includes(http.hostname);
    const hostname = isAnywhere ? "127.0.0.1" : http.hostname;
    const { dashboard, gate } = makeDashboard(config, {
      store,
      addr: formatAddress({ hostname, port }),
      // The address was opened for clients and metrics: that opens no dashboard.
      hostname: "",
      takeOver: false,
    });
    dashboard.start();
    return {
      answer: (request, remote) => answerDashboard(dashboard, gate, request, remote),
      stop: () => dashboard.stop(),
    };
  };
}
