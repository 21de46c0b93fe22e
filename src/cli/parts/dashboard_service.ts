/**
 * A dashboard made from the configuration, for its own process and for a proxy that serves one.
 *
 * @module
 */

import { type AccessPolicy, accessPolicy } from "../../api/auth.ts";
import { type Address, formatAddress } from "../../base/address.ts";
import { logger } from "../../base/log.ts";
import { backendLogin, clientLogin, type Config } from "../../config/config.ts";
import { Dashboard } from "../../dashboard/dashboard.ts";
import { answerDashboard } from "../../dashboard/server.ts";
import type { TlsToServers } from "../../io/tls.ts";
import type { AttachedPlace, AttachedService } from "../../proxy/proxy_start.ts";
import { VERSION } from "../../proxy/version.ts";
import type { Store } from "../../store/store.ts";

/** The store and the addresses of a dashboard. */
export interface DashboardPlace {
  readonly store: Store;
  /** Where others reach it, `host:port`. */
  readonly addr: string;
  /** The host that it listens on, if the operator named one; otherwise `""`. */
  readonly hostname: string;
  /** Whether to remove the record of a Codis 2.0 dashboard. */
  readonly takeOver: boolean;
  /** How Redis servers are spoken to with TLS. */
  readonly tls: TlsToServers | undefined;
}

/** Makes a dashboard, not started, and the rules of who may change the cluster through it. */
export function makeDashboard(
  config: Config,
  place: DashboardPlace,
): { dashboard: Dashboard; policy: AccessPolicy } {
  const { store, addr, hostname, takeOver, tls } = place;
  const token = config.dashboardToken;
  const policy = accessPolicy(token, hostname, [
    ...config.httpNames,
    config.dashboardAddr?.hostname ?? "",
    config.announceHttpAddr?.hostname ?? "",
  ]);
  const dashboard = new Dashboard({
    store,
    coordinator: config.coordinator,
    addr,
    version: VERSION,
    auth: { ...backendLogin(config), clients: clientLogin(config), tls },
    dialMs: config.backendDialTimeoutMs,
    failover: config.failover,
    failoverAfterMs: config.failoverAfterMs,
    sentinels: {
      initial: config.sentinels.map(formatAddress),
      password: config.sentinelPassword,
      isTls: config.sentinelTls,
      quorum: config.sentinelQuorum,
      downAfterMs: config.sentinelDownAfterMs,
      failoverTimeoutMs: config.sentinelFailoverTimeoutMs,
      parallelSyncs: config.sentinelParallelSyncs,
    },
    migrate: {
      keysPerSecond: config.migrateKeysPerSecond,
      bytesPerSecond: config.migrateBytesPerSecond,
      p99MaxMs: config.migrateP99MaxMs,
      bigKeyBytes: config.migrateBigKeyBytes,
      bigKeyPolicy: config.migrateBigKeyPolicy,
    },
    needsToken: token.isSet,
    takeOver,
    auditLog: config.auditLog,
    lagLimits: { ms: config.replicaMaxLagMs, bytes: config.replicaMaxLagBytes },
  });
  if (policy.isOpenToAll && !token.isSet) {
    logger("dashboard").warn(
      "dashboard_token is not set: everybody who can reach {addr} can change the cluster",
      { addr },
    );
  }
  return { dashboard, policy };
}

/**
 * The dashboard that a proxy serves on its own HTTP address: with the embedded coordinator and without
 * `dashboard_addr`, one process is the whole system. Otherwise `undefined`.
 */
export function attachedDashboard(
  config: Config,
  http: Address,
  tls: TlsToServers | undefined,
): ((place: AttachedPlace) => AttachedService) | undefined {
  if (config.coordinator !== "embedded" || config.dashboardAddr !== undefined) return undefined;
  return ({ store, port }) => {
    // All users of an embedded store are on this machine.
    const isAnywhere = ["", "0.0.0.0", "::"].includes(http.hostname);
    const hostname = isAnywhere ? "127.0.0.1" : http.hostname;
    const { dashboard, policy } = makeDashboard(config, {
      store,
      addr: formatAddress({ hostname, port }),
      // The operator opened the address for metrics, not for changes to the cluster.
      hostname: "",
      takeOver: false,
      tls,
    });
    dashboard.start();
    return {
      answer: (request, remote) => answerDashboard(dashboard, policy, request, remote),
      metrics: () => dashboard.metrics(),
      stop: () => dashboard.stop(),
    };
  };
}
