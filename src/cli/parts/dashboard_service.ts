/**
 * A dashboard made from the configuration, for its own process and for a proxy that serves one.
 *
 * @module
 */

import { type AccessPolicy, accessPolicy, policyNames } from "../../api/auth.ts";
import { type Address, formatAddress, reachableHere } from "../../base/address.ts";
import { logger } from "../../base/log.ts";
import { backendLogin, clientLogin, type Config } from "../../config/config.ts";
import type { WebhookTarget } from "../../dashboard/outages/webhook.ts";
import type { RunningConfig } from "../../config/running.ts";
import { Dashboard } from "../../dashboard/dashboard.ts";
import { noteConfig } from "../../dashboard/audit/own_notes.ts";
import type { DashboardSettings } from "../../dashboard/dashboard_options.ts";
import { answerDashboard } from "../../dashboard/server.ts";
import type { TlsToServers } from "../../io/tls.ts";
import type { AttachedService } from "../../proxy/proxy_start.ts";
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
  /** As {@linkcode webhookAuthority} reads it. */
  readonly webhookCa: string;
  /** What the configuration is kept in force by; `undefined`: it does not change. */
  readonly running: RunningConfig | undefined;
}

/** Makes a dashboard, not started, and the rules of who may change the cluster through it. */
export function makeDashboard(
  config: Config,
  place: DashboardPlace,
): { dashboard: Dashboard; policy: AccessPolicy } {
  const { store, addr, hostname, takeOver, tls } = place;
  const token = config.dashboardToken;
  const policy = accessPolicy(token, hostname, namesOf(config));
  const dashboard = new Dashboard({
    store,
    coordinator: config.coordinator,
    addr,
    version: VERSION,
    auth: { ...backendLogin(config), clients: clientLogin(config), tls },
    ...settingsOf(config),
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
    failoverRejoin: config.failoverRejoins,
    failoverLostWritesDir: config.failoverLostWritesDir,
    needsToken: token.isSet,
    proxyToken: token,
    takeOver,
    auditLog: config.auditLog,
    historyDir: historyDir(config),
    webhook: webhookTarget(config, place),
    running: place.running,
  });
  if (place.running !== undefined) {
    place.running.onNote = (note) => noteConfig(dashboard.audit, note);
  }
  place.running?.use({
    prepare: (next) =>
      Promise.resolve(() => {
        policy.hostnames = policyNames(hostname, namesOf(next));
        dashboard.set(settingsOf(next));
      }),
  });
  if (policy.isOpenToAll && !token.isSet) {
    logger("dashboard").warn(
      "dashboard_token is not set: everybody who can reach {addr} can change the cluster",
      { addr },
    );
  }
  return { dashboard, policy };
}

/** What may change while a dashboard runs. */
function settingsOf(config: Config): DashboardSettings {
  return {
    dialMs: config.backendDialTimeoutMs,
    migrate: {
      keysPerSecond: config.migrateKeysPerSecond,
      bytesPerSecond: config.migrateBytesPerSecond,
      p99MaxMs: config.migrateP99MaxMs,
      bigKeyBytes: config.migrateBigKeyBytes,
      bigKeyPolicy: config.migrateBigKeyPolicy,
    },
    lagLimits: { ms: config.replicaMaxLagMs, bytes: config.replicaMaxLagBytes },
  };
}

/** The names by which HTTP clients may call a dashboard. */
function namesOf({ httpNames, dashboardAddr, announceHttpAddr }: Config): readonly string[] {
  return [...httpNames, dashboardAddr?.hostname ?? "", announceHttpAddr?.hostname ?? ""];
}

/** Where figures of a week are kept; `""`: nowhere. */
function historyDir({ historyDir, coordinator, embeddedDir }: Config): string {
  return historyDir === "" && coordinator === "embedded" ? `${embeddedDir}/history` : historyDir;
}

/** Where outage events are sent; `undefined`: nowhere. */
function webhookTarget(
  { webhookUrl: url, webhookSecret: secret, product }: Config,
  { addr, webhookCa }: DashboardPlace,
): WebhookTarget | undefined {
  if (!url.isSet) return undefined;
  return { url, secret, ca: webhookCa, product, dashboard: addr, version: VERSION };
}

/** Starts the dashboard that a proxy serves on its own HTTP address. */
export function startAttached(
  config: Config,
  { address, ...place }: Pick<DashboardPlace, "store" | "tls" | "webhookCa" | "running"> & {
    readonly address: Address;
  },
): AttachedService {
  // All users of an embedded store are on this machine.
  const { dashboard, policy } = makeDashboard(config, {
    addr: formatAddress(reachableHere(address)),
    // The operator opened the address for metrics, not for changes to the cluster.
    hostname: "",
    takeOver: false,
    ...place,
  });
  dashboard.start();
  return {
    answer: (request, remote) => answerDashboard(dashboard, policy, request, remote),
    metrics: () => dashboard.metrics(),
    stop: () => dashboard.stop(),
  };
}
