/**
 * Starts what may start: reads the tasks' slots, ends tasks with nothing to do, starts streams.
 *
 *      wake ─► read tasks and slots ─► end, mark errors ─► start streams on free routes ─► wait for the
 *       ▲                                                                                 next retry
 *       └───────────── news of the store, an operator's request, a stream that has ended ─────┘
 *
 * @module
 */

import { chunk } from "@std/collections/chunk";
import type { Timers } from "../base/timers.ts";
import type { Control } from "../control/control.ts";
import { SlotReader } from "../store/slots.ts";
import { StoreError } from "../store/store.ts";
import type { MigrationJob } from "./job.ts";
import type { JobList } from "./job_list.ts";
import { cycleNoteOf, hasWork, isOnRoute, routesOf } from "./routes.ts";
import type { StepWriter } from "./step_writer.ts";
import type { StreamSet } from "./stream_set.ts";
import { type ChangePart, endPart, taskPart } from "./task.ts";

/** Tasks that are written in one change, which is one transaction then. */
export const TASKS_PER_CHANGE = 32;

/** What the scheduler works with. */
export interface SchedulerOptions {
  readonly jobs: JobList;
  readonly streams: StreamSet;
  readonly writer: StepWriter;
  readonly timers: Timers;
  /** Wait after a failure that keeps all migrations, in milliseconds. */
  readonly retryMs: number;
  /** Whether migrations may run now. */
  isRunning(): boolean;
  /** Runs `body` before or after an operator's request, not in its middle. */
  serially<T>(body: () => Promise<T>): Promise<T>;
}

/** See the header. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  #round: Promise<void> | undefined;
  #isWoken = false;
  /** Whether the store may have other tasks than are known. */
  #hasNews = true;
  #cancelTimer = () => {};
  /** What keeps all migrations, as last reported. */
  #reported = "";

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  get #control(): Control {
    return this.#options.writer.control;
  }

  /** The store may have other tasks than are known. */
  onNews(): void {
    this.#hasNews = true;
    this.wake();
  }

  /** Starts a round soon, unless migrations are paused or stopped. */
  wake(): void {
    if (!this.#options.isRunning()) return;
    this.#isWoken = true;
    this.#round ??= this.#runRounds().finally(() => {
      this.#round = undefined;
      // A call between the last round and this moment has found a round that was over.
      if (this.#isWoken) this.wake();
    });
  }

  /** Ends its timer. Resolves when no round runs. */
  async stop(): Promise<void> {
    this.#cancelTimer();
    await this.#round;
    this.#cancelTimer();
  }

  /** Runs `body` while nothing else may start work on these jobs. */
  async holding(jobs: readonly MigrationJob[], body: () => Promise<void>): Promise<void> {
    for (const job of jobs) job.isHeld = true;
    try {
      await body();
    } finally {
      for (const job of jobs) job.isHeld = false;
      this.wake();
    }
  }

  async #runRounds(): Promise<void> {
    while (this.#isWoken && this.#options.isRunning()) {
      this.#isWoken = false;
      try {
        await this.#runRound();
        this.#reported = "";
      } catch (error) {
        const { message } = error as Error;
        if (message !== this.#reported) {
          this.#control.report("warning", `migrations wait: ${message}`);
        }
        this.#reported = message;
        // A call meanwhile is answered by the timer: at once, the same would fail again.
        this.#isWoken = false;
        this.#wakeIn(this.#options.retryMs);
        return;
      }
    }
  }

  async #runRound(): Promise<void> {
    await this.#readNews();
    const { jobs: list, streams, timers, writer } = this.#options;
    const nowMs = timers.nowMs();
    const jobs = list.inOrder();
    const due = dueJobs(jobs, nowMs);
    if (due.length > 0) await writer.settle();
    const reader = new SlotReader(this.#control.store);
    await Promise.all(due.map((job) => this.#readSlot(job, reader)));
    await this.#end(due.filter(({ step, isHeld }) => step?.kind === "end" && !isHeld));
    await this.#markErrors();
    this.#startStreams(due);
    const untils = [
      ...jobs.filter(({ stream }) => stream === undefined).map(({ dueMs }) => dueMs),
      ...streams.dueTimesMs,
    ].filter((untilMs) => untilMs > nowMs);
    if (untils.length > 0) this.#wakeIn(Math.min(...untils) - nowMs);
  }

  async #readNews(): Promise<void> {
    if (!this.#hasNews) return;
    this.#hasNews = false;
    try {
      // Not while a request creates tasks: either all of them are stored, or none.
      await this.#options.serially(() => this.#options.jobs.read());
    } catch (error) {
      this.#hasNews = true;
      throw error;
    }
  }

  #startStreams(due: readonly MigrationJob[]): void {
    const { streams, isRunning } = this.#options;
    // A pause or a stop meanwhile has ended only the streams that there were.
    if (!isRunning()) return;
    for (const route of routesOf(due)) {
      const note = cycleNoteOf(route, streams.traffic);
      for (const job of due) if (isOnRoute(job, route)) job.note = note;
      if (note === "" && streams.isFree(route) && hasWork(route, streams.traffic)) {
        streams.start(route);
      }
    }
  }

  #wakeIn(ms: number): void {
    this.#cancelTimer();
    if (!this.#options.isRunning()) return;
    this.#cancelTimer = this.#options.timers.after(Math.max(1, ms), () => this.wake());
  }

  async #readSlot(job: MigrationJob, reader: SlotReader): Promise<void> {
    try {
      job.readSlot(await reader.load(job.task.slot_id));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      job.step = { kind: "wait", why: error.message };
    }
    if (job.step?.kind === "wait") job.fail(job.step.why);
  }

  /** Deletes tasks with nothing to do. */
  async #end(jobs: readonly MigrationJob[]): Promise<void> {
    const { writer } = this.#options;
    for (const ending of chunk(jobs, TASKS_PER_CHANGE)) {
      const parts: ChangePart[] = ending.flatMap(({ name, step }) =>
        step?.kind === "end" ? [endPart(this.#control.store, name, step.slot)] : []
      );
      await writer.writeAnyway(`${ending.length} migration tasks with nothing to do`, parts);
      for (const job of ending) {
        this.#options.jobs.remove(job);
        if (job.step?.kind === "end") {
          this.#control.report(
            "info",
            `task ${job.name} ended without a migration: ${job.step.why}`,
          );
        }
      }
    }
  }

  /** Writes `error` into tasks that do not go on, as Codis 2.0 does. */
  async #markErrors(): Promise<void> {
    const { jobs: list, serially, streams, writer } = this.#options;
    const failed = () =>
      list.inOrder().filter((job) =>
        job.stream === undefined && !job.isHeld && job.task.status === "migrating" &&
        (job.hasProblem || streams.retryOf(job)?.problem)
      ).slice(0, TASKS_PER_CHANGE);
    while (failed().length > 0) {
      await serially(async () => {
        const jobs = failed();
        await this.holding(jobs, async () => {
          const parts = jobs.map(({ name, task }) =>
            taskPart(this.#control.store, name, task, "error")
          );
          await writer.write(`${jobs.length} migration tasks cannot go on`, parts);
          for (const job of jobs) job.task = { ...job.task, status: "error" };
        });
      });
    }
  }
}

/** Jobs that may be worked on; of several tasks of one slot only the first is. */
function dueJobs(jobs: readonly MigrationJob[], nowMs: number): MigrationJob[] {
  const due: MigrationJob[] = [];
  const first = new Map<number, MigrationJob>();
  for (const job of jobs) {
    const { slot_id } = job.task;
    const other = first.get(slot_id);
    if (other !== undefined) job.fail(`task ${other.name} of the same slot comes first`);
    else if (job.isDue(nowMs)) due.push(job);
    first.set(slot_id, other ?? job);
  }
  return due;
}
