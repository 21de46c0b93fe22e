/**
 * What the dashboard knows of the cluster at this moment: the store's tree, every server's INFO, every
 * proxy's figures, and the last minutes of them.
 *
 *     store ── every 10 s, and what is written here at once ──► slots, groups
 *     servers ── INFO every second, one connection each ──────────► ServerView
 *     proxies ── /stats every second ──────────────────────────► ProxyView, history
 *
 * @module
 */

import type { HistoryView, ProxyView, ServerView, SlotsView } from "../api/cluster_view.ts";
import { percentileMs, type ProxyStats } from "../api/proxy_stats.ts";
import { logger } from "../base/log.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import type { GroupRecord } from "../model/group.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import type { ServerRecord } from "../model/server.ts";
import { decodeSlot, NO_GROUP, type SlotRecord } from "../model/slot.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { keysIn, readInfoWithMaxmemory, type RedisInfo, runIdIn } from "../redis/info.ts";
import { loadFences } from "../store/fences.ts";
import { loadGroups } from "../store/groups.ts";
import { loadProxies } from "../store/proxies.ts";
import { loadSlots } from "../store/slots.ts";
import type { Control, EntryWrite } from "../control/control.ts";
import type { ProxyLatency } from "../migration/throttle.ts";
import { askProxy, causeOfFetch, type ProxyAnswer } from "../control/proxies.ts";
import { isSameServer, type Replication, replicationOf } from "../control/servers.ts";

const PROXY_MS = 1_000;
const SERVER_MS = 1_000;
const TREE_MS = 10_000;
/** How long a server must not have answered until that is told, in milliseconds. */
const DOWN_MS = 2_000;
/** Longest time that a server may take to answer INFO, in milliseconds. */
const INFO_MS = 2_000;
/** Steps of the history that are kept: five minutes. */
const HISTORY_STEPS = 300;
/** Looks over which the load of slots is averaged: a minute. */
const LOAD_LOOKS = 60;

const log = logger("dashboard");

/** A server as it last answered. */
interface PolledServer {
  connection: RedisConnection | undefined;
  info: RedisInfo | undefined;
  problem: string;
  /** When it stopped answering, in monotonic milliseconds; undefined while it answers. */
  downSinceMs: number | undefined;
  /** Since when it has not answered, as was told last; undefined when it was told that it does. */
  toldDownMs: number | undefined;
  isBusy: boolean;
}

/** A proxy as it last answered, and how often things had happened then. */
interface PolledProxy {
  record: ProxyRecord;
  answer: ProxyAnswer | undefined;
  /** Whether it has ever answered in this life. */
  hasAnswered: boolean;
  problem: string;
  atMs: number;
  ops: number | null;
  /** Requests by latency, since the reading before. */
  latency: readonly number[];
  slotOps: readonly number[];
}

/** See the header. */
export class Poll {
  readonly #control: Control;
  readonly #servers = new Map<string, PolledServer>();
  readonly #proxies = new Map<string, PolledProxy>();
  #slots: (SlotRecord | undefined)[] = [];
  #groups: readonly GroupRecord[] = [];
  #fences: readonly string[] = [];
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  readonly #history: {
    at: number[];
    ops: number[];
    p50_ms: (number | null)[];
    p99_ms: (number | null)[];
    sessions: number[];
  } = { at: [], ops: [], p50_ms: [], p99_ms: [], sessions: [] };
  readonly #slotLoad: number[] = new Array<number>(SLOT_COUNT).fill(0);
  /** Looks of which the slots' load is the average. */
  #looks = 0;
  #isStopped = false;
  #isReading = false;
  #isAsking = false;

  /** Reads through `control`; nothing is read yet. */
  constructor(control: Control) {
    this.#control = control;
  }

  /** Begins to look, having looked once. */
  async start(): Promise<void> {
    this.#isStopped = false;
    this.#looks = 0;
    await this.refresh();
    if (this.#isStopped) return;
    this.#askProxies();
    this.#askServers();
    this.#timers.push(
      setInterval(() => this.#askProxies(), PROXY_MS),
      setInterval(() => this.#askServers(), SERVER_MS),
      setInterval(() => this.#refreshSoon(), TREE_MS),
    );
  }

  /** Ends looking. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    for (const { connection } of this.#servers.values()) connection?.close();
    this.#servers.clear();
  }

  // -- the tree --

  /** Takes over what a change has written; groups are read anew. */
  async written(writes: readonly EntryWrite[]): Promise<void> {
    const { store } = this.#control;
    for (const { path, data } of writes) {
      if (data === null || !path.startsWith(`${store.paths.slots}/`)) continue;
      const slot = decodeSlot(data);
      this.#slots[slot.id] = slot;
    }
    if (!writes.some(({ path }) => path.startsWith(`${store.paths.servers}/`))) return;
    this.#groups = await loadGroups(store);
  }

  /** Reads slots and groups anew. */
  async refresh(): Promise<void> {
    const { store } = this.#control;
    const [slots, groups] = await Promise.all([loadSlots(store), loadGroups(store)]);
    const byId: (SlotRecord | undefined)[] = Array.from({ length: SLOT_COUNT });
    for (const slot of slots) byId[slot.id] = slot;
    this.#slots = byId;
    this.#groups = groups;
  }

  #refreshSoon(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.refresh()
      .catch((error) => log.warn("the tree cannot be read: {error}", { error }))
      .finally(() => this.#isReading = false);
  }

  /** The groups as they were last read. */
  get groups(): readonly GroupRecord[] {
    return this.#groups;
  }

  /** The fenced addresses without an online proxy. */
  get deadFences(): readonly string[] {
    const online = new Set(
      [...this.#proxies.values()].map(({ record }) => record)
        .filter(({ state }) => state === "online").map(({ addr }) => addr),
    );
    return this.#fences.filter((addr) => !online.has(addr));
  }

  /** The slots as they were last read, and their load. */
  slotsView(): SlotsView {
    const group: number[] = [];
    const from: Record<string, number> = {};
    let status = "";
    for (let slotId = 0; slotId < SLOT_COUNT; slotId++) {
      const slot = this.#slots[slotId];
      group.push(slot?.group_id ?? NO_GROUP);
      status += slot === undefined ? "-" : LETTERS[slot.state.status];
      if (slot?.state.status === "migrate") from[slotId] = slot.state.migrate_status.from;
    }
    const ops = this.#slotOps().map(Math.round);
    return { group, status, from, ops, served: this.#slotsServed() };
  }

  #slotsServed(): number {
    const isUp = new Map(this.#groups.map((group) => [group.id, this.#isMasterUp(group)]));
    return this.#slots.filter((slot) => {
      if (slot === undefined) return false;
      const { group_id, state: { status, migrate_status: { from } } } = slot;
      if (status === "online") return isUp.get(group_id);
      return status === "migrate" && isUp.get(group_id) && isUp.get(from);
    }).length;
  }

  /** Whether a group's master answers us, or any proxy. */
  #isMasterUp({ servers }: GroupRecord): boolean {
    const master = servers?.find(({ type }) => type === "master")?.addr;
    if (master === undefined) return false;
    return this.downMs(master) === 0 || this.votesOn(master).up > 0;
  }

  /** Requests per second of each slot, on average over the last minute as far as it was watched. */
  get slotLoad(): readonly number[] {
    return this.#slotLoad;
  }

  /** The proxies that are online and do not tell what each slot is asked for. */
  get proxiesWithoutLoad(): readonly string[] {
    return [...this.#proxies.values()]
      .filter(({ record, answer }) => record.state === "online" && answer?.kind !== "ours")
      .map(({ record }) => record.id);
  }

  #slotOps(): number[] {
    const ops = new Array<number>(SLOT_COUNT).fill(0);
    for (const { slotOps } of this.#proxies.values()) {
      for (let i = 0; i < slotOps.length; i++) ops[i]! += slotOps[i]!;
    }
    return ops;
  }

  /** How many slots a group owns. */
  slotCount(groupId: number): number {
    return this.#slots.reduce((sum, slot) => sum + (slot?.group_id === groupId ? 1 : 0), 0);
  }

  // -- servers --

  #askServers(): void {
    const wanted = new Set(this.#groups.flatMap(({ servers }) => servers?.map(addrOf) ?? []));
    for (const [addr, polled] of this.#servers) {
      if (wanted.has(addr)) continue;
      polled.connection?.close();
      this.#servers.delete(addr);
    }
    for (const addr of wanted) this.#askServer(addr);
    this.#tellServers();
  }

  /** Tells of servers that have stopped answering, and of those that answer again. */
  #tellServers(): void {
    for (const { id, servers } of this.#groups) {
      for (const { addr, type } of servers ?? []) {
        const polled = this.#servers.get(addr);
        if (polled === undefined) continue;
        const downMs = this.downMs(addr);
        const name = `group ${id}: the ${type === "slave" ? "replica" : type} ${addr}`;
        if (downMs === 0 && polled.toldDownMs !== undefined) {
          const seconds = Math.round((performance.now() - polled.toldDownMs) / 1000);
          polled.toldDownMs = undefined;
          this.#control.report("info", `${name} answers again, after ${seconds} s`);
        } else if (downMs > DOWN_MS && polled.toldDownMs === undefined && type !== "offline") {
          polled.toldDownMs = performance.now() - downMs;
          const level = type === "master" ? "error" : "warning";
          const cause = polled.problem.replace(`${addr}: `, "");
          this.#control.report(level, `${name} does not answer: ${cause}`);
        }
      }
    }
  }

  async #askServer(addr: string): Promise<void> {
    let polled = this.#servers.get(addr);
    if (polled === undefined) {
      polled = {
        connection: undefined,
        info: undefined,
        problem: "not asked yet",
        downSinceMs: undefined,
        toldDownMs: undefined,
        isBusy: false,
      };
      this.#servers.set(addr, polled);
    }
    if (polled.isBusy) return;
    polled.isBusy = true;
    try {
      if (polled.connection !== undefined && !polled.connection.isOpen) {
        polled.downSinceMs ??= polled.connection.failedMs;
        polled.connection = undefined;
      }
      if (polled.connection === undefined) {
        polled.connection = await this.#control.redis(addr, INFO_MS);
      }
      polled.info = await readInfoWithMaxmemory(polled.connection);
      polled.problem = "";
      polled.downSinceMs = undefined;
    } catch (error) {
      polled.problem = error instanceof Error ? error.message : `${error}`;
      // A connection that was lost since the last look tells when.
      polled.downSinceMs ??= polled.connection?.failedMs || performance.now();
      polled.connection?.close();
      polled.connection = undefined;
    } finally {
      polled.isBusy = false;
      if (this.#isStopped) polled.connection?.close();
    }
  }

  /** How long a server has not answered, in milliseconds; 0 when it does, or was never asked. */
  downMs(addr: string): number {
    const polled = this.#servers.get(addr);
    const since = polled?.downSinceMs ?? (polled?.connection?.failedMs || undefined);
    return since === undefined ? 0 : performance.now() - since;
  }

  /** INFO of a server as it was last read. */
  infoOf(addr: string): RedisInfo | undefined {
    return this.#servers.get(addr)?.info;
  }

  /** A server as it is stored and as it last answered. */
  serverView({ addr, type }: ServerRecord, master: string): ServerView {
    const polled = this.#servers.get(addr);
    const isDown = polled?.downSinceMs !== undefined;
    const info = isDown ? undefined : polled?.info;
    const number = (name: string) => info?.[name] === undefined ? null : Number(info[name]);
    const replication = info === undefined ? undefined : replicationOf(info);
    const followed = this.#followed(replication, master);
    const masterInfo = this.infoOf(followed);
    const masterOffset = masterInfo === undefined ? undefined : replicationOf(masterInfo).offset;
    return {
      addr,
      type,
      is_reachable: info !== undefined,
      problem: polled === undefined ? "not asked yet" : polled.problem || this.#otherName(addr) ||
        differenceOf(type, replication, followed, master),
      down_seconds: Math.round(this.downMs(addr) / 1000),
      role: replication?.role ?? null,
      version: info?.["redis_version"] ?? null,
      uptime_seconds: number("uptime_in_seconds"),
      keys: info === undefined ? null : keysIn(info),
      ops: number("instantaneous_ops_per_sec"),
      clients: number("connected_clients"),
      memory_bytes: number("used_memory"),
      maxmemory_bytes: number("maxmemory"),
      replication: replication?.role !== "slave" ? null : {
        master: replication.master,
        is_up: replication.isLinked,
        lag_bytes: masterOffset === undefined
          ? null
          : Math.max(0, masterOffset - replication.offset),
      },
    };
  }

  /** Whom a replica follows, by the address that is stored where it has another name for that server. */
  #followed(replication: Replication | undefined, master: string): string {
    if (replication === undefined) return "";
    const { history } = replicationOf(this.infoOf(master) ?? {});
    const isOneHistory = history !== "" && history === replication.history;
    return isOneHistory || isSameServer(replication.master, master) ? master : replication.master;
  }

  /** That a server is stored under another address as well; `""` when it is not. */
  #otherName(addr: string): string {
    const runId = runIdIn(this.infoOf(addr) ?? {});
    if (runId === "") return "";
    const other = [...this.#servers].find(([each, { info, downSinceMs }]) =>
      each !== addr && downSinceMs === undefined && info !== undefined && runIdIn(info) === runId
    );
    return other === undefined ? "" : `the same server as ${other[0]}, stored twice`;
  }

  // -- proxies --

  async #askProxies(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const { store } = this.#control;
      const [records, fences] = await Promise.all([loadProxies(store), loadFences(store)]);
      this.#fences = fences;
      const ids = new Set(records.map(({ id }) => id));
      for (const id of this.#proxies.keys()) if (!ids.has(id)) this.#proxies.delete(id);
      await Promise.all(records.map((record) => this.#askProxy(record)));
      this.#remember();
    } catch (error) {
      log.warn("proxies cannot be read: {error}", { error });
    } finally {
      this.#isAsking = false;
    }
  }

  async #askProxy(record: ProxyRecord): Promise<void> {
    const before = this.#proxies.get(record.id);
    const isSameLife = before?.record.start_at === record.start_at;
    const now: PolledProxy = {
      record,
      answer: undefined,
      hasAnswered: isSameLife && before?.hasAnswered === true,
      problem: "",
      atMs: performance.now(),
      ops: null,
      latency: [],
      slotOps: [],
    };
    try {
      now.answer = await askProxy(record);
      now.hasAnswered = true;
      now.atMs = performance.now();
      if (isSameLife && before?.answer !== undefined) compare(before, now);
    } catch (error) {
      now.problem = causeOfFetch(error);
    }
    this.#proxies.set(record.id, now);
  }

  #remember(): void {
    const history = this.#history;
    const polled = [...this.#proxies.values()];
    const latency = sumOf(polled.map((proxy) => proxy.latency));
    history.at.push(Date.now());
    history.ops.push(this.ops);
    history.p50_ms.push(percentileMs([], latency, 0.5));
    history.p99_ms.push(percentileMs([], latency, 0.99));
    history.sessions.push(this.sessions);
    this.#averageLoad();
    for (const list of Object.values(history)) if (list.length > HISTORY_STEPS) list.shift();
  }

  #averageLoad(): void {
    // Before a proxy has told twice, there is nothing to compare.
    if (![...this.#proxies.values()].some(({ slotOps }) => slotOps.length > 0)) return;
    this.#looks = Math.min(LOAD_LOOKS, this.#looks + 1);
    for (const [slotId, ops] of this.#slotOps().entries()) {
      this.#slotLoad[slotId]! += (ops - this.#slotLoad[slotId]!) / this.#looks;
    }
  }

  /** Requests per second over all proxies. */
  get ops(): number {
    return [...this.#proxies.values()].reduce((sum, { ops }) => sum + (ops ?? 0), 0);
  }

  /** Of the proxies that are online, the one whose requests take longest, and how long 99 of 100 took. */
  get slowestProxy(): ProxyLatency | undefined {
    let slowest: ProxyLatency | undefined;
    for (const { record: { id, state }, latency } of this.#proxies.values()) {
      const p99Ms = percentileMs([], latency, 0.99);
      if (state !== "online" || p99Ms === null) continue;
      if (slowest === undefined || p99Ms > slowest.p99Ms) slowest = { id, p99Ms };
    }
    return slowest;
  }

  /** Clients of all proxies that tell. */
  get sessions(): number {
    return this.#stats().reduce((sum, { sessions }) => sum + sessions, 0);
  }

  /** The last minutes. */
  get history(): HistoryView {
    return { step_ms: PROXY_MS, ...this.#history };
  }

  /** Whether a proxy is one of ours, as far as it has told. */
  isOurs({ id, start_at }: ProxyRecord): boolean {
    const polled = this.#proxies.get(id);
    return polled?.record.start_at === start_at && polled.answer?.kind === "ours";
  }

  /** Whether a proxy has told anything in this life. */
  hasAnswered({ id, start_at }: ProxyRecord): boolean {
    const polled = this.#proxies.get(id);
    return polled?.record.start_at === start_at && polled.hasAnswered;
  }

  /** Whether a proxy follows moves in chunks; nothing as long as it has not told. */
  followsChunks({ id, start_at }: ProxyRecord): boolean | undefined {
    const polled = this.#proxies.get(id);
    if (polled?.record.start_at !== start_at || polled.answer === undefined) return undefined;
    return polled.answer.kind === "ours" && polled.answer.stats.follows_chunks === true;
  }

  /** How many proxies see a server up, and how many see it down. */
  votesOn(addr: string): { up: number; down: number } {
    const states = this.#stats().flatMap(({ backends }) =>
      backends.filter((backend) => backend.addr === addr).map(({ state }) => state)
    );
    return {
      up: states.filter((state) => state === "up").length,
      down: states.filter((state) => state === "down").length,
    };
  }

  /** Every proxy as it is stored and as it last answered. */
  proxyViews(): ProxyView[] {
    return [...this.#proxies.values()].map(({ record, answer, problem, ops, latency }) => {
      const stats = answer?.kind === "ours" ? answer.stats : undefined;
      const { id, addr, debug_var_addr, state, pid, start_at } = record;
      return {
        ...{ id, addr, debug_var_addr, state, pid, start_at },
        is_reachable: answer !== undefined,
        problem,
        version: answer?.kind === "codis2" ? answer.version : stats?.version ?? null,
        ops,
        p50_ms: percentileMs([], latency, 0.5),
        p99_ms: percentileMs([], latency, 0.99),
        sessions: stats?.sessions ?? null,
        memory_bytes: stats?.memory_bytes ?? null,
        stale_seconds: stats?.stale_seconds ?? null,
        table_version: stats?.table_version ?? null,
        slots_offline: stats?.slots_offline ?? null,
      };
    });
  }

  #stats(): ProxyStats[] {
    return [...this.#proxies.values()].flatMap(({ answer }) =>
      answer?.kind === "ours" ? [answer.stats] : []
    );
  }
}

const LETTERS = { online: "o", offline: "x", migrate: "m", pre_migrate: "p" } as const;

function addrOf({ addr }: ServerRecord): string {
  return addr;
}

/** Fills in what happened between two answers of a proxy. */
function compare(before: PolledProxy, now: PolledProxy): void {
  const seconds = (now.atMs - before.atMs) / 1000;
  const [a, b] = [before.answer!, now.answer!];
  const perSecond = (first: number, second: number) => Math.max(0, (second - first) / seconds);
  if (a.kind === "ours" && b.kind === "ours") {
    now.ops = Math.round(perSecond(a.stats.ops, b.stats.ops));
    now.latency = b.stats.latency_buckets.map((count, k) =>
      Math.max(0, count - (a.stats.latency_buckets[k] ?? 0))
    );
    now.slotOps = b.stats.slot_requests.map((count, slotId) =>
      perSecond(a.stats.slot_requests[slotId] ?? 0, count)
    );
  } else if (a.kind === "codis2" && b.kind === "codis2") {
    now.ops = Math.round(perSecond(a.ops, b.ops));
  }
}

function sumOf(lists: readonly (readonly number[])[]): number[] {
  const sums: number[] = [];
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) sums[i] = (sums[i] ?? 0) + list[i]!;
  }
  return sums;
}

/** How a server differs from what is stored of it; `""` when it does not. */
function differenceOf(
  type: ServerRecord["type"],
  replication: Replication | undefined,
  followed: string,
  master: string,
): string {
  if (replication === undefined) return "";
  if (type === "master" && replication.role === "slave") {
    return `stored as master, but it follows ${replication.master}`;
  }
  if (type !== "slave") return "";
  if (replication.role === "master") return "stored as slave, but it follows nobody";
  if (master !== "" && followed !== master) {
    return `it follows ${replication.master}, not the master ${master}`;
  }
  return replication.isLinked ? "" : `its link to ${replication.master} is down`;
}
