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

import { type AccessPolicy, accessPolicy } from "../api/auth.ts";
import { formatAddress } from "../base/address.ts";
import { logger } from "../base/log.ts";
import { ProcessLife } from "../base/process_life.ts";
import type { RunningConfig } from "../config/running.ts";
import { inTime } from "./workers/worker_peers.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { openCoordinator } from "../coordinator/open.ts";
import { fillEmptyStore } from "../store/bootstrap.ts";
import { refuseEtcd2 } from "../store/etcd2.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { type Store, storeOf } from "../store/store.ts";
import type { HttpServer } from "../io/http_server.ts";
import type { TlsIdentity } from "../io/tls.ts";
import { AccessLog } from "./access_log.ts";
import { type ConfigOrder, fixedConfig } from "../router/worker_context.ts";
import { serveAdmin } from "./admin.ts";
import { ConfiguredProxy } from "./configured_proxy.ts";
import type { Build } from "./debug_vars.ts";
import { followAllowedCommands } from "./membership/allowed_commands.ts";
import { goOnline } from "./membership/go_online.ts";
import { Membership } from "./membership/membership.ts";
import { changerOf, StoredUsers } from "./membership/stored_users.ts";
import type { DataPlane, ListenPlace } from "./workers/data_plane.ts";
import { openDataPlane } from "./workers/open_data_plane.ts";
import { proxyPlace } from "./membership/proxy_place.ts";
import { newProxyRecord } from "./membership/proxy_record.ts";
import type { AttachedService, ProxyStart } from "./proxy_start.ts";
import { isTracing } from "../router/reports/spans.ts";
import { routerOptions } from "./router_options.ts";
import {
  clientsThatFit,
  dashboardOf,
  gapMs,
  httpHostnames,
  httpNamesOf,
  isTls,
  listenPlace,
  onlyHere,
  readClientTls,
  takeoverMs,
} from "./start_plan.ts";
import { readUsers } from "./users.ts";
import { COMPILED, VERSION } from "./version.ts";

/** Longest time that sessions may take to finish when the proxy stops, in milliseconds. */
const DRAIN_MS = 10_000;
/** How long clients wait in the backlog for the table, until they get -LOADING; milliseconds. */
const BACKLOG_MS = 1_000;
/** How long a change of password waits until the users in the store were read again; milliseconds. */
const USERS_MS = 2_000;
/** Between two tries to be online, where there is no dashboard to ask; milliseconds. */
const EMBEDDED_ASK_MS = 1_000;

const log = logger("proxy");

/** A proxy that serves. */
export interface RunningProxy {
  /** Where Redis clients connect; with TLS, if they can only do so with TLS. */
  readonly address: Deno.NetAddr;
  /** Where the HTTP endpoint listens. */
  readonly httpAddress: Deno.NetAddr;
  /** Settles when the proxy accepts clients with all slots loaded for the first time. */
  readonly serving: Promise<void>;
  /** Settles when the proxy has stopped, for whatever reason. */
  readonly stopped: Promise<void>;
  /** Opens the access log again, after it was moved away. */
  reopenAccessLog(): void;
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
  const { config } = start;
  const descriptors = clientsThatFit(start);
  const fitting = { ...config, maxClients: descriptors.clients };
  const { users, source } = await readUsers(config);
  const tls = await readClientTls(config);
  const accessLog = AccessLog.open(config);
  if (isTracing()) {
    log.info("requests are traced: {sampled}, and slow ones, as OTEL_ variables say", {
      sampled: config.requestSample === 0 ? "none" : `one of ${config.requestSample}`,
    });
  }
  const place = listenPlace(start);
  const plane = await openDataPlane(place, start.workers, {
    router: { ...routerOptions(fitting, VERSION, place.sockets), backendTls: start.serverTls },
    users,
    tls,
    keepAliveMs: config.backendPingPeriodMs,
    pauseMs: gapMs(config),
  }, {
    onPause: () => proxy.notePause(),
    writeAccessLines: (lines) => accessLog?.write(lines) ?? Promise.resolve(false),
    changeConfig: (order, by) => changeConfig(start.running, order, by),
  });
  plane.users.source = source;
  const parts = {
    plane,
    place,
    clientsMax: descriptors.clients,
    clientTls: tls?.identity,
    accessLog,
  };
  const proxy = new StartedProxy(start, parts);
  try {
    await proxy.start(descriptors.httpConnections);
    return proxy;
  } catch (error) {
    await proxy.undo();
    throw error;
  }
}

/** What is made before the proxy is. */
interface ProxyParts {
  readonly plane: DataPlane;
  readonly place: ListenPlace;
  readonly clientsMax: number;
  readonly clientTls: TlsIdentity | undefined;
  readonly accessLog: AccessLog | undefined;
}

/** The parts of a proxy process, in the order in which they are started. */
class StartedProxy implements RunningProxy {
  readonly #start: ProxyStart;
  readonly #plane: DataPlane;
  readonly #accessLog: AccessLog | undefined;
  readonly #life: ProcessLife;
  #loadingTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #serving = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();
  #admin: HttpServer | undefined;
  #coordinator: Coordinator | undefined;
  #attached: AttachedService | undefined;
  #membership: Membership | undefined;
  /** Undefined: this proxy has its own. */
  #users: StoredUsers | undefined;
  readonly #policy: AccessPolicy;
  readonly #configured: ConfiguredProxy;
  #isServing = false;
  #stopping: Promise<void> | undefined;

  /** `plane` is bound, and has accepted no client yet. */
  constructor(start: ProxyStart, parts: ProxyParts) {
    const { plane, place, clientsMax, clientTls, accessLog } = parts;
    const { config, http } = start;
    this.#start = start;
    this.#plane = plane;
    this.#accessLog = accessLog;
    this.#policy = accessPolicy(config.dashboardToken, http.hostname, httpNamesOf(config));
    this.#configured = new ConfiguredProxy({
      ...{ start, plane, place, clientsMax, policy: this.#policy },
      renewHttp: (identity) => this.#admin?.renewTls(identity),
      passwordsChanged: () => this.#takePasswords(),
    }, clientTls);
    start.running?.use(this.#configured);
    // Who may log in is not known before the store was read.
    if (start.config.acl === "file") this.#acceptSoon();
    this.#life = ProcessLife.begin(`codis-proxy ${start.config.proxyId}, pid ${Deno.pid}`);
    this.#serving.promise.catch(() => {});
  }

  get address(): Deno.NetAddr {
    return this.#plane.addresses[0]!;
  }

  get httpAddress(): Deno.NetAddr {
    return this.#admin!.addr;
  }

  get serving(): Promise<void> {
    return this.#serving.promise;
  }

  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** The process was paused for so long that its table may be old. */
  notePause(): void {
    this.#membership!.registration.table.notePause();
  }

  #acceptSoon(): void {
    this.#loadingTimer = setTimeout(() => this.#plane.acceptLoading(), BACKLOG_MS);
  }

  /** Starts everything behind the data plane; `httpConnectionsMax` is the HTTP endpoint's limit. */
  async start(httpConnectionsMax: number): Promise<void> {
    const { config, http, listen, signal, identify, attach } = this.#start;
    const record = () => this.#membership?.registration.record ?? own;
    // The HTTP endpoint shows a proxy that is still waiting, so it comes before the rest.
    const { port } = this.#serveAdmin(record, httpConnectionsMax);
    const own = newProxyRecord({
      proxyId: config.proxyId,
      listen: { hostname: (listen ?? config.tlsAddr!).hostname, port: this.address.port },
      http: { hostname: http.hostname, port },
      announce: {
        addr: config.announceAddr,
        http: config.announceHttpAddr ?? onlyHere(config, this.#admin!.addr),
      },
      hostname: Deno.hostname(),
      pid: Deno.pid,
      life: this.#life.text,
      startedMs: performance.timeOrigin + performance.now(),
    });
    this.#coordinator = await openCoordinator(config, signal);
    const store = storeOf(this.#coordinator, config.product);
    await refuseEtcd2(config, this.#coordinator);
    await fillEmptyStore(store, config.servers, identify);
    this.#attached = attach?.({ store, port });
    if (config.acl === "store") await this.#loadUsers(store);
    this.#membership = this.#makeMembership(store, own);
    // An earlier process of the same id may be waited for, which must not keep this one from ending.
    signal?.addEventListener("abort", () => void this.stop(signal.reason));
    if (signal?.aborted) await this.stop(signal.reason);
    else {
      await followAllowedCommands(store, (commands) => this.#plane.allowCommands(commands));
      await this.#membership.start();
    }
  }

  async #loadUsers(store: Store): Promise<void> {
    const dashboard = () => changerOf(this.#start.config, this.httpAddress);
    this.#users = new StoredUsers({ store, plane: this.#plane, dashboard });
    await this.#users.start();
    this.#acceptSoon();
  }

  #serveAdmin(proxyRecord: () => ProxyRecord, connectionsMax: number): Deno.NetAddr {
    const { config, http, httpTls } = this.#start;
    const build: Build = { version: VERSION, compile: COMPILED };
    this.#admin = serveAdmin(
      {
        plane: this.#plane,
        build,
        proxyRecord,
        coordinatorState: () => this.#coordinator?.state ?? "connecting",
        staleSeconds: () => (this.#membership?.registration.staleMs ?? 0) / 1000,
        users: config.acl,
        clientsMax: () => this.#configured.clientsMax,
        isServing: () => this.#isServing,
        policy: this.#policy,
        running: this.#start.running,
        others: () => this.#attached?.answer.bind(this.#attached),
        otherMetrics: () => this.#attached?.metrics() ?? [],
      },
      {
        hostnames: httpHostnames(config, http),
        port: http.port,
        proto: config.proto,
        connectionsMax,
        tls: httpTls,
      },
    );
    return this.#admin.addr;
  }

  #makeMembership(store: Store, own: ProxyRecord): Membership {
    const { config } = this.#start;
    const dashboard = dashboardOf(config);
    return new Membership(
      store,
      own,
      this.#plane,
      {
        askOnline: () => goOnline(store, config.proxyId, dashboard),
        onServing: () => this.#serve(),
        onMarkOffline: () => void this.stop("the proxy was marked offline"),
        setServing: (serving) => this.#plane.setServing(serving),
        heardReplicas: (master) => this.#plane.heardReplicas(master),
      },
      {
        takeoverMs: takeoverMs(config),
        gapMs: gapMs(config),
        // Where no other process has to be asked, it costs nothing.
        ...(dashboard === undefined ? { askMs: EMBEDDED_ASK_MS } : {}),
      },
      undefined,
      this.#users,
      proxyPlace(config),
    );
  }

  #serve(): void {
    if (this.#isServing || this.#stopping !== undefined) return;
    this.#isServing = true;
    log.info("serving on {address}, http on {http}", {
      address: this.#plane.addresses.map((address, index) =>
        `${isTls(this.#start, index) ? "TLS " : ""}${formatAddress(address)}`
      ).join(" and "),
      http: formatAddress(this.httpAddress),
    });
    clearTimeout(this.#loadingTimer);
    this.#plane.accept();
    this.#serving.resolve();
  }

  /** A default user in the store keeps the passwords that it has there. */
  async #takePasswords(): Promise<void> {
    // The coordinator may be away: the users are read again when it is back.
    const read = this.#users?.reload().catch((error) =>
      log.warn("users not read again after a change of password: {error}", { error })
    );
    if (read !== undefined) await inTime(read, USERS_MS);
  }

  reopenAccessLog(): void {
    this.#accessLog?.reopen();
  }

  stop(reason: string): Promise<void> {
    return this.#stopping ??= this.#stopAll(reason);
  }

  async #stopAll(reason: string): Promise<void> {
    log.info("stopping: {reason}", { reason });
    clearTimeout(this.#loadingTimer);
    await this.#plane.stopAccepting();
    await this.#plane.drainSessions(DRAIN_MS);
    await this.#attached?.stop();
    this.#users?.stop();
    await this.#membership!.stop();
    await this.#coordinator!.close();
    await this.#plane.close();
    this.#accessLog?.close();
    await this.#admin!.shutdown();
    this.#configured[Symbol.dispose]();
    this.#life.end();
    log.info("proxy exit");
    this.#serving.reject(new Error(reason));
    this.#stopped.resolve();
  }

  /** Leaves nothing of a start that failed. */
  async undo(): Promise<void> {
    clearTimeout(this.#loadingTimer);
    this.#configured[Symbol.dispose]();
    this.#life.end();
    await this.#plane.close();
    this.#accessLog?.close();
    await this.#attached?.stop();
    await this.#coordinator?.close();
    await this.#admin?.shutdown();
  }
}

/** Makes a change that a client asks for; returns why it cannot be made, empty when it is in force. */
async function changeConfig(
  running: RunningConfig | undefined,
  order: ConfigOrder,
  by: string,
): Promise<string> {
  if (running === undefined) return fixedConfig(order);
  try {
    await (order.kind === "set" ? running.set(order.pairs, by) : running.rewrite(by));
    return "";
  } catch (error) {
    const { message } = error as Error;
    return order.kind === "set"
      ? message.replace(/^CONFIG SET: /, "")
      : `Rewriting config file: ${message}`;
  }
}
