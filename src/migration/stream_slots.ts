/**
 * The jobs of one stream, and the slots of which it moves keys now.
 *
 * @module
 */

import { Turns } from "../base/turns.ts";
import type { GroupRoute } from "./cycle.ts";
import type { JobStream, MigrationJob } from "./job.ts";

/** See the header. */
export class StreamSlots {
  readonly #stream: JobStream;
  readonly #letGo: (job: MigrationJob) => void;
  readonly #jobs = new Map<number, MigrationJob>();
  readonly #moving = new Set<number>();
  readonly #proved = new Set<number>();
  /** Jobs that are being released. */
  readonly #leaving = new Set<MigrationJob>();
  readonly #changes = new Turns(1);

  /** @param letGo Called with every job that leaves and is not finished. */
  constructor(stream: JobStream, letGo: (job: MigrationJob) => void) {
    this.#stream = stream;
    this.#letGo = letGo;
  }

  /** How many jobs there are. */
  get size(): number {
    return this.#jobs.size;
  }

  /** Slots in `migrate` of which keys are moved; it changes when a slot enters or leaves. */
  get moving(): ReadonlySet<number> {
    return this.#moving;
  }

  /** These slots have no key at the source any more: none is moved, and they are to be finished. */
  prove(slotIds: readonly number[]): void {
    for (const slotId of slotIds) if (this.#moving.delete(slotId)) this.#proved.add(slotId);
  }

  /** Whether there are slots to be finished. */
  get isFinishing(): boolean {
    return this.#proved.size > 0;
  }

  /** The jobs of these slots that are to be finished. */
  provedOf(slotIds: readonly number[]): MigrationJob[] {
    return slotIds.flatMap((slotId) => {
      const job = this.#jobs.get(slotId);
      return job !== undefined && this.#proved.has(slotId) ? [job] : [];
    });
  }

  /** The job of a slot. */
  get(slotId: number): MigrationJob | undefined {
    return this.#jobs.get(slotId);
  }

  /** Every job. */
  all(): MigrationJob[] {
    return [...this.#jobs.values()];
  }

  /** Whether a job is the stream's, and stays so. */
  has(job: MigrationJob): boolean {
    return job.stream === this.#stream && !this.#leaving.has(job);
  }

  /** Takes jobs; their slots are not in `migrate` yet. */
  add(jobs: readonly MigrationJob[]): void {
    for (const job of jobs) this.#jobs.set(job.task.slot_id, job);
  }

  /** Slots are in `migrate` on a route: their keys are moved, unless the job is being released. */
  move(jobs: readonly MigrationJob[], route: GroupRoute): void {
    for (const job of jobs) {
      job.currentRoute = route;
      if (this.has(job)) this.#moving.add(job.task.slot_id);
    }
  }

  /**
   * Lets a job go.
   *
   * @param problem Why it cannot go on; left out: nothing keeps it.
   * @param lasts Whether a retry cannot help before an operator changes something.
   */
  leave(job: MigrationJob | undefined, problem?: string, lasts = false): void {
    if (job === undefined || job.stream !== this.#stream) return;
    this.drop(job);
    if (problem !== undefined) job.fail(problem, lasts);
    this.#letGo(job);
  }

  /** Lets several jobs go that have failed for the same reason. */
  leaveAll(jobs: readonly MigrationJob[], error: unknown): void {
    for (const job of jobs) this.leave(job, (error as Error).message);
  }

  /** Forgets a job that is finished. */
  drop({ task: { slot_id } }: MigrationJob): void {
    this.#jobs.delete(slot_id);
    this.#moving.delete(slot_id);
    this.#proved.delete(slot_id);
  }

  /**
   * Makes a change of the store that a release has to wait for. Changes are made one after the other: slots
   * that are blocked do not wait for others.
   */
  change<T>(body: () => Promise<T>): Promise<T> {
    return this.#changes.take(body);
  }

  /**
   * Lets a job go. Resolves when no change of its slot is under way, and no call.
   *
   * @param settled Resolves when no call for a slot is under way.
   */
  async release(job: MigrationJob, settled: (slotId: number) => Promise<void>): Promise<void> {
    const { slot_id } = job.task;
    this.#leaving.add(job);
    this.#moving.delete(slot_id);
    this.#proved.delete(slot_id);
    // Changes that are asked for later leave the slot out.
    await this.#changes.take(() => Promise.resolve());
    this.#moving.delete(slot_id);
    await settled(slot_id);
    this.leave(job);
    this.#leaving.delete(job);
  }
}
