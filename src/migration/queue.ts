/**
 * The migrations of a product: tasks in the store, and the streams that work on them.
 *
 *      add ─► migrate_tasks/<seq> ─► job ── due, and its servers free ──► stream ─► done: task deleted
 *                                     ▲                                     │
 *                                     └───────── rests, with its problem ───┘ something keeps it
 *
 * A server gives keys to one other at a time, and gets them from one; and keys do not go in circles
 * (move_ways.ts): a route waits until slots that would close one have arrived. A task that fails rests, longer
 * each time, and keeps nobody: others go on. Whatever is known of a task but its goal is read from the
 * store, so the next dashboard takes over wherever this one ended.
 *
 * @module
 */

import type { CancelMode } from "../api/answers.ts";
import type { MigrationTotals, MigrationView } from "../api/cluster_view.ts";
import type { BackoffOptions } from "../base/backoff.ts";
import { sleep } from "../base/sleep.ts";
import type { Watch } from "../coordinator/watch.ts";
import { ClosedError } from "../coordinator/errors.ts";
import { encodeMigratePause, loadMigratePause, type MigratePause } from "../store/migrate_pause.ts";
import { loadMigrateTasks, type StoredMigrateTask } from "../store/migrate_tasks.ts";
import { compareSequence } from "../store/sequence.ts";
import { loadSlot } from "../store/slots.ts";
import { StoreError } from "../store/store.ts";
import type { BigKeyPolicy } from "./big_keys.ts";
import type { Control } from "../control/control.ts";
import type { MoveOptions } from "./mover/mover.ts";
import { MigrationJob, Trouble } from "./job.ts";
import { createTasks } from "./request.ts";
import { cancelTask, isToFinish } from "./cancel.ts";
import { TotalProgress } from "./totals.ts";
import { type ChangePart, endPart, taskPart } from "./task.ts";
import { MoveStream, type StreamLimits, type StreamRoute } from "./stream.ts";
import {
  cycleNoteOf,
  hasWork,
  isOnRoute,
  jobsFor,
  routeKey,
  routesOf,
  type Traffic,
} from "./routes.ts";
import type { ProxyLatency } from "./throttle.ts";
import { MoveLock } from "./mover/move_lock.ts";
import { StepWriter } from "./step_writer.ts";

/** How migrations are run; what is left out has a default. */
export interface MigrationOptions extends Pick<MoveOptions, "user" | "password"> {
  /** Slots of one source that are in `migrate` at once. @default 256 */
  readonly slotsAtOnce?: number;
  /** Slots that are blocked together. @default 16 */
  readonly slotsPerChange?: number;
  /** Most keys per second between two servers; 0 is no limit. @default 0 */
  readonly keysPerSecond?: number;
  /** Most bytes per second between two servers; 0 is no limit. @default 0 */
  readonly bytesPerSecond?: number;
  /** What 99 of 100 requests at a proxy may take at most, in milliseconds; 0: whatever. @default 0 */
  readonly p99MaxMs?: number;
  /** The proxy whose clients wait longest, as far as proxies tell. */
  readonly slowestProxy?: () => ProxyLatency | undefined;
  /** A key of at least this size is a big one, in bytes. @default 1048576 */
  readonly bigKeyBytes?: number;
  /** What is done with big keys. @default "warn" */
  readonly bigKeyPolicy?: BigKeyPolicy;
  /** Longest time that a source stops for a target that does not answer, in milliseconds. @default 2000 */
  readonly migrateMs?: number;
  /** Rests of a task that has failed. */
  readonly retry?: BackoffOptions;
}

/** Rests of a task that has failed. */
const RETRY: BackoffOptions = { firstMs: 1_000, maxMs: 5_000 };
/** How long streams may take to end by themselves, in milliseconds. */
const STOP_MS = 3_000;
/** How long they may take once they are broken off, in milliseconds. */
const BREAK_OFF_MS = 2_000;
/** Tasks that are written in one change, which is one transaction then. */
const TASKS_PER_CHANGE = 32;

/** See the header. */
export class MigrationQueue {
  readonly #writer: StepWriter;
  readonly #retry: BackoffOptions;
  readonly #options: MoveOptions;
  readonly #limits: StreamLimits;
  readonly #slowestProxy: () => ProxyLatency | undefined;
  readonly #jobs = new Map<string, MigrationJob>();
  /** The tasks that have left the store while it is being read. */
  #gone: Set<string> | undefined;
  readonly #totals = new TotalProgress();
  readonly #streams = new Map<MoveStream, Promise<void>>();
  /** What keeps everything that goes one route, by the route. */
  readonly #troubles = new Map<string, Trouble>();
  readonly #moveLocks = new Map<string, MoveLock>();
  /** Whether a dashboard before us had begun tasks: it may have died in the middle of a move. */
  #foundBegun = false;
  /** Groups that must not take part, and how often that was asked for. */
  readonly #aside = new Map<number, number>();
  #state: "new" | "running" | "paused" | "stopped" = "new";
  #pause: MigratePause | undefined;
  #watch: Watch<readonly string[]> | undefined;
  #watching: Promise<void> = Promise.resolve();
  #planning: Promise<void> | undefined;
  #isStale = false;
  /** What was told last of what keeps all migrations. */
  #told = "";
  /** Whether the store may have other tasks than we know of. */
  #hasNews = true;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Requests of operators, one after the other. */
  #requests: Promise<unknown> = Promise.resolve();

  constructor(control: Control, options: MigrationOptions) {
    this.#writer = new StepWriter(control);
    this.#retry = options.retry ?? RETRY;
    this.#options = {
      user: options.user,
      password: options.password,
      bigKeyBytes: options.bigKeyBytes ?? 1024 ** 2,
      bigKeyPolicy: options.bigKeyPolicy ?? "warn",
      migrateMs: options.migrateMs ?? 2_000,
    };
    this.#limits = {
      slotsAtOnce: options.slotsAtOnce ?? 256,
      slotsPerChange: options.slotsPerChange ?? 16,
      keysPerSecond: options.keysPerSecond ?? 0,
      bytesPerSecond: options.bytesPerSecond ?? 0,
      p99MaxMs: options.p99MaxMs ?? 0,
    };
    this.#slowestProxy = options.slowestProxy ?? (() => undefined);
  }

  get #control(): Control {
    return this.#writer.control;
  }

  // -- its life ---------------------------------------------------------------------------------

  /**
   * Takes up every task there is, and from now on every new one, unless migrations are paused.
   *
   * @returns When the tasks are known, or cannot be read now.
   * @throws {CoordinatorError} When it cannot be read whether they are.
   */
  async start(): Promise<void> {
    if (this.#state !== "new") return;
    const { store } = this.#control;
    this.#pause = await loadMigratePause(store);
    this.#state = this.#pause === undefined ? "running" : "paused";
    this.#watch = store.coordinator.watchChildren(store.paths.migrateTasks);
    this.#watching = this.#follow(this.#watch);
    try {
      await this.#request(() => this.#readTasks());
      this.#foundBegun = [...this.#jobs.values()].some(({ task }) => task.status !== "pending");
    } catch {
      this.#foundBegun = true; // tried again soon
    }
    this.#wake();
  }

  /** Ends all work within a few seconds; everything stays as the store says. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#watch?.close();
    clearTimeout(this.#timer);
    const ended = Promise.all([
      this.#endStreams([...this.#streams.keys()]),
      this.#planning,
      this.#watching,
      this.#requests,
    ]);
    // A change that waits for proxies goes on without us.
    const late = new AbortController();
    await Promise.race([ended, sleep(STOP_MS + BREAK_OFF_MS, late.signal)]);
    late.abort();
  }

  /**
   * Lets migrations rest, whichever dashboard leads: slots on their route stay so, and clients are served.
   *
   * @throws As `Control.change`: then they go on.
   */
  async pause(): Promise<void> {
    if (this.#state !== "running") return;
    this.#state = "paused";
    const ended = this.#endStreams([...this.#streams.keys()]);
    const pause = { since: Date.now() };
    try {
      await this.#writePause("migrations are paused", encodeMigratePause(pause));
      this.#pause = pause;
    } catch (error) {
      this.#goOn();
      throw error;
    } finally {
      await ended;
    }
  }

  /**
   * Goes on after {@linkcode MigrationQueue.pause}.
   *
   * @throws As `Control.change`: then they stay paused.
   */
  async resume(): Promise<void> {
    if (this.#state !== "paused") return;
    await this.#writePause("migrations go on", null);
    this.#pause = undefined;
    this.#goOn();
  }

  /** Since when migrations are paused; nothing while they are not. */
  get paused(): MigratePause | undefined {
    return this.#pause;
  }

  #goOn(): void {
    if (this.#state === "paused") this.#state = "running";
    this.#wake();
  }

  #writePause(summary: string, data: string | null): Promise<void> {
    const { store: { paths } } = this.#control;
    const writes = [{ path: paths.migratePause, data }];
    return this.#control.change({ summary, writes, announcements: [] });
  }

  /**
   * Does something while no key goes to or from a group's servers: its master may change meanwhile.
   * Slots on their route stay so.
   */
  async aside<T>(groupId: number, body: () => Promise<T>): Promise<T> {
    this.#aside.set(groupId, (this.#aside.get(groupId) ?? 0) + 1);
    try {
      await this.#endStreams(
        [...this.#streams.keys()].filter(({ route }) =>
          route.from === groupId || route.to === groupId
        ),
      );
      return await body();
    } finally {
      const left = this.#aside.get(groupId)! - 1;
      if (left === 0) this.#aside.delete(groupId);
      else this.#aside.set(groupId, left);
      this.#wake();
    }
  }

  async #endStreams(streams: readonly MoveStream[]): Promise<void> {
    for (const stream of streams) stream.stop();
    const timer = setTimeout(() => {
      for (const stream of streams) stream.breakOff();
    }, STOP_MS);
    await Promise.all(streams.map((stream) => this.#streams.get(stream)));
    clearTimeout(timer);
  }

  // -- what operators ask for -------------------------------------------------------------------

  /**
   * Stores a task for each of the slots `from` to `to`, both included: all of them, or none.
   *
   * @param delayMs Least time between two moves, in milliseconds.
   * @returns The tasks' names.
   * @throws {StoreError} When a group or slot is not fit for it; the message says which and why.
   */
  add(from: number, to: number, groupId: number, delayMs: number): Promise<string[]> {
    return this.#request(async () => {
      const tasks = await createTasks(this.#control, {
        from,
        to,
        new_group: groupId,
        delay: delayMs,
      });
      this.#know(tasks);
      this.#wake();
      return tasks.map(({ name }) => name);
    });
  }

  /**
   * Cancels a task: one that has not begun is deleted; one that has goes back to where it came from,
   * unless it is nearly done, and a cancelled one forward again.
   *
   * @param mode What becomes of one that has begun, where that is not to be.
   * @throws {StoreError} When there is no such task.
   * @throws As `Control.change`.
   */
  cancel(name: string, mode?: CancelMode): Promise<void> {
    return this.#request(async () => {
      const job = this.#jobs.get(name);
      if (job === undefined) throw new StoreError(`migrate task ${name} is not found`);
      await this.#holding([job], () => this.#cancel(job, mode));
    });
  }

  /**
   * Cancels every task, as {@linkcode MigrationQueue.cancel}, but those that are on their route back.
   *
   * @throws As `Control.change`.
   */
  cancelAll(mode?: CancelMode): Promise<void> {
    return this.#request(async () => {
      const jobs = [...this.#jobs.values()].filter(({ isTurned }) => !isTurned);
      await this.#holding(jobs, async () => {
        const waiting = jobs.filter(({ stream, task }) => !stream && task.status === "pending");
        for (let at = 0; at < waiting.length; at += TASKS_PER_CHANGE) {
          await this.#deleteTasks(waiting.slice(at, at + TASKS_PER_CHANGE));
        }
        for (const job of jobs) if (this.#jobs.has(job.name)) await this.#cancel(job, mode);
      });
    });
  }

  async #deleteTasks(jobs: readonly MigrationJob[]): Promise<void> {
    const { store } = this.#control;
    await this.#writer.write(
      `${jobs.length} migration tasks cancelled`,
      jobs.map(({ name }) => endPart(store, name, undefined)),
    );
    for (const { name } of jobs) this.#forget(name);
  }

  /** Every task, in the order in which they were made. */
  views(): MigrationView[] {
    return this.#inOrder().map((job) => job.view(this.#troubleOf(job), this.#state === "paused"));
  }

  /** How far all tasks together are; null when there are none. */
  get totals(): MigrationTotals | null {
    return this.#totals.view(this.views());
  }

  #inOrder(): MigrationJob[] {
    return [...this.#jobs.values()].sort((a, b) => compareSequence(a.name, b.name));
  }

  /** What keeps everything that goes a job's route. */
  #troubleOf({ route }: MigrationJob): Trouble | undefined {
    return route === undefined ? undefined : this.#troubles.get(routeKey(route));
  }

  #request<T>(body: () => Promise<T>): Promise<T> {
    const done = this.#requests.then(body);
    this.#requests = done.catch(() => {});
    return done;
  }

  /** Keeps everybody else from jobs while something is done with them. */
  async #holding(jobs: readonly MigrationJob[], body: () => Promise<void>): Promise<void> {
    for (const job of jobs) job.isHeld = true;
    try {
      await body();
    } finally {
      for (const job of jobs) job.isHeld = false;
      this.#wake();
    }
  }

  async #cancel(job: MigrationJob, mode: CancelMode | undefined): Promise<void> {
    if (await isToFinish(this.#writer, job, mode)) return;
    await job.stream?.release(job);
    // It may have come to its end meanwhile.
    if (!this.#jobs.has(job.name)) return;
    if (await cancelTask(this.#writer, job, mode)) this.#forget(job.name);
  }

  // -- tasks in the store -----------------------------------------------------------------------

  async #follow(watch: Watch<readonly string[]>): Promise<void> {
    try {
      for await (const names of watch) {
        const isKnown = names.length === this.#jobs.size &&
          names.every((name) => this.#jobs.has(name));
        this.#hasNews ||= !isKnown;
        this.#wake();
      }
    } catch (error) {
      // Nobody is left to work for.
      if (!(error instanceof ClosedError)) this.#control.report("error", (error as Error).message);
    }
  }

  async #readTasks(): Promise<void> {
    const gone = this.#gone = new Set();
    const read = await loadMigrateTasks(this.#control.store);
    this.#gone = undefined;
    // One by one: what was read first may have come to its end before the last was.
    const stored = read.filter(({ name }) => !gone.has(name));
    this.#know(stored);
    const names = new Set(stored.map(({ name }) => name));
    for (const job of [...this.#jobs.values()]) {
      if (names.has(job.name)) continue;
      // Somebody has deleted it by hand.
      await job.stream?.release(job);
      this.#jobs.delete(job.name);
    }
  }

  /** Knows a task no more that is no longer in the store. */
  #forget(name: string): void {
    this.#jobs.delete(name);
    this.#gone?.add(name);
  }

  #know(tasks: readonly StoredMigrateTask[]): void {
    for (const { name, task } of tasks) {
      if (this.#jobs.has(name)) continue;
      if (this.#jobs.size === 0) this.#totals.begin();
      this.#jobs.set(name, new MigrationJob(name, task, this.#retry));
    }
  }

  // -- streams ----------------------------------------------------------------------------------

  /** Looks soon what can be begun. */
  #wake(): void {
    if (this.#state !== "running") return;
    this.#isStale = true;
    this.#planning ??= this.#planAll().finally(() => {
      this.#planning = undefined;
      // Who called between the last look and this moment was not heard.
      if (this.#isStale) this.#wake();
    });
  }

  async #planAll(): Promise<void> {
    while (this.#isStale && this.#state === "running") {
      this.#isStale = false;
      try {
        await this.#plan();
        this.#told = "";
      } catch (error) {
        const { message } = error as Error;
        if (message !== this.#told) this.#control.report("warning", `migrations wait: ${message}`);
        this.#told = message;
        // Whoever calls meanwhile is heard then, too: at once, the same would fail again.
        this.#isStale = false;
        this.#wakeIn(this.#retry.firstMs);
        return;
      }
    }
  }

  async #plan(): Promise<void> {
    if (this.#hasNews) {
      this.#hasNews = false;
      try {
        // Not while tasks are being made, of which all or none shall be.
        await this.#request(() => this.#readTasks());
      } catch (error) {
        this.#hasNews = true;
        throw error;
      }
    }
    const nowMs = performance.now();
    const jobs = this.#inOrder();
    const due: MigrationJob[] = [];
    const busy = new Map<number, MigrationJob>();
    for (const job of jobs) {
      const { slot_id } = job.task;
      const first = busy.get(slot_id);
      if (first !== undefined) job.fail(`task ${first.name} of the same slot comes first`);
      else if (job.isDue(nowMs)) due.push(job);
      busy.set(slot_id, first ?? job);
    }
    if (due.length > 0) await this.#writer.settle();
    await Promise.all(due.map((job) => this.#look(job)));
    await this.#end(due.filter(({ step, isHeld }) => step?.kind === "end" && !isHeld));
    await this.#markErrors();
    // A stop or a pause meanwhile has ended the streams that there were.
    for (const route of this.#state === "running" ? routesOf(due) : []) {
      const circle = cycleNoteOf(route, this.#traffic);
      for (const job of due) if (isOnRoute(job, route)) job.note = circle;
      if (circle === "" && this.#isFree(route) && hasWork(route, this.#traffic)) this.#begin(route);
    }
    const untils = [
      ...jobs.filter(({ stream }) => stream === undefined).map(({ dueMs }) => dueMs),
      ...[...this.#troubles.values()].map(({ untilMs }) => untilMs),
    ].filter((untilMs) => untilMs > nowMs);
    if (untils.length > 0) this.#wakeIn(Math.min(...untils) - nowMs);
  }

  #wakeIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#state === "stopped") return;
    this.#timer = setTimeout(() => this.#wake(), Math.max(1, ms));
  }

  async #look(job: MigrationJob): Promise<void> {
    try {
      job.look(await loadSlot(this.#control.store, job.task.slot_id));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      job.step = { kind: "wait", why: error.message };
    }
    if (job.step?.kind === "wait") job.fail(job.step.why);
  }

  async #end(jobs: readonly MigrationJob[]): Promise<void> {
    const { store } = this.#control;
    for (let at = 0; at < jobs.length; at += TASKS_PER_CHANGE) {
      const ending = jobs.slice(at, at + TASKS_PER_CHANGE);
      const parts: ChangePart[] = ending.flatMap(({ name, step }) =>
        step?.kind === "end" ? [endPart(store, name, step.slot)] : []
      );
      await this.#writer.writeAnyway("tasks with nothing to do", parts);
      for (const job of ending) {
        this.#forget(job.name);
        if (job.step?.kind === "end") this.#control.report("info", `no migration: ${job.step.why}`);
      }
    }
  }

  /** Says in the store what does not go on: `error`, as Codis 2.0. */
  async #markErrors(): Promise<void> {
    const failed = () =>
      this.#inOrder().filter((job) =>
        job.stream === undefined && !job.isHeld && job.task.status === "migrating" &&
        (job.isInTrouble || this.#troubleOf(job)?.text)
      ).slice(0, TASKS_PER_CHANGE);
    while (failed().length > 0) {
      // An operator's request comes before it or after it, not in its middle.
      await this.#request(async () => {
        const jobs = failed();
        await this.#holding(jobs, async () => {
          const parts = jobs.map(({ name, task }) =>
            taskPart(this.#control.store, name, task, "error")
          );
          await this.#writer.write(`${jobs.length} migration tasks do not go on`, parts);
          for (const job of jobs) job.task = { ...job.task, status: "error" };
        });
      });
    }
  }

  /** Whether nobody uses the servers as this route would, and nothing keeps it. */
  #isFree(route: StreamRoute): boolean {
    if (this.#traffic.isKept(route)) return false;
    if (this.#aside.has(route.from) || this.#aside.has(route.to)) return false;
    return [...this.#streams.keys()].every((stream) =>
      stream.route.from !== route.from && stream.route.to !== route.to
    );
  }

  get #traffic(): Traffic {
    const nowMs = performance.now();
    return {
      jobs: [...this.#jobs.values()],
      running: [...this.#streams.keys()].map(({ route }) => route),
      isKept: (route) => (this.#troubles.get(routeKey(route))?.untilMs ?? 0) > nowMs,
      nowMs,
    };
  }

  #begin(route: StreamRoute): void {
    const stream = new MoveStream(route, {
      writer: this.#writer,
      limits: this.#limits,
      options: this.#options,
      moveLock: (addr) => this.#moveLock(addr),
      slowestProxy: this.#slowestProxy,
      take: (stream, count) => this.#take(stream, count),
      upcoming: (stream) =>
        [...this.#jobs.values()]
          .filter((job) => job.task.status === "pending" && isOnRoute(job, stream.route))
          .map(({ task }) => task.slot_id),
      goesOn: ({ route }) => this.#troubles.delete(routeKey(route)),
      letGo: (job) => job.stream = undefined,
      ended: (job) => {
        this.#totals.ended(job.view(undefined, false));
        job.stream = undefined;
        this.#forget(job.name);
      },
    });
    this.#streams.set(stream, this.#run(stream));
  }

  async #run(stream: MoveStream): Promise<void> {
    try {
      await stream.run();
      this.#troubles.delete(routeKey(stream.route));
    } catch (error) {
      if (!stream.isStopping) this.#failed(stream, error as Error);
    }
    this.#streams.delete(stream);
    this.#wake();
  }

  #failed({ route }: MoveStream, error: Error): void {
    const key = routeKey(route);
    const trouble = this.#troubles.get(key) ?? new Trouble(this.#retry);
    this.#troubles.set(key, trouble);
    if (trouble.text !== error.message) {
      const text = `migration from group ${route.from} to ${route.to} waits: ${error.message}`;
      this.#control.report("warning", text);
    }
    trouble.happened(error.message);
  }

  #moveLock(addr: string): MoveLock {
    const moveLock = this.#moveLocks.get(addr) ??
      new MoveLock(this.#foundBegun ? "unknown" : "none");
    this.#moveLocks.set(addr, moveLock);
    return moveLock;
  }

  #take(stream: MoveStream, count: number): MigrationJob[] {
    const jobs = jobsFor(stream.route, count, this.#traffic);
    for (const job of jobs) {
      job.stream = stream;
      job.note = "";
    }
    return jobs;
  }
}
