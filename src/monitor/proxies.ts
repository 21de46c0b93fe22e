/**
 * Every proxy of the cluster as it last answered, and what happened in it since the answer before.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import type { ProxyView, ServerView } from "../api/cluster_view.ts";
import type { DrainState, ProxyStats } from "../api/proxy_stats.ts";
import { countsSince, percentileMs, sumCounts, type TimeCounts } from "../base/histogram.ts";
import { logger } from "../base/log.ts";
import type { Timers } from "../base/timers.ts";
import { askProxy, causeOfFetch, type ProxyAnswer } from "../control/proxies.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import type { ProxyLatency } from "../migration/throttle.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { deadFences, loadFences } from "../store/fences.ts";
import { loadProxies } from "../store/proxies.ts";
import { logFailure, type Store } from "../store/store.ts";
import { LEAVE_OUT, type UnreadableRecord } from "../store/unreadable.ts";

const log = logger("dashboard");

/** Asks one proxy; rejects when it does not answer. */
export type AskProxy = (proxy: ProxyRecord) => Promise<ProxyAnswer>;

/** What a proxy has counted since it started, and per second. */
export interface ProxyFigures {
  readonly record: ProxyRecord;
  /** Undefined: it does not answer, or is Codis 2.0's. */
  readonly stats: ProxyStats | undefined;
  /** Why it does not answer; empty: it does. */
  readonly problem: string;
  readonly ops: number | null;
  /** CPU time per time. */
  readonly cpu: number | null;
}

/** A proxy as it last answered. */
interface MonitoredProxy {
  record: ProxyRecord;
  answer: ProxyAnswer | undefined;
  /** What it has answered as since it started; undefined: it never has. */
  kind: ProxyAnswer["kind"] | undefined;
  problem: string;
  /** When it answered, in monotonic milliseconds. */
  atMs: number;
  /** Requests per second since the answer before; null while there is only one. */
  ops: number | null;
  /** Answers that were errors, and requests that the proxy failed, per second since the answer before. */
  errors: number | null;
  failures: number | null;
  /** CPU time per time since the answer before. */
  cpu: number | null;
  /** Requests by latency, since the answer before. */
  latency: TimeCounts;
  /** Requests per second of each slot, since the answer before. */
  slotOps: readonly number[];
  /** Reads of each server since the answer before, of clients that may read from replicas. */
  reads: ReadonlyMap<string, number>;
}

/** See the header. */
export class ProxyMonitor {
  readonly #store: Store;
  readonly #timers: Timers;
  readonly #ask: AskProxy;
  readonly #proxies = new Map<string, MonitoredProxy>();
  #fences: readonly string[] = [];
  /** Proxies whose records could not be read in the last round. */
  unreadable: readonly UnreadableRecord[] = [];
  #isAsking = false;

  /** Asks no proxy yet; `ask` asks over HTTP by default. */
  constructor(store: Store, timers: Timers, ask: AskProxy = askProxy) {
    this.#store = store;
    this.#timers = timers;
    this.#ask = ask;
  }

  /**
   * Asks every proxy that is registered, unless the round before has not ended.
   *
   * @returns Whether all have answered, or have not in time.
   */
  async round(): Promise<boolean> {
    if (this.#isAsking) return false;
    this.#isAsking = true;
    try {
      const bad: UnreadableRecord[] = [];
      const [records, fences] = await Promise.all([
        loadProxies(this.#store, (record) => bad.push(record)),
        loadFences(this.#store),
      ]);
      this.#fences = fences;
      this.unreadable = bad;
      const ids = new Set(records.map(({ id }) => id));
      for (const id of this.#proxies.keys()) if (!ids.has(id)) this.#proxies.delete(id);
      await Promise.all(records.map((record) => this.#askOne(record)));
      return true;
    } catch (error) {
      logFailure(this.#store, log, "proxies cannot be read from the coordinator", error);
      return false;
    } finally {
      this.#isAsking = false;
    }
  }

  async #askOne(record: ProxyRecord): Promise<void> {
    const before = this.#proxies.get(record.id);
    const isSameLife = before?.record.start_at === record.start_at;
    const now: MonitoredProxy = {
      record,
      answer: undefined,
      kind: isSameLife ? before?.kind : undefined,
      problem: "",
      atMs: this.#timers.nowMs(),
      ...{ ops: null, errors: null, failures: null, cpu: null },
      latency: [],
      slotOps: [],
      reads: new Map(),
    };
    try {
      now.answer = await this.#ask(record);
      now.kind = now.answer.kind;
      now.atMs = this.#timers.nowMs();
      if (isSameLife && before?.answer !== undefined) compare(before, now);
    } catch (error) {
      now.problem = causeOfFetch(error);
    }
    this.#proxies.set(record.id, now);
  }

  // -- all of them --

  /** Requests per second over all proxies. */
  get ops(): number {
    return [...this.#proxies.values()].reduce((sum, { ops }) => sum + (ops ?? 0), 0);
  }

  /** Errors per second over all proxies that report them. */
  get errors(): { errors: number | null; failures: number | null } {
    const known = [...this.#proxies.values()].filter(({ errors }) => errors !== null);
    if (known.length === 0) return { errors: null, failures: null };
    const sum = (figure: "errors" | "failures") =>
      known.reduce((total, proxy) => total + (proxy[figure] ?? 0), 0);
    return { errors: sum("errors"), failures: sum("failures") };
  }

  /** Clients of all proxies that report them. */
  get sessions(): number {
    return this.#stats().reduce((sum, { sessions }) => sum + sessions, 0);
  }

  /** The time that a share of the requests of the last round did not exceed, in milliseconds. */
  percentileMs(share: number): number | null {
    const all = [...this.#proxies.values()].map(({ latency }) => latency);
    return percentileMs(sumCounts(all), share);
  }

  /** Whether any proxy has reported what each slot is asked for, twice. */
  get hasSlotOps(): boolean {
    return [...this.#proxies.values()].some(({ slotOps }) => slotOps.length > 0);
  }

  /** Requests per second of each slot, over all proxies that report them. */
  slotOps(): number[] {
    const sum = new Array<number>(SLOT_COUNT).fill(0);
    for (const { slotOps } of this.#proxies.values()) {
      slotOps.forEach((ops, slotId) => sum[slotId] = (sum[slotId] ?? 0) + ops);
    }
    return sum;
  }

  /** The proxies that are online and do not report what each slot is asked for. */
  get withoutLoad(): readonly string[] {
    return [...this.#proxies.values()]
      .filter(({ record, answer }) => record.state === "online" && answer?.kind !== "ours")
      .map(({ record }) => record.id);
  }

  /** Of the proxies that are online, the one whose requests take longest, and how long 99 of 100 took. */
  get slowest(): ProxyLatency | undefined {
    let slowest: ProxyLatency | undefined;
    for (const { record: { id, state }, latency } of this.#proxies.values()) {
      const p99Ms = percentileMs(latency, 0.99);
      if (state !== "online" || p99Ms === null) continue;
      if (slowest === undefined || p99Ms > slowest.p99Ms) slowest = { id, p99Ms };
    }
    return slowest;
  }

  /** How many addresses have a fence. */
  get fences(): number {
    return this.#fences.length;
  }

  /** The fenced addresses without an online proxy. */
  get deadFences(): readonly string[] {
    const online = new Set(
      [...this.#proxies.values()].map(({ record }) => record)
        .filter(({ state }) => state === "online").map(({ addr }) => addr),
    );
    return this.#fences.filter((addr) => !online.has(addr));
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

  /** For each server, how many proxies refuse requests for it, and why; null: none does. */
  refusals(): ReadonlyMap<string, ServerView["refused"]> {
    const refusals = new Map<string, ServerView["refused"]>();
    for (
      const { addr, refused_for: cause = "" } of this.#stats().flatMap((each) => each.backends)
    ) {
      const known = refusals.get(addr) ?? null;
      if (cause === "") refusals.set(addr, known);
      else refusals.set(addr, { proxies: (known?.proxies ?? 0) + 1, cause: known?.cause ?? cause });
    }
    return refusals;
  }

  /** Connections to a server that belong to one client each, over all proxies that report them. */
  privatesOf(addr: string): ServerView["private_connections"] {
    let [in_use, max] = [0, 0];
    for (const backend of this.#stats().flatMap(({ backends }) => backends)) {
      if (backend.addr !== addr) continue;
      in_use += backend.private_connections ?? 0;
      max += backend.private_connections_max ?? 0;
    }
    return max === 0 ? null : { in_use, max };
  }

  /** Reads of a server since the round before, and why it serves none; null where nobody reads from replicas. */
  readsOf(addr: string): { reads: number; why_out: string } | null {
    const stats = this.#stats().flatMap(({ reads }) => reads ?? [])
      .filter((each) => each.addr === addr);
    if (stats.length === 0) return null;
    let reads = 0;
    for (const proxy of this.#proxies.values()) reads += proxy.reads.get(addr) ?? 0;
    return { reads, why_out: stats.find(({ why_out }) => why_out !== "")?.why_out ?? "" };
  }

  /** Every proxy with what it has counted. */
  figures(): ProxyFigures[] {
    return [...this.#proxies.values()].map(({ record, answer, problem, ops, cpu }) => ({
      ...{ record, problem, ops, cpu },
      stats: answer?.kind === "ours" ? answer.stats : undefined,
    }));
  }

  /** Every proxy as it is stored and as it last answered. */
  views(): ProxyView[] {
    return [...this.#proxies.values()].map(viewOf);
  }

  // -- one of them --

  /** Whether a proxy is one of ours, as far as it has answered. */
  isOurs(record: ProxyRecord): boolean {
    return this.#sameLife(record)?.kind === "ours";
  }

  /** Whether a proxy has answered since it started. */
  hasAnswered(record: ProxyRecord): boolean {
    return this.#sameLife(record)?.kind !== undefined;
  }

  /** Whether a proxy knows a way in which keys move, or are placed; undefined as long as it has not answered. */
  follows(
    way: "follows_chunks" | "follows_leaving" | "follows_rules",
    record: ProxyRecord,
  ): boolean | undefined {
    const answer = this.#sameLife(record)?.answer;
    if (answer === undefined) return undefined;
    return answer.kind === "ours" && answer.stats[way] === true;
  }

  /**
   * Whether every proxy that may serve, by what is stored now, knows a way in which keys move.
   *
   * @throws {CoordinatorError} When the store cannot be read.
   */
  async allFollow(way: "follows_chunks" | "follows_leaving"): Promise<"yes" | "no" | "unknown"> {
    const records = await loadProxies(this.#store, LEAVE_OUT);
    const answers = records.map((record) => this.follows(way, record));
    if (answers.includes(false)) return "no";
    const dead = deadFences(await loadFences(this.#store), records);
    return dead.length > 0 || answers.includes(undefined) ? "unknown" : "yes";
  }

  /**
   * Where the users of a proxy come from: `none` when it knows nothing of users in the store; undefined as long
   * as it has not answered.
   */
  usersOf(record: ProxyRecord): "file" | "store" | "none" | undefined {
    const answer = this.#sameLife(record)?.answer;
    if (answer === undefined) return undefined;
    return answer.kind === "ours" ? answer.stats.users ?? "none" : "none";
  }

  /** Whether a proxy lets its clients go, or has let them go, as it last answered; undefined: neither is known. */
  drainOf(record: ProxyRecord): DrainState | undefined {
    const answer = this.#sameLife(record)?.answer;
    return answer?.kind === "ours" ? answer.stats.drain : undefined;
  }

  #sameLife({ id, start_at }: ProxyRecord): MonitoredProxy | undefined {
    const proxy = this.#proxies.get(id);
    return proxy?.record.start_at === start_at ? proxy : undefined;
  }

  #stats(): ProxyStats[] {
    return [...this.#proxies.values()].flatMap(({ answer }) =>
      answer?.kind === "ours" ? [answer.stats] : []
    );
  }
}

function viewOf(proxy: MonitoredProxy): ProxyView {
  const { record, answer, problem, ops, errors, failures, latency } = proxy;
  const stats = answer?.kind === "ours" ? answer.stats : undefined;
  const { id, addr, debug_var_addr, state, pid, start_at } = record;
  return {
    ...{ id, addr, debug_var_addr, state, pid, start_at },
    drain: stats?.drain ?? null,
    is_reachable: answer !== undefined,
    problem: problem === "" ? faultOf(record, stats) : problem,
    version: answer?.kind === "codis2" ? answer.version : stats?.version ?? null,
    ops,
    p50_ms: percentileMs(latency, 0.5),
    p99_ms: percentileMs(latency, 0.99),
    ...{ errors, failures },
    sessions: stats?.sessions ?? null,
    memory_bytes: stats?.memory_bytes ?? null,
    stale_seconds: stats?.stale_seconds ?? null,
    table_version: stats?.table_version ?? null,
    slots_offline: stats?.slots_offline ?? null,
  };
}

/** What is wrong with a proxy that answers; `""`: nothing. */
function faultOf({ state }: ProxyRecord, stats: ProxyStats | undefined): string {
  const { slots_offline: count = 0, slot_fault: reason = "" } = stats ?? {};
  if (state !== "online" || count === 0 || reason === "") return "";
  return `does not serve ${countOf(count, "slot")}: ${reason}`;
}

/** Fills in what happened between two answers of a proxy. */
function compare(before: MonitoredProxy, now: MonitoredProxy): void {
  const seconds = (now.atMs - before.atMs) / 1000;
  const [a, b] = [before.answer!, now.answer!];
  const perSecond = (first: number, second: number) => Math.max(0, (second - first) / seconds);
  if (a.kind === "ours" && b.kind === "ours") {
    now.ops = Math.round(perSecond(a.stats.ops, b.stats.ops));
    if (a.stats.errors !== undefined && b.stats.errors !== undefined) {
      now.errors = perSecond(a.stats.errors, b.stats.errors);
      now.failures = perSecond(a.stats.failures ?? 0, b.stats.failures ?? 0);
    }
    const [cpuBefore, cpuNow] = [a.stats.cpu_seconds, b.stats.cpu_seconds];
    if (cpuBefore !== undefined && cpuNow !== undefined) now.cpu = perSecond(cpuBefore, cpuNow);
    now.latency = countsSince(b.stats.times ?? [], a.stats.times ?? []);
    now.slotOps = b.stats.slot_requests.map((count, slotId) =>
      perSecond(a.stats.slot_requests[slotId] ?? 0, count)
    );
    const earlier = new Map(a.stats.reads?.map(({ addr, reads }) => [addr, reads]));
    now.reads = new Map(
      b.stats.reads?.map((
        { addr, reads },
      ) => [addr, Math.max(0, reads - (earlier.get(addr) ?? 0))]),
    );
  } else if (a.kind === "codis2" && b.kind === "codis2") {
    now.ops = Math.round(perSecond(a.ops, b.ops));
  }
}
