/**
 * The life of the proxy process.
 *
 *      bind ─► http ─► coordinator ─► register ─► online ─► slots filled ─► accept ─► serve
 *                                                                                        │
 *      exit 0 ◄─ fence and entry removed ◄─ sessions drained (bounded) ◄─ stop accepting ◄┘
 *                                                          SIGTERM, SIGINT, mark_offline
 *
 * The port is bound before anything is registered, as in Codis 2.0: clients that connect wait in the
 * backlog. After a second they are accepted, and answered -LOADING until the proxy is online; not where they would
 * take the descriptors that the start needs.
 *
 * A process that takes over from an old one (`upgrade/`) binds the ports when it can serve by the table, beside
 * the old one, which then drains its sessions.
 *
 * @module
 */

import { type AccessPolicy, accessPolicy } from "../api/auth.ts";
import { formatAddress } from "../base/address.ts";
import { logger } from "../base/log.ts";
import { inTime } from "../base/sleep.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { fillEmptyStore } from "../store/bootstrap.ts";
import { refuseEtcd2 } from "../store/etcd2.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { type Store, storeOf } from "../store/store.ts";
import type { HttpServer } from "../io/http_server.ts";
import type { AccessLog } from "./access_log.ts";
import { serveAdmin } from "./admin.ts";
import { Attachment } from "./attachment.ts";
import { noteAtDashboard } from "./config_notes.ts";
import { type FirstRoom, refuseNoRoom } from "./client_room.ts";
import { ConfiguredProxy } from "./configured_proxy.ts";
import { ProxyListings } from "./membership/proxy_listings.ts";
import { followAllowedCommands } from "./membership/allowed_commands.ts";
import { Drain } from "./drain.ts";
import { goOnline } from "./membership/go_online.ts";
import { Membership } from "./membership/membership.ts";
import { changerOf, StoredUsers } from "./membership/stored_users.ts";
import type { DataPlane } from "./workers/data_plane.ts";
import { proxyPlace } from "./membership/proxy_place.ts";
import { describeOld, UpgradeOffer } from "./upgrade/offer.ts";
import { openStoreOf, type Processes } from "./upgrade/take_over.ts";
import { openParts, type ProxyParts } from "./proxy_parts.ts";
import type { ProxyStart, RunningProxy } from "./proxy_start.ts";
import {
  dashboardOf,
  gapMs,
  httpHostnames,
  httpNamesOf,
  isTls,
  ownRecord,
  takeoverMs,
} from "./start_plan.ts";
import { COMPILED, VERSION } from "./version.ts";

/** How long clients wait in the backlog for the table, until they get -LOADING; milliseconds. */
const BACKLOG_MS = 1_000;
/** How long a change of password waits until the users in the store were read again; milliseconds. */
const USERS_MS = 2_000;
/** How long a process that ends waits for the proof that the other one is gone, which does not answer; milliseconds. */
const GONE_MS = 3_000;
/** Between two tries to be online, where there is no dashboard to ask; milliseconds. */
const EMBEDDED_ASK_MS = 1_000;

const log = logger("proxy");

/**
 * Starts a proxy.
 *
 * @throws {Error} When an address cannot be bound, the coordinator cannot be opened, or another
 * proxy has the id; nothing is left behind then.
 */
export async function startProxy(start: ProxyStart): Promise<RunningProxy> {
  const parts = await openParts(start, () => proxy.notePause());
  const proxy = new StartedProxy(start, parts);
  try {
    await proxy.start(parts.room);
    return proxy;
  } catch (error) {
    await proxy.undo();
    throw error;
  }
}

/** The parts of a proxy process, in the order in which they are started. */
class StartedProxy implements RunningProxy {
  readonly #start: ProxyStart;
  readonly #plane: DataPlane;
  readonly #accessLog: AccessLog | undefined;
  readonly #processes: Processes;
  readonly #drain: Drain;
  /** Waits for a process that takes over from this one. */
  #offer: UpgradeOffer | undefined;
  #loadingTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #serving = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();
  #admin: HttpServer | undefined;
  #openAdmin: (isBeside: boolean) => void = () => {};
  #coordinator: Coordinator | undefined;
  #store: Store | undefined;
  #attached: Attachment | undefined;
  #membership: Membership | undefined;
  #listings: ProxyListings | undefined;
  /** Undefined: this proxy has its own. */
  #users: StoredUsers | undefined;
  readonly #policy: AccessPolicy;
  readonly #configured: ConfiguredProxy;
  /** Whether clients may be accepted before the start is done. */
  readonly #coversStart: boolean;
  #isServing = false;
  /** Whether every worker serves clients. */
  #isReady = false;
  #stopping: Promise<void> | undefined;

  /** Asks the coordinator for nothing yet. */
  constructor(start: ProxyStart, parts: ProxyParts) {
    const { plane, place, room, clientTls, accessLog, processes } = parts;
    const { config, http } = start;
    this.#start = start;
    this.#plane = plane;
    this.#accessLog = accessLog;
    this.#coversStart = room.coversStart;
    this.#policy = accessPolicy(config.dashboardToken, http.hostname, httpNamesOf(config));
    this.#configured = new ConfiguredProxy({
      ...{ start, plane, place, accessLog, room, policy: this.#policy },
      renewHttp: (identity) => this.#admin?.renewTls(identity),
      passwordsChanged: () => this.#takePasswords(),
    }, clientTls);
    start.running?.use(this.#configured);
    if (start.running !== undefined) noteAtDashboard(start.running);
    this.#processes = processes;
    this.#drain = new Drain(plane);
    // Who may log in is not known before the store was read.
    if (start.config.acl === "file") this.#acceptSoon();
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
    if (this.#processes.takeOver !== undefined || !this.#coversStart) return;
    this.#loadingTimer = setTimeout(() => {
      this.#plane.acceptLoading();
      this.#configured.countRest();
    }, BACKLOG_MS);
  }

  /** Starts everything behind the data plane. */
  async start({ httpConnections, isWide }: FirstRoom): Promise<void> {
    const { config, http, signal, hurry, identify, attach } = this.#start;
    const { takeOver } = this.#processes;
    const record = () => this.#membership?.registration.record ?? own;
    this.#openAdmin = (isBeside) => this.#serveAdmin(record, httpConnections, isBeside);
    // The HTTP endpoint shows a proxy that is still waiting, so it comes before the rest.
    if (takeOver === undefined) this.#openAdmin(false);
    const own = takeOver?.old.record ??
      ownRecord(this.#start, this.#plane.addresses, this.httpAddress, this.#processes.life.text);
    const { other } = this.#processes;
    this.#coordinator = takeOver?.coordinator ?? await openStoreOf(this.#start, other);
    const store = this.#store = storeOf(this.#coordinator, config.product);
    await refuseEtcd2(config, this.#coordinator);
    await fillEmptyStore(store, config.servers, identify);
    const hostname = httpHostnames(config, http)[0]!;
    const port = takeOver?.old.http.port ?? this.httpAddress.port;
    this.#attached = attach && new Attachment(attach, { store, address: { hostname, port } });
    if (!isWide) this.#attached?.open();
    if (config.acl === "store") await this.#loadUsers(store);
    this.#membership = this.#makeMembership(store, own);
    // An earlier process of the same id may be waited for, which must not keep this one from ending.
    const isGentle = () => hurry?.aborted === false;
    signal?.addEventListener("abort", () => void this.stop(signal.reason, isGentle()));
    hurry?.addEventListener("abort", () => void this.stop(hurry.reason));
    if (signal?.aborted) return await this.stop(signal.reason);
    await followAllowedCommands(store, (commands) => this.#plane.allowCommands(commands));
    this.#listings = new ProxyListings({
      ...{ config, store, own: record },
      setCluster: (nodes) => this.#plane.setCluster(nodes),
    });
    if (!this.#coversStart) refuseNoRoom(this.#start);
    await this.#membership.start();
    // One that is stopped meanwhile never takes over.
    await Promise.race([takeOver?.done, this.#stopped.promise]);
  }

  async #loadUsers(store: Store): Promise<void> {
    const dashboard = () => changerOf(this.#start.config, this.httpAddress);
    this.#users = new StoredUsers({ store, plane: this.#plane, dashboard });
    await this.#users.start();
    this.#acceptSoon();
  }

  #serveAdmin(proxyRecord: () => ProxyRecord, connectionsMax: number, isBeside: boolean): void {
    const { config, http, httpTls, attach } = this.#start;
    this.#admin = serveAdmin(
      {
        plane: this.#plane,
        build: { version: VERSION, compile: COMPILED },
        proxyRecord,
        coordinatorState: () => this.#coordinator?.state ?? "connecting",
        slotFault: () => this.#membership?.slots.faults.reason ?? "",
        staleSeconds: () => (this.#membership?.staleMs ?? 0) / 1000,
        users: config.acl,
        clientsMax: () => this.#configured.clientsMax,
        isServing: () => this.#isReady,
        isDraining: () => this.#drain.hasBegun,
        isDrained: () => this.#drain.isOver,
        isBeside: () => this.#processes.other.isThere,
        drain: () => this.#drainClients(),
        policy: this.#policy,
        running: this.#start.running,
        others: () => this.#attached?.answer.bind(this.#attached),
        awaitsOthers: () => attach !== undefined && this.#attached === undefined,
        otherMetrics: () => this.#attached?.metrics() ?? [],
      },
      {
        hostnames: httpHostnames(config, http),
        port: this.#processes.takeOver?.old.http.port ?? http.port,
        isBeside,
        proto: config.proto,
        connectionsMax,
        tls: httpTls,
      },
    );
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
        onOffline: () => this.#listings!.offline(),
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
      this.#processes.other,
    );
  }

  /** The table is loaded. */
  #serve(): void {
    if (this.#stopping !== undefined) return;
    if (this.#isServing) return this.#isReady ? this.#listings!.serving() : undefined;
    this.#isServing = true;
    const { takeOver } = this.#processes;
    if (takeOver === undefined) this.#accept();
    else {
      // From its answer on, the old process leaves entry and fence to this one.
      const listed = () => this.#listings!.listed;
      takeOver.onOldGone = async () => void await Promise.all([this.#setAlone(true), listed()]);
      takeOver.finish(this.#membership!, async () => {
        if (this.#stopping !== undefined) return false;
        await this.#plane.bind(takeOver.place, true);
        this.#openAdmin(true);
        return await this.#accept();
      });
    }
  }

  /** Lets clients in, and then says so; returns false when the proxy is stopped meanwhile. */
  async #accept(): Promise<boolean> {
    clearTimeout(this.#loadingTimer);
    await this.#plane.accept();
    if (this.#stopping !== undefined) return false;
    this.#isReady = true;
    log.info("serving on {address}, http on {http}", {
      address: this.#plane.addresses.map((address, index) =>
        `${isTls(this.#start, index) ? "TLS " : ""}${formatAddress(address)}`
      ).join(" and "),
      http: formatAddress(this.httpAddress),
    });
    this.#configured.countRest();
    this.#attached?.serving();
    this.#listings!.serving();
    this.#offer = this.#waitForNew();
    this.#serving.resolve();
    return true;
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

  // -- an upgrade -----------------------------------------------------------------------------

  /** Says whether the end of this process is the proxy's; if that cannot be said now, it is proven later. */
  async #setAlone(isAlone: boolean): Promise<void> {
    try {
      await this.#membership!.registration.setLife(isAlone ? this.#processes.life.text : "");
    } catch (error) {
      if (!isAlone) throw error;
      log.warn("the coordinator does not know yet that this process is alone: {error}", { error });
    }
  }

  /** From now on another process can take over from this one, where that is possible at all. */
  #waitForNew(): UpgradeOffer | undefined {
    const { life, other } = this.#processes;
    return UpgradeOffer.open(life, {
      other,
      describe: () =>
        describeOld(this.#store!, this.#membership!.registration.record, {
          ports: this.#plane.addresses.map(({ port }) => port),
          workers: this.#start.workers,
          httpPort: this.httpAddress.port,
        }),
      newestAction: () => this.#membership!.lastAction,
      newestInHand: () => this.#membership!.actionInHand,
      drain: this.#drain,
      isStopping: () => this.#stopping !== undefined,
      setAlone: (isAlone) => this.#setAlone(isAlone),
      leave: (delayMs) => void this.#leave(delayMs),
    });
  }

  /** Another process serves: lets the clients go, and ends. */
  async #leave(delayMs: number): Promise<void> {
    const timeoutMs = this.#start.config.drainTimeoutMs;
    await this.#drain.begin({ delayMs, timeoutMs }, {
      accepted: async () => {
        await this.#admin!.shutdown();
        this.#offer!.stoppedListening();
        await this.#attached?.stop();
      },
    });
    if (this.#drain.hasBegun) await this.stop("a new process has taken over");
  }

  // -- the end --------------------------------------------------------------------------------

  #drainClients(isProxyGoing = true): Promise<void> {
    const { drainDelayMs: delayMs, drainTimeoutMs: timeoutMs } = this.#start.config;
    // Beside another process, only this one goes: the proxy stays in the lists.
    const isAlone = !this.#processes.other.isThere;
    const before = () => isProxyGoing && isAlone ? this.#listings?.leave() : undefined;
    return this.#drain.begin({ delayMs, timeoutMs }, { before });
  }

  stop(reason: string, isGentle = false): Promise<void> {
    if (!isGentle || !this.#isServing) this.#drain.hurry();
    return this.#stopping ??= this.#stopAll(reason);
  }

  async #stopAll(reason: string): Promise<void> {
    log.info("stopping: {reason}", { reason });
    clearTimeout(this.#loadingTimer);
    const { life, takeOver } = this.#processes;
    await this.#drainClients(!await takeOver?.giveBack());
    await this.#attached?.stop();
    this.#users?.stop();
    await this.#listings?.stop();
    await this.#membership!.stop();
    await this.#plane.close();
    this.#accessLog?.close();
    const isKnown = await this.#leaveOther();
    await this.#coordinator!.close();
    await this.#admin?.shutdown();
    this.#configured[Symbol.dispose]();
    // Its file proves the end to a process that has not heard of it, and to the next start, which removes our fence.
    if (isKnown && this.#membership!.registration.isRemoved) life.end();
    log.info("proxy exit");
    this.#serving.reject(new Error(reason));
    this.#stopped.resolve();
  }

  /** Tells the other process, if there is one, that nobody is served here; returns whether it knows that. */
  async #leaveOther(): Promise<boolean> {
    const { other, takeOver } = this.#processes;
    const isKnown = await this.#offer?.stop() !== false && await takeOver?.stop() !== false;
    // One that is gone has heard nothing, and that it is gone is seen a moment later.
    if (!isKnown) await other.untilGone(GONE_MS);
    // Two that stop at once have left entry and fence to each other.
    if (other.hasLeft) await this.#membership?.registration.removeLeft();
    return isKnown;
  }

  /** Leaves nothing of a start that failed; one that was stopped meanwhile leaves nothing, either. */
  undo(): Promise<void> {
    return this.#stopping ??= this.#undoAll();
  }

  async #undoAll(): Promise<void> {
    clearTimeout(this.#loadingTimer);
    const { life, takeOver } = this.#processes;
    this.#configured[Symbol.dispose]();
    await this.#listings?.stop();
    await this.#plane.close();
    this.#accessLog?.close();
    await this.#attached?.stop();
    if (takeOver !== undefined) await this.#membership?.stop();
    if (takeOver === undefined || await this.#leaveOther()) life.end();
    await this.#coordinator?.close();
    await this.#admin?.shutdown();
  }
}
