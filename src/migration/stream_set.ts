/**
 * The streams that move slots now, and the routes and groups on which none may.
 *
 * A server gives keys to one other server at a time, and gets keys from one.
 *
 * @module
 */

import type { BackoffOptions } from "../base/backoff.ts";
import type { Timers } from "../base/timers.ts";
import { routeKey, type StreamRoute } from "./cycle.ts";
import type { MigrationJob } from "./job.ts";
import type { JobList } from "./job_list.ts";
import { MoveLock } from "./mover/move_lock.ts";
import type { MoveOptions } from "./mover/mover.ts";
import { RetryState } from "./retry_state.ts";
import { isOnRoute, jobsFor, type Traffic } from "./routes.ts";
import type { StepWriter } from "./step_writer.ts";
import { MoveStream, type StreamLimits } from "./stream.ts";
import { MigrationSummary } from "./summary.ts";
import type { ProxyLatency } from "./throttle.ts";

/** How long streams may take to stop by themselves, in milliseconds. */
const STOP_MS = 3_000;
/** How long it takes at most to stop streams that must be aborted, in milliseconds. */
export const ABORT_MS = STOP_MS + 2_000;

/** What streams are made of. */
export interface StreamSetOptions {
  readonly jobs: JobList;
  readonly writer: StepWriter;
  readonly limits: StreamLimits;
  readonly move: MoveOptions;
  /** How long a route waits after it has failed. */
  readonly retry: BackoffOptions;
  readonly timers: Timers;
  /** The proxy whose clients wait longest, as far as is known. */
  slowestProxy(): ProxyLatency | undefined;
  /** Called when a stream has ended. */
  onEnd(): void;
}

/** See the header. */
export class StreamSet {
  readonly #options: StreamSetOptions;
  readonly #streams = new Map<MoveStream, Promise<void>>();
  /** Why routes cannot go on, by route. */
  readonly #retries = new Map<string, RetryState>();
  /** What has arrived on routes that still have slots to move, by route. */
  readonly #summaries = new Map<string, MigrationSummary>();
  /** The problem of a slot that was reported last, by route. */
  readonly #problems = new Map<string, string>();
  readonly #moveLocks = new Map<string, MoveLock>();
  /** Groups that must not take part, and how many callers asked for that. */
  readonly #excluded = new Map<number, number>();
  /** Whether an earlier dashboard had started tasks: it may have died in the middle of a move. */
  mayHaveLateCopies = false;

  constructor(options: StreamSetOptions) {
    this.#options = options;
  }

  /** All that is known of all routes. */
  get traffic(): Traffic {
    const { jobs, timers } = this.#options;
    const nowMs = timers.nowMs();
    return {
      jobs: jobs.all(),
      running: [...this.#streams.keys()].map(({ route }) => route),
      isWaiting: (route) => (this.#retries.get(routeKey(route))?.untilMs ?? 0) > nowMs,
      nowMs,
    };
  }

  /** When routes that have failed are tried again, in monotonic milliseconds. */
  get dueTimesMs(): number[] {
    return [...this.#retries.values()].map(({ untilMs }) => untilMs);
  }

  /** Why nothing on a job's route can go on. */
  retryOf({ route }: MigrationJob): RetryState | undefined {
    return route === undefined ? undefined : this.#retries.get(routeKey(route));
  }

  /** Whether a stream may use the servers of a route now. */
  isFree(route: StreamRoute): boolean {
    if (this.traffic.isWaiting(route)) return false;
    if (this.#excluded.has(route.from) || this.#excluded.has(route.to)) return false;
    return [...this.#streams.keys()].every((stream) =>
      stream.route.from !== route.from && stream.route.to !== route.to
    );
  }

  /** Starts a stream. */
  start(route: StreamRoute): void {
    const { jobs, writer, limits, move, slowestProxy, timers } = this.#options;
    const summary = this.#summaries.get(routeKey(route)) ??
      new MigrationSummary(route, timers.nowMs());
    this.#summaries.set(routeKey(route), summary);
    const stream: MoveStream = new MoveStream(route, {
      ...{ writer, limits, options: move, slowestProxy, timers },
      moveLock: (addr) => this.#moveLock(addr),
      take: (count) => this.#take(stream, count),
      upcoming: () =>
        jobs.all().filter((job) => job.task.status === "pending" && isOnRoute(job, route))
          .map(({ task }) => task.slot_id),
      onProgress: () => this.#retries.delete(routeKey(route)),
      letGo: (job) => {
        job.stream = undefined;
        this.#reportProblem(route, job);
      },
      onFinish: (job) => {
        summary.add({ slotId: job.task.slot_id, progress: job.progress });
        jobs.finish(job);
      },
    });
    this.#streams.set(stream, this.#run(stream));
  }

  /** Stops every stream; slots stay as they are. */
  stopAll(): Promise<void> {
    return this.#stop([...this.#streams.keys()]);
  }

  /**
   * Runs `body` while no stream uses a group's servers; slots stay as they are.
   *
   * @param stopMs How long a stream may take to stop by itself; 0: one of the servers is down.
   */
  async excluding<T>(groupId: number, body: () => Promise<T>, stopMs = STOP_MS): Promise<T> {
    this.#excluded.set(groupId, (this.#excluded.get(groupId) ?? 0) + 1);
    try {
      await this.#stop(
        [...this.#streams.keys()]
          .filter(({ route }) => route.from === groupId || route.to === groupId),
        stopMs,
      );
      return await body();
    } finally {
      const left = this.#excluded.get(groupId)! - 1;
      if (left === 0) this.#excluded.delete(groupId);
      else this.#excluded.set(groupId, left);
    }
  }

  async #stop(streams: readonly MoveStream[], stopMs = STOP_MS): Promise<void> {
    for (const stream of streams) stream.stop();
    const cancel = this.#options.timers.after(stopMs, () => {
      for (const stream of streams) stream.abort();
    });
    await Promise.all(streams.map((stream) => this.#streams.get(stream)));
    cancel();
  }

  async #run(stream: MoveStream): Promise<void> {
    try {
      await stream.run();
      this.#retries.delete(routeKey(stream.route));
    } catch (error) {
      if (!stream.isStopping) this.#failed(stream, error as Error);
    }
    this.#streams.delete(stream);
    this.#summarize(stream.route);
    this.#options.onEnd();
  }

  /** Reports why a slot cannot go on, once for all slots of its route that have the same problem. */
  #reportProblem(route: StreamRoute, { problem, task }: MigrationJob): void {
    const { control } = this.#options.writer;
    const key = routeKey(route);
    if (problem === "" || this.#problems.get(key) === problem) return;
    this.#problems.set(key, problem);
    const what = `migration of slot ${task.slot_id} from group ${route.from} to ${route.to} waits`;
    control.report("warning", `${what}: ${problem}`);
  }

  /** Reports what has arrived, if nothing is left to move on the route. */
  #summarize(route: StreamRoute): void {
    const { jobs, timers, writer: { control } } = this.#options;
    if (jobs.all().some((job) => isOnRoute(job, route))) return;
    const summary = this.#summaries.get(routeKey(route));
    this.#summaries.delete(routeKey(route));
    this.#problems.delete(routeKey(route));
    if (summary?.isEmpty === false) control.report("info", summary.text(timers.nowMs()));
  }

  #failed({ route }: MoveStream, { message }: Error): void {
    const { retry, timers, writer: { control } } = this.#options;
    const key = routeKey(route);
    const state = this.#retries.get(key) ?? new RetryState(retry, timers);
    this.#retries.set(key, state);
    if (state.problem !== message) {
      const what = `migration from group ${route.from} to ${route.to} waits`;
      control.report("warning", `${what}: ${message}`);
    }
    state.failed(message);
  }

  #moveLock(addr: string): MoveLock {
    const lock = this.#moveLocks.get(addr) ??
      new MoveLock(this.mayHaveLateCopies ? "unknown" : "none");
    this.#moveLocks.set(addr, lock);
    return lock;
  }

  #take(stream: MoveStream, count: number): MigrationJob[] {
    const jobs = jobsFor(stream.route, count, this.traffic);
    for (const job of jobs) {
      job.stream = stream;
      job.note = "";
    }
    return jobs;
  }
}
