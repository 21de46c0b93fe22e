/**
 * The migration tasks of the store, as jobs.
 *
 * @module
 */

import type { BackoffOptions } from "../base/backoff.ts";
import type { Timers } from "../base/timers.ts";
import { loadMigrateTasks, type StoredMigrateTask } from "../store/migrate_tasks.ts";
import { compareSequence } from "../store/sequence.ts";
import type { Store } from "../store/store.ts";
import { MigrationJob } from "./job.ts";
import type { MovedKeys } from "./progress.ts";
import { TotalProgress } from "./totals.ts";

/** See the header. */
export class JobList {
  readonly #store: Store;
  readonly #retry: BackoffOptions;
  readonly #timers: Timers;
  readonly #jobs = new Map<string, MigrationJob>();
  /** How far all jobs together are. */
  readonly totals = new TotalProgress();
  /** What all jobs have moved so far. */
  readonly moved: MovedKeys = { slots: 0, keys: 0, bytes: 0 };
  /** Tasks that have left the store while it is being read. */
  #removed: Set<string> | undefined;

  /** @param retry How long a job waits after it has failed. */
  constructor(store: Store, retry: BackoffOptions, timers: Timers) {
    this.#store = store;
    this.#retry = retry;
    this.#timers = timers;
  }

  /** A job by its task's name. */
  get(name: string): MigrationJob | undefined {
    return this.#jobs.get(name);
  }

  /** Whether the job's task is in the store, as far as is known. */
  has({ name }: MigrationJob): boolean {
    return this.#jobs.has(name);
  }

  /** Whether these are the names of all jobs. */
  isAll(names: readonly string[]): boolean {
    return names.length === this.#jobs.size && names.every((name) => this.#jobs.has(name));
  }

  /** Every job, in any order. */
  all(): MigrationJob[] {
    return [...this.#jobs.values()];
  }

  /** Every job, the oldest first. */
  inOrder(): MigrationJob[] {
    return this.all().sort((a, b) => compareSequence(a.name, b.name));
  }

  /**
   * Reads the tasks of the store. One that cannot be read is not begun; if it is under way, it goes on.
   *
   * @throws {CoordinatorError}
   */
  async read(): Promise<void> {
    const removed = this.#removed = new Set();
    const { paths } = this.#store;
    const bad = new Set<string>();
    const read = await loadMigrateTasks(this.#store, ({ path }) => bad.add(path));
    this.#removed = undefined;
    // Tasks are read one by one: an early one may have ended before the last was read.
    const stored = read.filter(({ name }) => !removed.has(name));
    this.add(stored);
    const names = new Set(stored.map(({ name }) => name));
    for (const job of this.all()) {
      if (names.has(job.name) || bad.has(paths.migrateTask(job.name))) continue;
      // It was deleted by hand.
      await job.stream?.release(job);
      this.#jobs.delete(job.name);
    }
  }

  /** Adds tasks that are in the store. */
  add(tasks: readonly StoredMigrateTask[]): void {
    for (const { name, task } of tasks) {
      if (this.#jobs.has(name)) continue;
      if (this.#jobs.size === 0) this.totals.begin();
      this.#jobs.set(name, new MigrationJob(name, task, this.#retry, this.#timers, this.moved));
    }
  }

  /** Removes a job whose task is no longer in the store. */
  remove({ name }: MigrationJob): void {
    this.#jobs.delete(name);
    this.#removed?.add(name);
  }

  /** Removes a job whose slot has arrived. */
  finish(job: MigrationJob): void {
    this.moved.slots++;
    this.totals.ended(job.view(undefined, false));
    job.stream = undefined;
    this.remove(job);
  }
}
