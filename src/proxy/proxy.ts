/**
 * The life of the proxy process.
 *
 *      bind ─► http ─► coordinator ─► register ─► online ─► slots filled ─► accept ─► serve
 *                                                                                        │
 *      exit 0 ◄─ fence and entry removed ◄─ sessions drained (bounded) ◄─ stop accepting ◄┘
 *                                                          SIGTERM, SIGINT, mark_offline
 *
 * The port is bound before anything is registered, as in Codis 2.0: clients that connect wait in the
 * backlog. After a second they are accepted, and answered -LOADING until the proxy is online.
 *
 * @module
 */

import type { DashboardAccess } from "../api/dashboard_requests.ts";
import { accessPolicy } from "../api/auth.ts";
import { formatAddress } from "../base/address.ts";
import { logger, reopenLog } from "../base/log.ts";
import { ProcessLife } from "../base/process_life.ts";
import type { Config } from "../config/config.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { openCoordinator } from "../coordinator/open.ts";
import { fillEmptyStore } from "../store/bootstrap.ts";
import { refuseEtcd2 } from "../store/etcd2.ts";
import { storeOf } from "../store/store.ts";
import {
  countFreeDescriptors,
  type DescriptorPlan,
  descriptorsWanted,
  planDescriptors,
} from "../io/descriptors.ts";
import type { HttpServer } from "../io/http_server.ts";
import { serveAdmin } from "./admin.ts";
import type { Build } from "./debug_vars.ts";
import { goOnline } from "./membership/go_online.ts";
import { Membership } from "./membership/membership.ts";
import { openDataPlane } from "./workers/open_data_plane.ts";
import { newProxyRecord } from "./membership/proxy_record.ts";
import type { AttachedService, ProxyStart } from "./proxy_start.ts";
import { routerOptions } from "./router_options.ts";
import { COMPILED, VERSION } from "./version.ts";

/** Longest time that sessions may take to finish when the proxy stops, in milliseconds. */
const DRAIN_MS = 10_000;
/** How long clients wait in the backlog for the table, until they get -LOADING; milliseconds. */
const BACKLOG_MS = 1_000;
/** How long after its session a killed process's entry of the same id may still be there. */
const TAKEOVER_MS = 3_000;
/** A pause of this process after which its table is doubted, with the embedded coordinator. */
const EMBEDDED_GAP_MS = 30_000;

/** Between two tries to be online, where there is no dashboard to ask; milliseconds. */
const EMBEDDED_ASK_MS = 1_000;
/** Descriptors that the process has open from its start on. */
const ALWAYS_OPEN = 64;

/** What ends the process in order. */
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

const log = logger("proxy");

/** A proxy that serves. */
export interface RunningProxy {
  /** Where Redis clients connect. */
  readonly address: Deno.NetAddr;
  /** Where the HTTP endpoint listens. */
  readonly httpAddress: Deno.NetAddr;
  /** Settles when the proxy accepts clients with all slots loaded for the first time. */
  readonly serving: Promise<void>;
  /** Settles when the proxy has stopped, for whatever reason. */
  readonly stopped: Promise<void>;
  /** Stops: no new clients, requests in flight finished within a bound, then out of the store. */
  stop(reason: string): Promise<void>;
}

/**
 * Starts a proxy.
 *
 * @throws {Error} When an address cannot be bound, the coordinator cannot be opened, or another
 * proxy has the id; nothing is left behind then.
 */
export async function startProxy(start: ProxyStart): Promise<RunningProxy> {
  const { descriptors, config } = fitDescriptors(start);
  let membership: Membership | undefined;
  const plane = await openDataPlane({ ...start.listen, proto: config.proto }, start.workers, {
    router: routerOptions(config, VERSION),
    keepAliveMs: config.backendPingPeriodMs,
    pauseMs: gapMs(config),
  }, { onPause: () => membership!.registration.table.notePause() });
  const loadingTimer = setTimeout(() => plane.acceptLoading(), BACKLOG_MS);
  const life = ProcessLife.begin(`codis-proxy ${config.proxyId}, pid ${Deno.pid}`);
  let coordinator: Coordinator | undefined;
  let attached: AttachedService | undefined;
  let admin: HttpServer | undefined;
  try {
    const build: Build = { version: VERSION, compile: COMPILED };
    const record = () => membership?.registration.record ?? own;
    let isServing = false;
    // The HTTP endpoint shows a proxy that is still waiting, so it comes before the rest.
    admin = serveAdmin(
      {
        plane,
        build,
        proxyRecord: record,
        coordinatorState: () => coordinator?.state ?? "connecting",
        staleSeconds: () => (membership?.registration.staleMs ?? 0) / 1000,
        isServing: () => isServing,
        policy: accessPolicy(config.dashboardToken, start.http.hostname, [
          ...config.httpNames,
          config.announceHttpAddr?.hostname ?? "",
        ]),
        others: () => attached?.answer.bind(attached),
      },
      {
        hostnames: [start.http.hostname],
        port: start.http.port,
        proto: config.proto,
        connectionsMax: descriptors.httpConnections,
      },
    );
    const own = newProxyRecord({
      proxyId: config.proxyId,
      listen: { hostname: start.listen.hostname, port: plane.address.port },
      http: { hostname: start.http.hostname, port: admin.addr.port },
      announce: { addr: config.announceAddr, http: config.announceHttpAddr },
      hostname: Deno.hostname(),
      pid: Deno.pid,
      life: life.text,
      startedMs: performance.timeOrigin + performance.now(),
    });
    coordinator = await openCoordinator(config, start.signal);
    const store = storeOf(coordinator, config.product);
    await refuseEtcd2(config, coordinator);
    await fillEmptyStore(store, config.servers, start.identify);
    attached = start.attach?.({ store, port: admin.addr.port });

    const serving = Promise.withResolvers<void>();
    const stopped = Promise.withResolvers<void>();
    let stopping: Promise<void> | undefined;
    const stop = (reason: string) => stopping ??= stopAll(reason);
    membership = new Membership(store, own, plane, {
      askOnline: () => goOnline(store, config.proxyId, dashboardOf(config)),
      onServing: () => {
        if (isServing || stopping !== undefined) return;
        isServing = true;
        log.info("serving on {address}, http on {http}", {
          address: formatAddress(plane.address),
          http: formatAddress(admin!.addr),
        });
        clearTimeout(loadingTimer);
        plane.accept();
        serving.resolve();
      },
      onMarkOffline: () => void stop("the proxy was marked offline"),
      setServing: (serving) => plane.setServing(serving),
    }, {
      takeoverMs: takeoverMs(config),
      gapMs: gapMs(config),
      // Where no other process has to be asked, it costs nothing.
      ...(dashboardOf(config) === undefined ? { askMs: EMBEDDED_ASK_MS } : {}),
    });
    const stopAll = async (reason: string) => {
      log.info("stopping: {reason}", { reason });
      clearTimeout(loadingTimer);
      await plane.stopAccepting();
      await plane.drainSessions(DRAIN_MS);
      await attached?.stop();
      await membership!.stop();
      await coordinator!.close();
      await plane.close();
      await admin!.shutdown();
      life.end();
      log.info("proxy exit");
      serving.reject(new Error(reason));
      stopped.resolve();
    };
    serving.promise.catch(() => {});
    // An earlier process of the same id may be waited for, which must not keep this one from ending.
    const { signal } = start;
    signal?.addEventListener("abort", () => void stop(signal.reason));
    if (signal?.aborted) await stop(signal.reason);
    else await membership.start();
    return {
      address: plane.address,
      httpAddress: admin.addr,
      serving: serving.promise,
      stopped: stopped.promise,
      stop,
    };
  } catch (error) {
    clearTimeout(loadingTimer);
    life.end();
    await plane.close();
    await attached?.stop();
    await coordinator?.close();
    await admin?.shutdown();
    throw error;
  }
}

/**
 * Runs a proxy until it is stopped.
 *
 * @returns The exit code: 0 after a clean stop.
 * @throws {Error} When it cannot be started; see {@linkcode startProxy}.
 */
export async function runProxy(start: ProxyStart): Promise<number> {
  // From the first moment on: a signal during the start ends the start in order.
  const stopping = new AbortController();
  const handlers: (readonly [Deno.Signal, () => void])[] = [
    ...SIGNALS.map((signal) => [signal, () => stopping.abort(`got ${signal}`)] as const),
    ["SIGHUP", reopenLog],
  ];
  for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  try {
    const proxy = await startUnless(stopping.signal, start);
    await proxy?.stopped;
    return 0;
  } finally {
    for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
  }
}

/** Starts a proxy; none when it was stopped before it could. */
async function startUnless(
  signal: AbortSignal,
  start: ProxyStart,
): Promise<RunningProxy | undefined> {
  try {
    return await startProxy({ ...start, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    log.info("stopping: {reason}, in the middle of the start", { reason: signal.reason });
    log.debug("the start ended with {error}", { error });
    return undefined;
  }
}

/** The configuration with as many clients as there are descriptors for. */
function fitDescriptors(
  { config, workers }: ProxyStart,
): { config: Config; descriptors: DescriptorPlan } {
  const needs = { clients: config.maxClients, workers, servers: config.servers.length };
  const wanted = descriptorsWanted(needs);
  const free = countFreeDescriptors(wanted);
  const descriptors = planDescriptors(free, needs);
  const { clients, kept } = descriptors;
  if (clients < config.maxClients) {
    log.warn(
      "max_clients is {wanted}, but only {free} more files can be opened (ulimit -n), and {kept} of " +
        "them are kept for servers, coordinator, log and HTTP: at most {clients} clients are " +
        'served; "ulimit -n {limit}" is enough for all',
      { wanted: config.maxClients, free, kept, clients, limit: wanted + ALWAYS_OPEN },
    );
  }
  return { config: { ...config, maxClients: clients }, descriptors };
}

/** With the embedded coordinator the proxy sets itself online; there need be no dashboard. */
function dashboardOf(config: Config): DashboardAccess | undefined {
  const { coordinator, dashboardAddr: address, dashboardToken: token } = config;
  return coordinator === "embedded" || address === undefined ? undefined : { address, token };
}

/**
 * How long a pause of this process may be before its table is doubted. A session is kept alive every
 * third of its timeout, so a pause of two thirds may end it: half is on the safe side.
 */
function gapMs(config: Config): number {
  return config.coordinator === "embedded" ? EMBEDDED_GAP_MS : config.zkSessionTimeoutMs / 2;
}

/**
 * How long an earlier process of the same id may take to leave, in milliseconds. The entry of a killed
 * one ends with its session: at once in the embedded store, after the session timeout elsewhere.
 */
function takeoverMs(config: Config): number {
  return TAKEOVER_MS + (config.coordinator === "embedded" ? 0 : config.zkSessionTimeoutMs);
}
