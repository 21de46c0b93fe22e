/**
 * What the dashboard that leads knows about the cluster at this moment, and how it learns it.
 *
 *     store ── every 10 s, and what is written here at once ──► TreeMonitor: slots, groups
 *     servers ── INFO every second, one connection each ──────► ServerMonitor
 *     masters ── their functions, if any, every 10 s ─────────► LibraryMonitor
 *     servers ── a login as the user of clients, every 5 s ───► ClientLogins
 *     all of it ── every 2 s ─────────────────────────────────► FigureHistory: a week, in files
 *     proxies ── /stats every second ─────────────────────────► ProxyMonitor ─► History, SlotLoad
 *
 * @module
 */

import { logFailure, type Store } from "../store/store.ts";
import { logger } from "../base/log.ts";
import { repeat } from "../base/repeat.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import type { Control } from "../control/control.ts";
import { FigureHistory } from "./figure_history.ts";
import { figuresOf } from "./figures.ts";
import { History, SlotLoad } from "./history.ts";
import { type ClientLogin, refusalOfClients } from "../control/client_login.ts";
import { ClientLogins } from "./client_logins.ts";
import { LibraryMonitor } from "./libraries.ts";
import { type AskProxy, ProxyMonitor } from "./proxies.ts";
import { ProxyOutages } from "./proxy_outages.ts";
import { type LagLimits, type OutageReporter, ServerOutages } from "./server_outages.ts";
import { ServerMonitor } from "./servers.ts";
import { TreeMonitor } from "./tree.ts";

/** Time between two rounds over all proxies, in milliseconds. */
const PROXY_MS = 1_000;
/** Time between two rounds over all servers, in milliseconds. */
const SERVER_MS = 1_000;
/** Time between two looks at the figures of the history, in milliseconds. */
const FIGURES_MS = 2_000;
/** Time between two looks at servers that do not answer, and at replicas that are not linked, in milliseconds. */
const UNSETTLED_MS = 250;
/** Time between two readings of slots and groups, in milliseconds. */
const TREE_MS = 10_000;
/** Time between two comparisons of function libraries, in milliseconds. */
const LIBRARIES_MS = 10_000;
/** Time between two tries whether servers let proxies in, in milliseconds. */
const LOGINS_MS = 5_000;

const log = logger("dashboard");

/** The defaults of replica_max_lag and replica_max_lag_bytes. */
const LAG_LIMITS: LagLimits = { ms: 2_000, bytes: 16 * 1024 ** 2 };

/** What a monitor works with. */
export interface MonitorOptions {
  /** @default SYSTEM_TIMERS */
  readonly timers?: Timers;
  /** Asks one proxy; by default over HTTP. */
  readonly askProxy?: AskProxy;
  /** From when on a replica is too far behind. @default replica_max_lag's and replica_max_lag_bytes's */
  readonly lagLimits?: LagLimits | undefined;
  /** Folder of the figures of a week. @default none: a restart forgets them */
  readonly historyDir?: string | undefined;
  /** Time between two questions to a server, in milliseconds. @default 1000 */
  readonly serverMs?: number;
  /** How proxies log in at servers for clients. @default as the dashboard does, which is not tried */
  readonly auth?: ClientLogin;
  /** Whether Sentinel decides who is the master of a group. @default it does not */
  readonly isFollowed?: () => boolean;
}

/** See the header. */
export class Monitor {
  readonly tree: TreeMonitor;
  readonly servers: ServerMonitor;
  readonly proxies: ProxyMonitor;
  readonly libraries: LibraryMonitor;
  readonly logins: ClientLogins;
  readonly history: History = new History(PROXY_MS);
  /** Figures of a week. */
  readonly figures: FigureHistory;
  readonly slotLoad: SlotLoad = new SlotLoad();
  readonly #serverOutages: ServerOutages;
  readonly #proxyOutages: ProxyOutages;
  readonly #store: Store;
  readonly #timers: Timers;
  readonly #serverMs: number;
  readonly #ends: (() => void)[] = [];
  #isStopped = false;

  /** Reads through `control`; nothing is read yet. */
  constructor(
    control: Pick<Control, "store" | "redis">,
    reporter: OutageReporter,
    options: MonitorOptions = {},
  ) {
    const { timers = SYSTEM_TIMERS, askProxy, lagLimits = LAG_LIMITS, serverMs = SERVER_MS } =
      options;
    this.#store = control.store;
    this.#timers = timers;
    this.#serverMs = serverMs;
    this.figures = new FigureHistory(options.historyDir ?? "", control.store.product);
    this.tree = new TreeMonitor(control.store);
    this.servers = new ServerMonitor(control, timers);
    this.libraries = new LibraryMonitor(control, this.servers);
    const { auth = {} } = options;
    this.logins = new ClientLogins((addr) => refusalOfClients(auth, addr));
    this.proxies = new ProxyMonitor(control.store, timers, askProxy);
    this.#serverOutages = new ServerOutages(
      this.servers,
      reporter,
      lagLimits,
      timers,
      options.isFollowed ?? (() => false),
      (addr) => this.logins.refusalOf(addr),
    );
    this.#proxyOutages = new ProxyOutages(reporter);
  }

  /** A replica is too far behind from there on. */
  limitLag(limits: LagLimits): void {
    this.#serverOutages.limits = limits;
  }

  /**
   * Reads slots and groups, then starts the rounds.
   *
   * @throws {CoordinatorError} When slots or groups cannot be read; nothing was started.
   */
  async start(): Promise<void> {
    this.#isStopped = false;
    this.slotLoad.restart();
    this.servers.start();
    await this.figures.load();
    await this.tree.refresh();
    if (this.#isStopped) return;
    this.#proxyRound();
    this.#serverRound();
    void this.tryLogins();
    this.#ends.push(
      repeat(PROXY_MS, () => this.#proxyRound(), this.#timers),
      repeat(this.#serverMs, () => this.#serverRound(), this.#timers),
      repeat(FIGURES_MS, () => this.#keepFigures(), this.#timers),
      repeat(UNSETTLED_MS, () => void this.servers.askUnsettled(), this.#timers),
      repeat(TREE_MS, () => this.#refreshTree(), this.#timers),
      repeat(LOGINS_MS, () => this.tryLogins(), this.#timers),
      repeat(LIBRARIES_MS, () => this.compareLibraries(), this.#timers),
    );
  }

  /** Ends the rounds, and closes the connections to servers. */
  stop(): void {
    this.#isStopped = true;
    if (this.#ends.length > 0) this.figures.flush();
    for (const end of this.#ends.splice(0)) end();
    this.servers.stop();
    this.libraries.clear();
    this.logins.clear();
  }

  /** Compares the function libraries of the masters that have slots. */
  compareLibraries(): Promise<void> {
    const { tree } = this;
    return this.libraries.round(tree.groups.flatMap(({ id, servers }) => {
      const master = servers?.find(({ type }) => type === "master");
      return master === undefined || tree.slotCount(id) === 0 ? [] : [master.addr];
    }));
  }

  /** Tries whether the servers of all groups let proxies in. */
  tryLogins(): Promise<void> {
    return this.logins.round(
      this.tree.groups.flatMap(({ servers }) => servers?.map(({ addr }) => addr) ?? []),
    );
  }

  // -- rounds --

  async #proxyRound(): Promise<void> {
    if (!await this.proxies.round()) return;
    const { proxies } = this;
    if (!this.#isStopped) {
      this.#proxyOutages.report(proxies.views(), proxies.deadFences);
      this.#proxyOutages.reportRefusals(proxies.refusals());
    }
    this.history.add({
      at: Date.now(),
      ops: proxies.ops,
      p50_ms: proxies.percentileMs(0.5),
      p99_ms: proxies.percentileMs(0.99),
      sessions: proxies.sessions,
    });
    // Before a proxy has answered twice, there is nothing to compare.
    if (proxies.hasSlotOps) this.slotLoad.add(proxies.slotOps());
  }

  /** Does not wait: a server that is slow delays no other one. */
  #serverRound(): void {
    void this.servers.round(this.tree.groups);
    this.#serverOutages.report(this.tree.groups, (groupId) => this.tree.isGiving(groupId));
  }

  #keepFigures(): Promise<void> {
    const { tree, servers, proxies } = this;
    return this.figures.add(Date.now(), figuresOf(tree.groups, servers, proxies));
  }

  async #refreshTree(): Promise<void> {
    try {
      await this.tree.refresh();
    } catch (error) {
      logFailure(this.#store, log, "slots and groups cannot be read", error);
    }
  }
}
