/**
 * The migrations of a product: tasks in the store, and the streams that work on them.
 *
 *      add ─► migrate_tasks/<seq> ─► job ── due, and its servers free ──► stream ─► done: task deleted
 *                                     ▲                                     │
 *                                     └───── waits, with its problem ◄──────┘ it cannot go on
 *
 * A task that fails waits, longer each time, and keeps no other from going on. All that is known of a task
 * but its goal is read from the store, so the next dashboard goes on where this one ended. The scheduler
 * starts what may start, the streams move the slots; here is what operators ask for.
 *
 * @module
 */

import { chunk } from "@std/collections/chunk";
import type { CancelMode } from "../api/answers.ts";
import type { MigrationTotals, MigrationView } from "../api/cluster_view.ts";
import type { BackoffOptions } from "../base/backoff.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import { Turns } from "../base/turns.ts";
import type { Control } from "../control/control.ts";
import { ClosedError } from "../coordinator/errors.ts";
import type { Watch } from "../coordinator/watch.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import { encodeMigratePause, loadMigratePause, type MigratePause } from "../store/migrate_pause.ts";
import type { StoredMigrateTask } from "../store/migrate_tasks.ts";
import { StoreError } from "../store/store.ts";
import type { BigKeyPolicy } from "./big_key_list.ts";
import { cancelTasks, withoutFinishing } from "./cancel.ts";
import type { MigrationJob } from "./job.ts";
import { JobList } from "./job_list.ts";
import type { MoveOptions } from "./mover/mover.ts";
import type { MovedKeys } from "./progress.ts";
import { createTasks, TasksLeftError } from "./request.ts";
import { Scheduler, TASKS_PER_CHANGE } from "./scheduler.ts";
import { StepWriter } from "./step_writer.ts";
import { ABORT_MS, StreamSet } from "./stream_set.ts";
import { endPart } from "./task.ts";
import type { ProxyLatency } from "./throttle.ts";

/** How migrations are run; what is left out has a default. */
export interface MigrationOptions extends Pick<MoveOptions, "user" | "password"> {
  /** Most slots of one source that are in `migrate` at once. @default 1024 */
  readonly slotsAtOnce?: number;
  /** Slots that are blocked together. @default 16 */
  readonly slotsPerChange?: number;
  /** Most keys per second between two servers; 0 is no limit. @default 0 */
  readonly keysPerSecond?: number;
  /** Most bytes per second between two servers; 0 is no limit. @default 0 */
  readonly bytesPerSecond?: number;
  /** Longest p99 latency at a proxy before migrations slow down, in milliseconds; 0: no limit. @default 0 */
  readonly p99MaxMs?: number;
  /** The proxy whose clients wait longest, as far as is known. */
  readonly slowestProxy?: () => ProxyLatency | undefined;
  /** A key of at least this size is a big key, in bytes. @default 1048576 */
  readonly bigKeyBytes?: number;
  /** What is done with big keys. @default "warn" */
  readonly bigKeyPolicy?: BigKeyPolicy;
  /** Longest time that a source stops for a target that does not answer, in milliseconds. @default 2000 */
  readonly migrateMs?: number;
  /** How long a task waits after it has failed. @default 1 s, then longer, up to 5 s */
  readonly retry?: BackoffOptions;
  /** The clock by which retries and stops happen. @default SYSTEM_TIMERS */
  readonly timers?: Timers;
}

const DEFAULTS: Required<Omit<MigrationOptions, "user" | "password">> = {
  slotsAtOnce: SLOT_COUNT,
  slotsPerChange: 16,
  keysPerSecond: 0,
  bytesPerSecond: 0,
  p99MaxMs: 0,
  slowestProxy: () => undefined,
  bigKeyBytes: 1024 ** 2,
  bigKeyPolicy: "warn",
  migrateMs: 2_000,
  retry: { firstMs: 1_000, maxMs: 5_000 },
  timers: SYSTEM_TIMERS,
};

function limitsOf(options: MigrationOptions) {
  return { ...DEFAULTS, ...options };
}

/** See the header. */
export class MigrationQueue {
  readonly #writer: StepWriter;
  readonly #timers: Timers;
  readonly #jobs: JobList;
  readonly #streams: StreamSet;
  readonly #scheduler: Scheduler;
  #state: "new" | "running" | "paused" | "stopped" = "new";
  readonly #known = Promise.withResolvers<void>();
  #pause: MigratePause | undefined;
  #watch: Watch<readonly string[]> | undefined;
  #following: Promise<void> = Promise.resolve();
  /** Requests of operators, one after the other. */
  readonly #requests = new Turns(1);

  /** What streams go by, that which are under way too. */
  readonly #limits: ReturnType<typeof limitsOf>;

  constructor(control: Control, options: MigrationOptions) {
    const all = this.#limits = limitsOf(options);
    const { retry, timers, slowestProxy } = all;
    const writer = this.#writer = new StepWriter(control);
    const jobs = this.#jobs = new JobList(control.store, retry, timers);
    this.#timers = timers;
    const streams = this.#streams = new StreamSet({
      ...{ jobs, writer, limits: all, move: all, retry, timers, slowestProxy },
      onEnd: () => this.#scheduler.wake(),
    });
    this.#scheduler = new Scheduler({
      ...{ jobs, streams, writer, timers },
      retryMs: retry.firstMs,
      isRunning: () => this.#state === "running",
      serially: (body) => this.#requests.take(body),
    });
  }

  /** What streams go by now. */
  get limits(): Readonly<Omit<MigrationOptions, "user" | "password">> {
    return this.#limits;
  }

  /** Takes other limits; a stream that is under way keeps its policy for big keys. */
  limit(limits: Omit<MigrationOptions, "user" | "password">): void {
    Object.assign(this.#limits, limits);
  }

  get #control(): Control {
    return this.#writer.control;
  }

  // -- start and stop ----------------------------------------------------------------------------

  /**
   * Takes up every task of the store, and from now on every new one, unless migrations are paused.
   *
   * @returns When the tasks are known, or cannot be read now.
   * @throws {CoordinatorError} When it cannot be read whether migrations are paused.
   */
  async start(): Promise<void> {
    try {
      if (this.#state === "new") await this.#begin();
    } finally {
      this.#known.resolve();
    }
  }

  async #begin(): Promise<void> {
    const { store } = this.#control;
    this.#pause = await loadMigratePause(store);
    this.#state = this.#pause === undefined ? "running" : "paused";
    this.#watch = store.coordinator.watchChildren(store.paths.migrateTasks);
    this.#following = this.#follow(this.#watch);
    let mayHaveStarted = true;
    try {
      await this.#requests.take(() => this.#jobs.read());
      mayHaveStarted = this.#jobs.all().some(({ task }) => task.status !== "pending");
    } catch {
      // The scheduler reads them again.
    }
    this.#streams.mayHaveLateCopies = mayHaveStarted;
    this.#scheduler.wake();
  }

  /** Ends all work within a few seconds; slots and tasks stay as the store says. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#known.resolve();
    this.#watch?.close();
    const ended = Promise.all([
      this.#streams.stopAll(),
      this.#scheduler.stop(),
      this.#following,
      this.#requests.take(() => Promise.resolve()),
    ]);
    // A change that waits for proxies goes on without us.
    const late = Promise.withResolvers<void>();
    const cancel = this.#timers.after(ABORT_MS, late.resolve);
    await Promise.race([ended, late.promise]);
    cancel();
  }

  /**
   * Pauses migrations, whichever dashboard leads. Slots that are half moved keep serving.
   *
   * @throws As `Control.change`: then migrations go on.
   */
  async pause(): Promise<void> {
    if (this.#state !== "running") return;
    this.#state = "paused";
    const ended = this.#streams.stopAll();
    const pause = { since: Date.now() };
    try {
      await this.#writePause("migrations paused", encodeMigratePause(pause));
      this.#pause = pause;
    } catch (error) {
      this.#goOn();
      throw error;
    } finally {
      await ended;
    }
  }

  /**
   * Ends {@linkcode MigrationQueue.pause}.
   *
   * @throws As `Control.change`: then migrations stay paused.
   */
  async resume(): Promise<void> {
    if (this.#state !== "paused") return;
    await this.#writePause("migrations resumed", null);
    this.#pause = undefined;
    this.#goOn();
  }

  /** The pause of all migrations; `undefined` while they are not paused. */
  get paused(): MigratePause | undefined {
    return this.#pause;
  }

  #goOn(): void {
    if (this.#state === "paused") this.#state = "running";
    this.#scheduler.wake();
  }

  #writePause(summary: string, data: string | null): Promise<void> {
    const { store: { paths } } = this.#control;
    const writes = [{ path: paths.migratePause, data }];
    return this.#control.change({ summary, writes, announcements: [] });
  }

  /**
   * Runs `body` while no key moves to or from a group's servers: its master may change meanwhile.
   *
   * @param stopMs How long moves may take to stop by themselves; 0: the master is down. @default 3000
   */
  async aside<T>(groupId: number, body: () => Promise<T>, stopMs?: number): Promise<T> {
    try {
      return await this.#streams.excluding(groupId, body, stopMs);
    } finally {
      this.#scheduler.wake();
    }
  }

  async #follow(watch: Watch<readonly string[]>): Promise<void> {
    try {
      for await (const names of watch) {
        if (this.#jobs.isAll(names)) this.#scheduler.wake();
        else this.#scheduler.onNews();
      }
    } catch (error) {
      // The coordinator is closed: this dashboard ends.
      if (error instanceof ClosedError) return;
      this.#control.report("error", `cannot watch migration tasks: ${(error as Error).message}`);
    }
  }

  // -- what operators ask for -------------------------------------------------------------------

  /**
   * Stores a task for each of the slots `from` to `to`, both included: all of them, or none, as long as the store
   * takes changes.
   *
   * @param delayMs Least time between two moves, in milliseconds.
   * @param keep Whether keys that only the new group has are kept; a task that waits for them is replaced.
   * @returns The tasks' names.
   * @throws {StoreError} When a group or slot does not allow it; or when the store has failed, and keeps tasks that
   * are deleted when it takes changes again: the message says which and why.
   */
  add(
    from: number,
    to: number,
    groupId: number,
    delayMs: number,
    keep = false,
  ): Promise<string[]> {
    return this.#requests.take(async () => {
      const body = { from, to, new_group: groupId, delay: delayMs, keep };
      const waiting = this.#jobs.all().filter(({ task: { slot_id, new_group, status } }) =>
        keep && slot_id >= from && slot_id <= to && new_group === groupId && status === "pending"
      );
      await this.#scheduler.holding(waiting, () => this.#cancel(waiting, undefined));
      const tasks = await createTasks(this.#control, body).catch((error) => {
        if (error instanceof TasksLeftError) this.#takeBack(error.left);
        throw error;
      });
      this.#jobs.add(tasks);
      this.#scheduler.wake();
      return tasks.map(({ name }) => name);
    });
  }

  /** Has the scheduler delete tasks, as soon as the store lets it. */
  #takeBack(tasks: readonly StoredMigrateTask[]): void {
    this.#jobs.add(tasks);
    for (const { name } of tasks) this.#jobs.get(name)!.takeBack();
    this.#scheduler.wake();
  }

  /**
   * Cancels a task. One that has not started is deleted. One that has started goes back to its source,
   * unless it is nearly done; if it was cancelled before, it goes forward again.
   *
   * @param mode What to do with one that has started instead.
   * @throws {StoreError} When there is no such task.
   * @throws As `Control.change`.
   */
  cancel(name: string, mode?: CancelMode): Promise<void> {
    return this.#requests.take(async () => {
      const job = this.#jobs.get(name);
      if (job === undefined) throw new StoreError(`migrate task ${name} is not found`);
      await this.#scheduler.holding([job], () => this.#cancel([job], mode));
    });
  }

  /**
   * Cancels every task, as {@linkcode MigrationQueue.cancel}, but those that go back already.
   *
   * @throws As `Control.change`.
   */
  cancelAll(mode?: CancelMode): Promise<void> {
    return this.#requests.take(async () => {
      const jobs = this.#jobs.all().filter(({ isGoingBack }) => !isGoingBack);
      await this.#scheduler.holding(jobs, async () => {
        const waiting = jobs.filter(({ stream, task }) => !stream && task.status === "pending");
        for (const some of chunk(waiting, TASKS_PER_CHANGE)) await this.#deleteTasks(some);
        await this.#cancel(jobs.filter((job) => this.#jobs.has(job)), mode);
      });
    });
  }

  async #cancel(all: readonly MigrationJob[], mode: CancelMode | undefined): Promise<void> {
    const jobs = await withoutFinishing(this.#writer, all, mode);
    // All rest at once: those that wait for their turn would arrive meanwhile.
    await Promise.all(jobs.map((job) => job.stream?.release(job)));
    // Some may have finished.
    for (const some of chunk(jobs.filter((job) => this.#jobs.has(job)), TASKS_PER_CHANGE)) {
      for (const job of await cancelTasks(this.#writer, some, mode)) this.#jobs.remove(job);
    }
  }

  async #deleteTasks(jobs: readonly MigrationJob[]): Promise<void> {
    const { store } = this.#control;
    await this.#writer.write(
      `${jobs.length} migration tasks cancelled`,
      jobs.map(({ name }) => endPart(store, name, undefined)),
    );
    for (const job of jobs) this.#jobs.remove(job);
  }

  /** Every task, the oldest first. */
  views(): MigrationView[] {
    const isPaused = this.#state === "paused";
    return this.#jobs.inOrder().map((job) => job.view(this.#streams.retryOf(job), isPaused));
  }

  /** Resolves when the tasks were read that others have left, or could not be read: nobody waits for long. */
  get known(): Promise<void> {
    return this.#known.promise;
  }

  /** How far all tasks together are; null when there are none. */
  get totals(): MigrationTotals | null {
    return this.#jobs.totals.view(this.views());
  }

  /** What they have moved since this dashboard leads. */
  get moved(): MovedKeys {
    return this.#jobs.moved;
  }
}
