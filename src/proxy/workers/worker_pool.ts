/**
 * A data plane of several workers, each a thread with a router and a socket on the same port.
 *
 *                        ┌──► worker 0: router ◄── clients ─┐
 *     membership ──► pool┼──► worker 1: router ◄── clients ─┼─ one port (SO_REUSEPORT)
 *                        └──► worker 2: router ◄── clients ─┘
 *
 *     fillSlot ──► every worker: drain ─► swap ─► settled ──► all of them settled: answered
 *
 * **The barrier.** A slot change is settled when it is in every worker; as before, each worker waits for
 * its requests in flight within a bound. Between the first and the last to settle, workers differ, as
 * the proxies of a product do: Codis's steps (blocked everywhere, then migrating everywhere) are made
 * for that. A worker that is alive and does not settle keeps the change from being confirmed.
 *
 * **A worker that dies** takes its clients with it. Another one takes its place, and is given the whole
 * table as it is wanted now, and whether requests are held, before it listens. A change under way
 * waits until the dead one's connections are gone; the new one begins with it, and has nothing in flight.
 *
 * **A pause** of the process is noticed by each worker itself; see `worker.ts`.
 *
 * Bytes (`proxy_max_buffer`) are split evenly; clients (`max_clients`) are counted together.
 *
 * @module
 */

import { usersOf, UsersOwner } from "../../acl/users_owner.ts";
import { delay } from "@std/async/delay";
import { logger, type LogLevel, logLevel, writeLogEntry } from "../../base/log.ts";
import { inTime } from "../../base/sleep.ts";
import type { SlotRule } from "../../hash/placement.ts";
import type { TlsToServers } from "../../io/tls.ts";
import type { TlsToClients } from "../../io/tls_gate.ts";
import type { AllowedCommand } from "../../model/allowed_command.ts";
import { clientPasswords, type UserReads } from "../../router/options.ts";
import { countedSoFar, sumSnapshots } from "../../router/stats_snapshot.ts";
import { LimitPlaces, type UserTake } from "../../router/limits/limit_cells.ts";
import type { Serving } from "../../router/serving.ts";
import type { ClusterMap } from "../../router/cluster_map.ts";
import type { GroupServers, SlotFill } from "../../router/slot_table.ts";
import type {
  DataPlane,
  ListenPlace,
  PlaneEvents,
  PlaneOptions,
  PlaneSettings,
  PlaneStats,
} from "./data_plane.ts";
import { PoolQuestions } from "./pool_questions.ts";
import { addressesOf, placeToBind } from "./place_to_bind.ts";
import { SettlingChanges } from "./settling_changes.ts";
import { endCounts, newSharedCounts, type SharedCounts } from "./shared_context.ts";
import { WantedTable } from "./wanted_table.ts";
import type { PoolCalls } from "./worker_calls.ts";
import {
  ANSWER_MS,
  askEachWorker,
  newPoolWorkers,
  peerCalls,
  type PoolWorker,
  shareOf,
  sumOfWorkers,
  tellWatched,
  ToldAll,
} from "./worker_peers.ts";
import { newWorker, type Thread, WorkerEndedError, WorkerThread } from "./worker_thread.ts";

/** How often stats are read so that little is lost with a worker that dies, in milliseconds. */
const STATS_MS = 5_000;
/** How long after its end a worker's sockets may still be there, in milliseconds. */
const GONE_MS = 100;
/** How much longer than its own bound a worker may take to settle a change, in milliseconds. */
const LATE_MS = 2_000;
/** A worker that has lived for so long did not die of its start, in milliseconds. */
const HEALTHY_MS = 10_000;

const log = logger("proxy");

/** What a pool is made with. */
export interface PoolOptions extends PlaneOptions {
  readonly workers: number;
  /** Starts a thread; for tests. @default A worker of `worker.ts`. */
  readonly spawn?: () => Thread;
}

/** See the header. */
export class WorkerPool extends PoolQuestions implements DataPlane {
  #options: PoolOptions;
  readonly #events: PlaneEvents;
  readonly #counts: SharedCounts;
  readonly #workers: readonly PoolWorker[];
  readonly #wanted = new WantedTable();
  readonly #startedMs = performance.now();
  #openedMs = 0;
  #place: ListenPlace | undefined;
  #serving: Serving = "serving";
  readonly #told = new ToldAll();
  readonly users: UsersOwner;
  readonly limits: LimitPlaces;
  #accepting: "none" | "loading" | "served" = "none";
  #hasAccepted = false;
  /** Whether no worker may begin to listen any more. */
  #isStopping = false;
  #isClosed = false;
  #tableVersion = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #reading: Promise<PlaneStats> | undefined;
  readonly #settling: SettlingChanges;

  private constructor(options: PoolOptions, events: PlaneEvents) {
    const { workers, router } = options;
    const all = newPoolWorkers(workers);
    super(all);
    this.#workers = all;
    this.#options = { ...options, router: shareOf(router, workers) };
    this.#events = events;
    this.#counts = newSharedCounts(workers);
    this.limits = new LimitPlaces(this.#counts.limits);
    this.#settling = new SettlingChanges(router.slotWaitMs + LATE_MS);
    this.users = new UsersOwner(
      usersOf(options.users ?? [], clientPasswords(router)),
      (update) => this.#inAll("users", ({ calls }) => calls.call("updateUsers", update)),
    );
  }

  /**
   * Starts the workers and binds the port in each, if there is a place yet.
   *
   * @throws {Error} Naming the address, when it cannot be bound; no worker is left then.
   */
  static async open(
    place: ListenPlace | undefined,
    options: PoolOptions,
    events: PlaneEvents,
  ): Promise<WorkerPool> {
    const pool = new WorkerPool(options, events);
    try {
      await pool.#open(place);
    } catch (error) {
      pool.close();
      throw error;
    }
    return pool;
  }

  async #open(place: ListenPlace | undefined): Promise<void> {
    if (place !== undefined) this.#place = placeToBind(place, false);
    await Promise.all(this.#workers.map((worker) => this.#start(worker)));
    this.#openedMs = performance.now();
    this.#timer = setInterval(() => this.stats(), STATS_MS);
  }

  async bind(place: ListenPlace, isBeside: boolean): Promise<void> {
    this.#place = placeToBind(place, isBeside);
    const all = this.#workers.map(({ thread }) => thread?.calls.call("bind", this.#place!));
    await Promise.all(all);
  }

  get addresses(): readonly Deno.NetAddr[] {
    return addressesOf(this.#place);
  }

  // -- workers --------------------------------------------------------------------------------

  /**
   * Starts a worker; it gets the whole table before it listens, and every change since.
   *
   * @throws {Error} When it dies on the way, or cannot bind the port.
   */
  async #start(worker: PoolWorker): Promise<void> {
    const { spawn = newWorker, workers: _, ...plane } = this.#options;
    const users = this.users.users.areConfigured ? this.users.users.records() : [];
    const start = {
      plane: { ...plane, users },
      logLevel: logLevel(),
      index: worker.index,
      counts: this.#counts,
    };
    const thread = new WorkerThread(
      spawn(),
      start,
      this.#callsOf(worker),
      (cause) => this.#died(worker, thread, cause),
    );
    worker.thread = thread;
    tellWatched(this.#workers);
    if (this.#serving !== "serving") thread.calls.notify("setServing", this.#serving, 0);
    thread.calls.notify("setLimits", this.limits.all);
    this.#told.tell(thread);
    await this.#wanted.tell(thread);
    if (this.#place !== undefined) await thread.calls.call("bind", this.#place);
    worker.last = await thread.calls.call("stats");
    if (this.#accepting === "loading") thread.calls.notify("acceptLoading");
    if (this.#accepting === "served") thread.calls.notify("accept");
  }

  /** What a worker may ask. */
  #callsOf(worker: PoolWorker): PoolCalls {
    return {
      paused: (pauses) => {
        const { thread } = worker;
        if (thread === undefined) return;
        thread.pauses = pauses;
        if (this.#serving === "refused") thread.calls.notify("setServing", "refused", pauses);
        if (this.#hasAccepted) this.#events.onPause();
      },
      writeLogEntry,
      writeAccessLines: async (lines) => await this.#events.writeAccessLines?.(lines) ?? false,
      changeUsers: (change, clientId) => this.users.change(change, clientId),
      changeConfig: (order, by) => this.#events.changeConfig(order, by),
      proxyStats: async () => (await this.stats()).sum,
      ...peerCalls(this.#workers, worker, this.#told),
    };
  }

  #died(worker: PoolWorker, thread: WorkerThread, cause: string): void {
    const { index, last } = worker;
    worker.thread = undefined;
    worker.watching = [];
    tellWatched(this.#workers);
    endCounts(this.#counts, index);
    if (last !== undefined) {
      const counted = countedSoFar(last);
      worker.counted = worker.counted === undefined
        ? counted
        : sumSnapshots([counted, worker.counted]);
      worker.last = undefined;
    }
    worker.gone = delay(GONE_MS);
    log.error("worker {index} died, closing its clients: {cause}", { index, cause });
    if (this.#isStopping) return;
    if (performance.now() - thread.startedMs > HEALTHY_MS) worker.backoff.reset();
    worker.retry = setTimeout(() => this.#replace(worker), worker.backoff.nextMs());
  }

  async #replace(worker: PoolWorker): Promise<void> {
    const { index } = worker;
    try {
      await this.#start(worker);
      log.info("worker {index} was replaced", { index });
    } catch (error) {
      // One that dies is handled by #died.
      if (error instanceof WorkerEndedError) return;
      const thread = worker.thread!;
      const { message } = error as Error;
      thread.end(message);
      this.#died(worker, thread, message);
    }
  }

  // -- slots ----------------------------------------------------------------------------------

  fillSlot(fill: SlotFill): Promise<void> {
    this.#wanted.fill(fill);
    return this.#everywhere(`slot ${fill.slotId}`, ({ calls }) => calls.call("fillSlot", fill));
  }

  resetSlot(slotId: number): Promise<void> {
    this.#wanted.reset(slotId);
    return this.#everywhere(`slot ${slotId}`, ({ calls }) => calls.call("resetSlot", slotId));
  }

  settleAll(): Promise<void> {
    return this.#everywhere("the slots", ({ calls }) => calls.call("settleAll"));
  }

  setRules(rules: readonly SlotRule[]): Promise<void> {
    this.#wanted.rules = rules;
    return this.#everywhere("slot rules", ({ calls }) => calls.call("setRules", rules));
  }

  setReplicas(groups: readonly GroupServers[]): void {
    this.#wanted.replicas = groups;
    this.#notifyAll((calls) => calls.notify("setReplicas", groups));
  }

  inForce(version: number): void {
    this.#wanted.inForce(version);
    this.#notifyAll((calls) => calls.notify("inForce", version));
  }

  loaded(version: number): void {
    const newest = this.#wanted.inForce(version);
    this.#notifyAll((calls) => calls.notify("loaded", newest));
  }

  /**
   * Makes a change in every worker.
   *
   * @returns When it is settled in all that live, and those that died can have nothing in flight.
   * @throws {Error} When one that lives does not settle it in time, or cannot.
   */
  async #everywhere(
    what: string,
    change: (thread: WorkerThread) => Promise<void>,
  ): Promise<void> {
    await this.#inAll(what, change);
    this.#tableVersion++;
  }

  async #inAll(what: string, change: (thread: WorkerThread) => Promise<void>): Promise<void> {
    const results = await Promise.allSettled(this.#workers.map(async (worker) => {
      if (worker.thread !== undefined) {
        try {
          return await this.#settling.inTime(worker.index, what, change(worker.thread));
        } catch (error) {
          if (!(error instanceof WorkerEndedError)) throw error;
        }
      }
      await worker.gone;
    }));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  // -- requests -------------------------------------------------------------------------------

  setServing(serving: Serving): void {
    this.#serving = serving;
    this.#notifyAll((calls, { pauses }) => calls.notify("setServing", serving, pauses));
  }

  #notifyAll(notify: (calls: WorkerThread["calls"], thread: WorkerThread) => void): void {
    for (const { thread } of this.#workers) if (thread !== undefined) notify(thread.calls, thread);
  }

  allowCommands(commands: readonly AllowedCommand[]): void {
    this.#wanted.allowed = commands;
    this.#notifyAll((calls) => calls.notify("allowCommands", commands));
  }

  setCluster(nodes: ClusterMap): void {
    this.#wanted.cluster = nodes;
    this.#notifyAll((calls) => calls.notify("setCluster", nodes));
  }

  async set({ router, keepAliveMs }: PlaneSettings): Promise<void> {
    const before = this.#options;
    const settings = { router: shareOf(router, before.workers), keepAliveMs };
    // A worker that starts from now on has them from the beginning.
    this.#options = { ...before, router: { ...before.router, ...settings.router }, keepAliveMs };
    if (router.slowerThanUs !== before.router.slowerThanUs) this.#told.forgetSlowerThan();
    this.#settling.settleMs = router.slotWaitMs + LATE_MS;
    await this.users.setPasswords(
      clientPasswords(router),
      () => this.#inAll("settings", ({ calls }) => calls.call("set", settings)),
    );
  }

  limitUsers(users: readonly UserTake[]): Promise<void> {
    const places = this.limits.assign(users);
    return this.#inAll("limits", ({ calls }) => calls.call("setLimits", places));
  }

  setUserReads(reads: readonly UserReads[]): Promise<void> {
    this.#wanted.userReads = reads;
    return this.#inAll("reads", ({ calls }) => calls.call("setUserReads", reads));
  }

  // -- clients --------------------------------------------------------------------------------

  acceptLoading(): void {
    if (this.#accepting !== "none") return;
    this.#accepting = "loading";
    this.#notifyAll((calls) => calls.notify("acceptLoading"));
  }

  async accept(): Promise<void> {
    this.#accepting = "served";
    this.#hasAccepted = true;
    const tookMs = Math.round(this.#openedMs - this.#startedMs);
    log.info("{count} workers, started in {tookMs} ms", { count: this.#workers.length, tookMs });
    // In the place of one that dies meanwhile comes one that serves from its start on.
    const accepting = this.#workers.map(({ thread }) =>
      thread?.calls.call("accept").catch(() => {})
    );
    await Promise.all(accepting);
  }

  async stopAccepting(isGentle = false): Promise<void> {
    this.#accepting = "none";
    this.#isStopping = true;
    for (const { retry } of this.#workers) clearTimeout(retry);
    const stop = (calls: WorkerThread["calls"]) => calls.call("stopAccepting", isGentle);
    await askEachWorker(this.#workers, stop, isGentle ? 10 * ANSWER_MS : ANSWER_MS);
  }

  async leaveSessions(timeoutMs: number): Promise<void> {
    const leave = (calls: WorkerThread["calls"]) => calls.call("leaveSessions", timeoutMs);
    await askEachWorker(this.#workers, leave, timeoutMs + ANSWER_MS);
  }

  async drainSessions(graceMs: number): Promise<void> {
    const drain = (calls: WorkerThread["calls"]) => calls.call("drainSessions", graceMs);
    await askEachWorker(this.#workers, drain, graceMs + ANSWER_MS);
  }

  // -- stats --------------------------------------------------------------------------------

  /** Calls that come while an answer is awaited get the same one. */
  stats(): Promise<PlaneStats> {
    return this.#reading ??= this.#readStats().finally(() => this.#reading = undefined);
  }

  async #readStats(): Promise<PlaneStats> {
    await Promise.all(this.#workers.map(async (worker) => {
      const { thread } = worker;
      const stats = thread && await inTime(thread.calls.call("stats"), ANSWER_MS);
      if (stats !== undefined && worker.thread === thread) worker.last = stats;
    }));
    return sumOfWorkers(this.#workers, performance.now() - this.#startedMs, this.#tableVersion);
  }

  setClientTls(tls: TlsToClients): void {
    Object.assign(this.#options.tls ?? {}, tls); // of workers that begin later
    this.#notifyAll((calls) => calls.notify("setClientTls", tls));
  }

  setServerTls(tls: TlsToServers): void {
    Object.assign(this.#options.router.backendTls ?? {}, tls);
    this.#notifyAll((calls) => calls.notify("setServerTls", tls));
  }

  setLogLevel(level: LogLevel): void {
    this.#notifyAll((calls) => calls.notify("setLogLevel", level));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isStopping = this.#isClosed = true;
    clearInterval(this.#timer);
    this.#told.pause.end();
    this.#settling.stop();
    for (const { retry } of this.#workers) clearTimeout(retry);
    await askEachWorker(this.#workers, (calls) => calls.call("close"));
    for (const { thread } of this.#workers) thread?.end("the pool is closed");
  }
}
