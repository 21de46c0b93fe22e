/**
 * The dashboard: leads or stands by, and ties the parts of the control plane together.
 *
 *     start ─► Leadership ── leading ──► interrupted change finished ─► Monitor, MigrationQueue, Failover, Sentinels
 *                  ▲   └───── deposed ──► all of them stopped ◄──────┘
 *                  └────────────────────────────┘
 *
 * @module
 */

import { productUrl } from "../api/product_http.ts";
import type { Secret } from "../base/secret.ts";
import type { ClusterView, EventView } from "../api/cluster_view.ts";
import { parseAddress } from "../base/address.ts";
import { logger } from "../base/log.ts";
import { measureLoopLag } from "../base/loop_lag.ts";
import type { Metric } from "../base/prometheus.ts";
import { isSurelyGone } from "../base/process_life.ts";
import { RedisConnection } from "../redis/connection.ts";
import { sleep } from "../base/sleep.ts";
import { createFolders, type Store } from "../store/store.ts";
import { keepNewestActions } from "../control/actions.ts";
import type { ClusterChange, Control } from "../control/control.ts";
import type { OutageReport } from "../control/outages.ts";
import { Events } from "../control/events.ts";
import { AutoFailover } from "../control/auto_failover.ts";
import { Leadership } from "../control/leadership.ts";
import { Confirmer } from "../control/confirm.ts";
import { ChangeLog } from "../control/change.ts";
import { MigrationQueue } from "../migration/queue.ts";
import { monitoredView } from "../monitor/cluster_view.ts";
import { Monitor } from "../monitor/monitor.ts";
import {
  promote,
  type PromoteContext,
  type PromoteOptions,
  resumePromotion,
} from "../control/promote.ts";
import { reasonOf, refusesConnections } from "../control/proxies.ts";
import { Publisher } from "../control/publish.ts";
import type { RedisUsersContext } from "../control/redis_users.ts";
import { announceMaster } from "../control/master_change.ts";
import { openSentinel, SENTINEL_DEFAULTS } from "../control/sentinel_options.ts";
import { Sentinels } from "../control/sentinels.ts";
import type { ServerAuth } from "../control/servers.ts";
import { resumeRuleChange, type RulesContext } from "../control/slot_rules.ts";
import { SlotKeyCounter } from "../control/slot_keys.ts";
import type { Transact } from "../control/stored_ring.ts";
import { WriteHolds } from "../control/write_holds.ts";
import type { AccessControl } from "../control/dashboard_users.ts";
import { AccessGate } from "./access/access_gate.ts";
import { AuditLog } from "./audit/audit_log.ts";
import { AuditTrail } from "./audit/audit_trail.ts";
import { failoverNoter, ownNote } from "./audit/own_notes.ts";
import type { RunningConfig } from "../config/running.ts";
import type { DashboardOptions, DashboardSettings } from "./dashboard_options.ts";
import { OutageTrail } from "./outages/outage_trail.ts";
import { dashboardMetrics } from "./metrics/metrics.ts";
import type { FailoverCounts } from "./metrics/row.ts";
import { statusFigures, StatusWriter } from "./products/status_writer.ts";
import { wholeView } from "./whole_view.ts";

/** Longest time that a Redis server may take to reply by default, in milliseconds. */
const REPLY_MS = 5_000;
/** Actions that are kept: Codis 2.0 lets them pile up. */
const ACTIONS_KEPT = 1_000;
/** How long a request waits for this dashboard to take over, in milliseconds. */
const TAKING_OVER_MS = 5_000;

const log = logger("dashboard");

/** See the header. */
export class Dashboard implements Control {
  readonly store: Store;
  readonly monitor: Monitor;
  /** The sentinels, and what they are told. */
  readonly sentinels: Sentinels;
  readonly slotKeys: SlotKeyCounter = new SlotKeyCounter(this);
  /** Who may do what. */
  readonly access: AccessGate;
  /** Who did what. */
  readonly audit: AuditTrail;
  /** What was out, and is. */
  readonly outages: OutageTrail;
  #options: DashboardOptions;
  readonly #events = new Events();
  readonly #leadership: Leadership;
  readonly #publisher: Publisher;
  readonly #changes: ChangeLog;
  readonly #holds: WriteHolds;
  /** Only while this dashboard leads. */
  #migrations: MigrationQueue | undefined;
  readonly #failover: AutoFailover;
  readonly #status: StatusWriter;
  readonly #startedAt = Date.now();
  readonly #failovers: FailoverCounts = { done: 0, failed: 0 };
  #endRemoving = () => {};
  #endLag = () => {};
  /** Settled when this dashboard can make changes, or has lost the lead. */
  #takingOver = Promise.withResolvers<void>();

  /** Does nothing yet. */
  constructor(options: DashboardOptions) {
    this.#options = options;
    this.store = options.store;
    this.access = new AccessGate(options.store);
    const transact: Transact = (operations) => this.#leadership.transact(operations);
    this.audit = new AuditTrail(options.store, new AuditLog(options.auditLog ?? ""), transact);
    this.outages = new OutageTrail({
      ...{ store: options.store, events: this.#events, transact, webhook: options.webhook },
      isLedElsewhere: () => !this.isLeading && this.#leadership.leader !== "",
    });
    this.#leadership = new Leadership(options.store, options.addr, {
      onLead: (previous) => this.#lead(previous),
      onDepose: () => this.#depose(),
    });
    const confirmer = new Confirmer(options.store, {
      isOurs: (proxy) => this.monitor.proxies.isOurs(proxy),
      // A proxy that has never answered may listen where it cannot be reached from here.
      seemsGone: async (proxy) =>
        isSurelyGone(proxy.description) ||
        (this.monitor.proxies.hasAnswered(proxy) && await refusesConnections(proxy)),
      holdsUpFailover: (proxy) => this.#failover.holdsUp(proxy),
      reasonOf,
      report: (level, text) => this.report(level, text),
      checkLead: () => this.proveLead(),
    }, options.times);
    this.#publisher = new Publisher(options.store, confirmer);
    this.#changes = new ChangeLog(
      options.store,
      this.#leadership,
      this.#publisher,
      (prepared) =>
        prepared.kind === "promote"
          ? resumePromotion(this.#promoteContext, prepared)
          : resumeRuleChange(this.rulesContext),
    );
    this.#holds = new WriteHolds(this, options.auth, transact);
    this.#status = new StatusWriter(options.store, () => ({
      ...{ url: productUrl(options.addr), version: options.version },
      ...statusFigures(monitoredView(this.monitor), this.outages.open),
      slots_moving: this.#migrations?.totals?.slots_left ?? 0,
    }), transact);
    const { failover, failoverAfterMs, lagLimits, historyDir, auth } = options;
    this.monitor = new Monitor(this, {
      outage: (report) => this.outage(report),
      keepOnly: (kind, subjects) => this.outages.keepOnly(kind, subjects),
    }, {
      ...{ lagLimits, historyDir, auth, isFollowed: () => this.sentinels.areThere },
      ...failover === "off" ? {} : { serverMs: Math.min(1_000, failoverAfterMs / 4) },
    });
    this.#failover = new AutoFailover(this, {
      auth: options.auth,
      afterMs: failoverAfterMs,
      isOn: options.failoverRejoin ?? true,
      lostWritesDir: options.failoverLostWritesDir ?? "",
      sightings: this.monitor,
      promote: (...args) => this.#failOver(...args),
      isFollowed: () => this.sentinels.areThere,
    });
    const sentinels = { ...SENTINEL_DEFAULTS, ...options.sentinels };
    this.sentinels = new Sentinels({
      control: this,
      auth: options.auth,
      settings: sentinels,
      initial: sentinels.initial,
      groups: () => this.monitor.tree.groups,
      servers: this.monitor.servers,
      open: openSentinel(sentinels, options),
      takeMaster: (groupId, addr) => this.#followSentinels(groupId, addr),
    });
  }

  /** Whether this dashboard leads. */
  get isLeading(): boolean {
    return this.#leadership.isLeading;
  }

  /**
   * The migrations.
   *
   * @throws {NotLeaderError} When another dashboard leads.
   */
  get migrations(): MigrationQueue {
    if (this.#migrations !== undefined) return this.#migrations;
    throw this.#leadership.notLeader;
  }

  /** Credentials of the Redis servers. */
  get auth(): ServerAuth {
    return this.#options.auth;
  }

  /** Where its configuration is kept in force; `undefined`: it is shown nowhere. */
  get running(): RunningConfig | undefined {
    return this.#options.running;
  }

  get version(): string {
    return this.#options.version;
  }

  /** Takes other settings. */
  set(settings: DashboardSettings): void {
    this.#options = { ...this.#options, ...settings };
    this.#migrations?.limit(settings.migrate ?? {});
    if (settings.lagLimits !== undefined) this.monitor.limitLag(settings.lagLimits);
  }

  /** Starts to lead, or to stand by. */
  start(): void {
    this.#endLag = measureLoopLag();
    this.access.records.start();
    this.outages.start();
    this.#leadership.start(this.#options.takeOver);
  }

  /** Gives up the lead, after the change that is being made. */
  async stop(): Promise<void> {
    await this.audit.flush();
    await this.outages.stop();
    await this.#leadership.stop();
    this.access.records.stop();
    this.#endLag();
  }

  // -- Control --

  async change(change: ClusterChange): Promise<void> {
    try {
      await this.#changes.change(change);
    } catch (error) {
      // All of it may have been written, or nothing.
      await this.#reread();
      throw error;
    }
    if (change.summary !== "") this.report("info", change.summary);
    await this.monitor.tree.written(change.writes)
      .catch((error) => log.warn("groups cannot be read from the coordinator: {error}", { error }));
  }

  redis(addr: string, replyMs: number = REPLY_MS): Promise<RedisConnection> {
    const { auth, dialMs } = this.#options;
    return RedisConnection.open(parseAddress(addr), { ...auth, dialMs, replyMs });
  }

  proxiesFollow(way: "follows_chunks" | "follows_leaving"): Promise<"yes" | "no" | "unknown"> {
    return this.monitor.proxies.allFollow(way);
  }

  report(level: EventView["level"], text: string): void {
    this.#events.report(level, text);
  }

  outage(report: OutageReport): void {
    this.outages.report(report);
  }

  // -- operations --

  /** What changes of slot rules work with. */
  get rulesContext(): RulesContext {
    return {
      control: this,
      changes: this.#changes,
      publisher: this.#publisher,
      followsRules: (proxy) => this.monitor.proxies.follows("follows_rules", proxy),
      transact: (operations) => this.#leadership.transact(operations),
    };
  }

  /** What changes of Redis users work with. */
  get redisUsersContext(): RedisUsersContext {
    return { control: this, usersOf: (proxy) => this.monitor.proxies.usersOf(proxy) };
  }

  /** Promotes a server; see `promote.ts`. */
  async promote(groupId: number, addr: string, isForced: boolean): Promise<void> {
    await this.#promote({ groupId, addr, isForced });
    this.report("info", `${addr} is master of group ${groupId}`);
  }

  async #promote(options: PromoteOptions): Promise<void> {
    const { groupId } = options;
    const stopMs = options.isMasterDown === true ? 0 : undefined;
    try {
      const body = () => promote(this.#promoteContext, options);
      await this.sentinels.aside(
        groupId,
        options.isForced,
        // No key is on its way to or from a server that stops being the master.
        () => this.#migrations?.aside(groupId, body, stopMs) ?? body(),
      );
    } finally {
      await this.#reread();
    }
  }

  /** What is shown to proxies that tell what clients have sent. */
  get proxyToken(): Secret | undefined {
    return this.#options.proxyToken;
  }

  /** Changes users or tokens; what was changed is in force when this resolves. */
  async changeAccess<T>(body: (access: AccessControl) => Promise<T>): Promise<T> {
    try {
      return await body({ control: this, hasConfigToken: this.#options.needsToken });
    } finally {
      // When that fails, the watch brings them.
      await this.access.records.refresh().catch(() => {});
    }
  }

  /**
   * Checks that this dashboard may change anything; if it is just started or taking over, waits for that.
   *
   * @throws {NotLeaderError} When another one leads, or taking over takes too long.
   */
  async checkLead(): Promise<void> {
    if (this.#migrations === undefined) {
      const late = new AbortController();
      const taken = () => this.isLeading ? this.#takingOver.promise : undefined;
      const lateness = sleep(TAKING_OVER_MS, late.signal);
      await Promise.race([this.#leadership.decided.then(taken), lateness]);
      late.abort();
    }
    if (!this.isLeading || this.#migrations === undefined) throw this.#leadership.notLeader;
  }

  proveLead(): Promise<void> {
    return this.#leadership.prove();
  }

  /**
   * The whole cluster.
   *
   * @param isFresh Whether slots, groups and function libraries are read for it.
   */
  async view(isFresh = false): Promise<ClusterView> {
    if (isFresh) await this.#reread();
    if (isFresh) await this.monitor.compareLibraries();
    const { access, monitor, sentinels, outages } = this;
    return await wholeView({
      ...{ access, monitor, sentinels, outages, options: this.#options, events: this.#events },
      ...{ startedAt: this.#startedAt, publisher: this.#publisher, changes: this.#changes },
      migrations: this.#migrations,
    });
  }

  /** What it measures, of itself and, while it leads, of the cluster. */
  metrics(): Metric[] {
    const { store, monitor } = this;
    const migrations = this.#migrations;
    return dashboardMetrics({
      version: this.#options.version,
      product: store.product,
      ...{ coordinatorState: store.coordinator.state, outages: this.outages },
      cluster: !this.isLeading || migrations === undefined ? undefined : {
        view: monitoredView(monitor),
        fences: monitor.proxies.fences,
        migrations: migrations.views(),
        totals: migrations.totals,
        isPaused: migrations.paused !== undefined,
        moved: migrations.moved,
        isFailoverOn: this.#options.failover === "auto",
        failovers: this.#failovers,
        changeSince: this.#changes.current?.since,
      },
    });
  }

  // -- leading --

  async #lead(previous: string): Promise<void> {
    await createFolders(this.store);
    await this.audit.load();
    await this.outages.load();
    await this.monitor.start();
    const { auth, migrate } = this.#options;
    const slowestProxy = () => this.monitor.proxies.slowest;
    this.#migrations = new MigrationQueue(this, { ...migrate, ...auth, slowestProxy });
    // Requests may come from now on: every change first finishes the one that was interrupted.
    this.#takingOver.resolve();
    await this.#migrations.start();
    await this.#changes.recover();
    this.#holds.start();
    await this.#reread();
    await this.#failover.start(this.#options.failover === "auto");
    await this.sentinels.start();
    this.#endRemoving = keepNewestActions(this.store, ACTIONS_KEPT);
    this.#status.start();
    this.report("info", `this dashboard leads (${this.#options.addr}, pid ${Deno.pid})`);
    this.outages.tellLead(this.#options.addr, previous);
  }

  async #depose(): Promise<void> {
    this.#endRemoving();
    this.#status.stop();
    this.audit.unload();
    this.outages.unload();
    this.#failover.stop();
    await this.sentinels.stop();
    this.#holds.stop();
    this.#changes.stop();
    this.monitor.stop();
    await this.#migrations?.stop();
    this.#migrations = undefined;
    this.#takingOver.resolve();
    this.#takingOver = Promise.withResolvers();
  }

  async #failOver(
    groupId: number,
    addr: string,
    whyNot: () => Promise<string>,
  ): Promise<void> {
    const done = failoverNoter(this.audit, this.#failovers, groupId, addr);
    try {
      await this.#promote({ groupId, addr, isForced: true, isMasterDown: true, whyNot });
      done();
    } catch (error) {
      done(error as Error);
      throw error;
    }
  }

  /** Stores what Sentinel has done. */
  async #followSentinels(groupId: number, addr: string): Promise<void> {
    const body = () => announceMaster(this, groupId, addr, "offline");
    try {
      await (this.#migrations?.aside(groupId, body) ?? body());
      this.audit.note(ownNote("sentinel", "switch", `group_id=${groupId} addr=${addr}`));
    } finally {
      await this.#reread();
    }
  }

  async #reread(): Promise<void> {
    await this.monitor.tree.refresh().catch((error) =>
      log.warn("slots and groups cannot be read from the coordinator: {error}", { error })
    );
  }

  get #promoteContext(): PromoteContext {
    const { auth } = this.#options;
    const lastInfo = (addr: string) => this.monitor.servers.infoOf(addr);
    const context = { control: this, changes: this.#changes, holds: this.#holds, auth, lastInfo };
    return { ...context, checkLead: () => this.proveLead() };
  }
}
