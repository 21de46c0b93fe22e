/**
 * What all clients of a router share: its slots, options, counters and budgets.
 *
 * @module
 */

import { AclLog } from "../acl/acl_log.ts";
import { Users } from "../acl/users.ts";
import { clock } from "../base/clock.ts";
import { LongScripts } from "./backends/long_scripts.ts";
import { LowestVersion } from "./backends/lowest_version.ts";
import { Resp3Support } from "./backends/resp3_support.ts";
import { AuthThrottle } from "./client/auth_throttle.ts";
import { type ClusterMap, NO_NODES } from "./cluster_map.ts";
import { ByteBudget } from "./client/byte_budget.ts";
import type { ListedClient } from "./client/client_info.ts";
import { FairTurns } from "./client/fair_turns.ts";
import { Pause } from "./client/pause.ts";
import { ProtectedMode } from "./client/protected_mode.ts";
import { Reconnects } from "./client/reconnects.ts";
import { ReplySizes } from "./client/reply_sizes.ts";
import { Trackers } from "./client/trackers.ts";
import { ScriptTexts } from "./dispatch/script_texts.ts";
import { LimitedUsers } from "./limits/limited_users.ts";
import { Monitors } from "./monitor/monitors.ts";
import type { RouterEvents } from "./events.ts";
import { HotKeys } from "./hot_keys/hot_keys.ts";
import { COMMAND_IDS, LearnedCommands } from "./learned_commands.ts";
import { clientPasswords, type ReadFrom, type RouterOptions } from "./options.ts";
import { accessLine, AccessLines } from "./reports/access_lines.ts";
import type { ReportedRequest } from "./reports/reported_request.ts";
import { RequestReports } from "./reports/request_reports.ts";
import { openSpans } from "./reports/spans.ts";
import { Subscribers } from "./pubsub/subscribers.ts";
import { Subscribing } from "./pubsub/subscribing.ts";
import { Sampling } from "./sampling/sampling.ts";
import { SlowLog, type SlowLogOrder, type SlowLogReading } from "./slow_log/slow_log.ts";
import { RouterSlots } from "./slots/router_slots.ts";
import { CommandStats, newTotals, UserTimes } from "./stats.ts";
import type { WorkerContext } from "./worker_context.ts";

/** The least of what monitors may leave unread, and their part of a router's budget. */
const MONITOR_BYTES_MIN = 1024 * 1024;
const MONITOR_PART = 1 / 8;

/** What the clients of one router share. */
export class RouterShared {
  readonly options: RouterOptions;
  readonly events: RouterEvents;
  /** Its place beside the proxy's other routers. */
  readonly worker: WorkerContext;
  readonly slots: RouterSlots;
  readonly stats = new CommandStats(COMMAND_IDS);
  readonly userTimes = new UserTimes();
  readonly slowLog: SlowLog;
  /** Takes the requests that observers see some of. */
  readonly sampling = new Sampling(() => this.slots.placement);
  /** The keys that clients ask for most, and the largest. */
  readonly hotKeys: HotKeys;
  readonly totals = newTotals();
  readonly replySizes = new ReplySizes(COMMAND_IDS);
  readonly budget: ByteBudget;
  readonly turns = new FairTurns();
  readonly reconnects = new Reconnects();
  /** Who may log in, and do what. */
  readonly users: Users;
  /** What users may take. */
  readonly userLimits: LimitedUsers;
  /** Where clients of users read from that do not as the options say, by name. */
  userReads: ReadonlyMap<string, ReadFrom> = new Map();
  /** The proxies as nodes of a cluster, with `cluster_mode = on`. */
  cluster: ClusterMap = NO_NODES;
  /** What users were refused. */
  readonly aclLog = new AclLog();
  readonly authThrottle = new AuthThrottle();
  readonly protectedMode: ProtectedMode;
  /** What scripts and functions do that declare no keys. */
  readonly scripts = new ScriptTexts((sha, found) => this.worker.peers?.scriptSeen(sha, found));
  /** Whether the servers know RESP3. */
  readonly resp3: Resp3Support;
  readonly version: LowestVersion;
  /** The clients that subscribe. */
  readonly subscribers: Subscribers;
  /** What they subscribe to just now. */
  readonly subscribing: Subscribing;
  /** Commands that only the servers know. */
  readonly learned: LearnedCommands;
  /** Whether the clients are paused, somebody watches what they ask, or a script holds a server up. */
  isOverseen = false;
  readonly pause = new Pause(() => this.#oversee());
  readonly monitors: Monitors;
  /** Lines for the access log; null where there is none. */
  readonly #accessLines: AccessLines | null;
  readonly longScripts = new LongScripts(() => this.slots.pool.servers(), () => this.#oversee());
  /** The clients of CLIENT TRACKING. */
  readonly trackers = new Trackers(() => this.slots.all);
  /** The clients that are connected, by id. */
  readonly clients: ReadonlyMap<number, ListedClient>;
  /** When the router was made, in clock milliseconds. */
  readonly startedMs = clock.tick();
  /** Whether no request may be dispatched now: the slot table is in doubt. */
  isHeld = false;
  /** Whether there is no slot table yet: only what Redis answers while it loads is answered. */
  isLoading = false;
  /** Why no request for a server is served now, as an error text; empty when they are. */
  refusal = "";

  readonly #reports: RequestReports;
  /** Parameters of which it was said that servers have different values. */
  readonly #differing = new Set<string>();

  constructor(
    options: RouterOptions,
    events: RouterEvents,
    worker: WorkerContext,
    clients: ReadonlyMap<number, ListedClient>,
  ) {
    this.options = options;
    this.events = events;
    this.worker = worker;
    this.clients = clients;
    this.slowLog = new SlowLog(options.slowerThanUs, worker.nextSlowId);
    this.hotKeys = new HotKeys(options.hotKeySamples, {
      serverOf: (slotId) => this.slots.all[slotId]?.server?.address ?? "",
      keysOf: (request) => this.sampling.keysAtBeginning(request),
      paceChanged: () => this.sampling.changed(),
      countAll: () => this.sampling.countAll(),
    });
    this.sampling.add(this.hotKeys);
    this.users = new Users(clientPasswords(options));
    this.protectedMode = new ProtectedMode(options, this.users, events);
    this.userLimits = new LimitedUsers(worker.limits);
    const { writeAccessLines } = events;
    const lines = options.hasAccessLog && writeAccessLines !== undefined
      ? new AccessLines(writeAccessLines, this.totals)
      : null;
    this.#accessLines = lines;
    const sinks = {
      span: openSpans(options.version),
      line: lines &&
        ((done: ReportedRequest, trace: string) => lines.add(() => accessLine(done, trace))),
    };
    this.#reports = new RequestReports(options.requestSample, sinks, this.sampling, this.slowLog);
    this.budget = new ByteBudget(options.proxyBufferBytesMax, worker);
    this.monitors = new Monitors({
      peers: worker.peers,
      unreadBytesMax: () => monitorBytesMax(this.options, this.budget),
      changed: () => {
        this.#oversee();
        this.slowLog.monitor(this.monitors);
      },
      dropped: (client, bytes) => events.monitorDropped(client as ListedClient, bytes),
    });
    const masters = () => this.slots.masters();
    this.version = new LowestVersion(masters);
    this.learned = new LearnedCommands(masters);
    this.resp3 = new Resp3Support(masters, options.backendDialMs);
    this.slots = new RouterSlots(options, {
      backendReady: (backend) => {
        events.backendReady(backend);
        this.resp3.check();
      },
      backendLost: (backend, cause, wasReady) => {
        events.backendLost(backend, cause, wasReady);
        this.resp3.check();
      },
      circuitOpened: (server) => events.circuitOpened(server),
      circuitClosed: (server, openMs) => events.circuitClosed(server, openMs),
      slotDrainTimedOut: (slotId, backends) => events.slotDrainTimedOut(slotId, backends),
    });
    this.subscribers = new Subscribers(this.slots, options.backendDialMs, events, this.totals);
    this.slots.listener = this.subscribers;
    this.subscribing = new Subscribing(worker.subscribing, options.backendDialMs);
  }

  /** Takes other options; what was made with the old ones follows. */
  setOptions(next: RouterOptions): void {
    const { slowerThanUs } = this.options;
    Object.assign(this.options, next);
    // As long as the option stays, what a client has set stays.
    if (next.slowerThanUs !== slowerThanUs) this.slowLog.set({ slowerThanUs: next.slowerThanUs });
    this.hotKeys.perSecond = next.hotKeySamples;
    this.#reports.reportOneOf(next.requestSample);
    this.budget.limitTo(next.proxyBufferBytesMax);
    this.resp3.patienceMs = next.backendDialMs;
    this.subscribers.patienceMs = next.backendDialMs;
    this.subscribing.limitMs = next.backendDialMs;
    this.slots.optionsChanged(this.options);
    this.users.setPasswords(clientPasswords(this.options));
  }

  /** What was done is told of now, in traces and the access log; resolves when all lines are written, or lost. */
  async flushReports(): Promise<void> {
    this.#reports.flush();
    await this.#accessLines?.flush();
  }

  /** Reports once that two servers have different values of a parameter. */
  serversDiffer(parameter: string, one: string, two: string): void {
    if (this.#differing.has(parameter)) return;
    this.#differing.add(parameter);
    this.events.serversDiffer(parameter, one, two);
  }

  /** Tells the slow log, and LATENCY, what to do; returns what they had before. */
  orderSlowLog(order: SlowLogOrder): SlowLogReading {
    if (order.resetTimes === true) this.stats.reset();
    return this.slowLog.read(order);
  }

  #oversee(): void {
    this.isOverseen = this.pause.isActive || this.monitors.isActive || this.longScripts.isActive;
  }

  /** Whether requests need no other look than by their command: they are served, and nobody oversees them. */
  get isPlain(): boolean {
    return this.refusal === "" && !this.isOverseen;
  }

  /** Bytes received from clients, of closed ones and open ones. */
  get inputBytes(): number {
    let bytes = this.totals.inputBytes;
    for (const client of this.clients.values()) bytes += client.inputBytes;
    return bytes;
  }
}

/** Bytes of lines that monitors may leave unread: so few that other clients have enough. */
function monitorBytesMax({ sessionBufferBytesMax }: RouterOptions, budget: ByteBudget): number {
  const part = Math.max(MONITOR_BYTES_MIN, budget.limitBytes * MONITOR_PART);
  return Math.min(sessionBufferBytesMax / 2, part);
}
