/**
 * A migration task at work: its record in the store, its progress, and why it cannot go on.
 *
 * @module
 */

import type { MigrationPhase, MigrationView } from "../api/cluster_view.ts";
import type { BackoffOptions } from "../base/backoff.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import type { MigrateTaskRecord } from "../model/migrate_task.ts";
import type { SlotRecord } from "../model/slot.ts";
import { type BigKeyList, shownKeys } from "./big_key_list.ts";
import { type GroupRoute, isSameRoute, type StreamRoute } from "./cycle.ts";
import { type MovedKeys, MoveProgress } from "./progress.ts";
import { RetryState } from "./retry_state.ts";
import { currentRouteOf, type NextStep, nextStep } from "./task.ts";

/** What comes next for a task that was stored for a request that has failed. */
const TAKEN_BACK: NextStep = {
  ...{ kind: "end", slot: undefined },
  why: "not all tasks of its request could be stored",
};

/** What a job knows of the stream that works on it. */
export interface JobStream {
  /** Why the stream is slower than it could be; `""`: it is not. */
  readonly slowedBy: string;
  /** Keys of one of its jobs have been moved. */
  keysMoved(): void;
  /** Stops work on a job. Resolves when nothing of its slot is being moved or changed any more. */
  release(job: MigrationJob): Promise<void>;
}

/** See the header. */
export class MigrationJob {
  /** Its name in the store. */
  readonly name: string;
  task: MigrateTaskRecord;
  /** What comes next, as of the last read of the store. */
  step: NextStep | undefined;
  /** The route on which keys of its slot move, or may move; none: `undefined`. */
  currentRoute: GroupRoute | undefined;
  /** The stream that works on it; no other may. */
  stream: JobStream | undefined;
  progress: MoveProgress;
  /** What operators should know while it moves. */
  note = "";
  /** Its big keys that have not moved. */
  readonly bigKeys: BigKeyList = new Map();
  /** Whether an operator's request is at work on it: nothing else may start meanwhile. */
  isHeld = false;
  /** Whether it was cancelled while this dashboard leads, and goes back to its source. */
  isGoingBack = false;
  /** Whether its task was stored for a request that has failed: all that is left to do is to delete it. */
  #isTakenBack = false;
  readonly #retry: RetryState;
  readonly #timers: Timers;
  readonly #moved: MovedKeys | undefined;

  /**
   * @param retry How long it waits after it has failed.
   * @param moved Counts its keys with those of all others.
   */
  constructor(
    name: string,
    task: MigrateTaskRecord,
    retry: BackoffOptions,
    timers: Timers = SYSTEM_TIMERS,
    moved?: MovedKeys,
  ) {
    this.name = name;
    this.task = task;
    this.#retry = new RetryState(retry, timers);
    this.#timers = timers;
    this.#moved = moved;
    this.progress = this.#newProgress();
  }

  /** Whether nothing of its own keeps it from being worked on now. */
  isDue(nowMs: number): boolean {
    return this.stream === undefined && !this.isHeld && this.#retry.untilMs <= nowMs;
  }

  /** When it may be worked on again, in monotonic milliseconds. */
  get dueMs(): number {
    return this.#retry.untilMs;
  }

  /** Whether it cannot go on. */
  get hasProblem(): boolean {
    return this.#retry.problem !== "";
  }

  /** Why it cannot go on; `""`: it can. */
  get problem(): string {
    return this.#retry.problem;
  }

  /** The route it shall take; `undefined` while that is not known, or there is nothing to do. */
  get route(): StreamRoute | undefined {
    const { step, task } = this;
    if (step?.kind !== "begin" && step?.kind !== "move") return undefined;
    return { from: step.from, to: step.to, delayMs: task.delay };
  }

  /** Whether its slot shall go back to its source while keys still move the other way. */
  get isReversing(): boolean {
    const { route, currentRoute } = this;
    return route !== undefined && currentRoute !== undefined && !isSameRoute(route, currentRoute);
  }

  /** Takes its slot as the store has it, and returns what comes next. */
  readSlot(slot: SlotRecord): NextStep {
    const step = this.#isTakenBack ? TAKEN_BACK : nextStep(this.task, slot);
    this.currentRoute = currentRouteOf(slot, step);
    return this.step = step;
  }

  /** Its task was stored for a request that has failed: its slot is not moved. */
  takeBack(): void {
    this.#isTakenBack = true;
    this.note = "it will not move: its task is deleted when the store takes changes again";
  }

  /**
   * It cannot go on, and is tried again later.
   *
   * @param lasts Whether a retry cannot help before an operator changes something.
   */
  fail(problem: string, lasts = false): void {
    this.#retry.failed(problem, lasts);
  }

  /** Keys that move say that it goes on: the round that finds all of them may take long. */
  #newProgress(): MoveProgress {
    return new MoveProgress(() => this.#timers.nowMs(), this.#moved, () => {
      if (this.hasProblem) this.recover();
      this.stream?.keysMoved();
    });
  }

  /** It goes on. */
  recover(): void {
    this.#retry.recovered();
  }

  /**
   * It takes the other direction from now on.
   *
   * @param isGoingBack Whether that is back to its source.
   */
  reverse(task: MigrateTaskRecord, isGoingBack: boolean): void {
    this.task = task;
    this.isGoingBack = isGoingBack;
    this.step = undefined;
    this.progress = this.#newProgress();
    this.note = "";
    this.bigKeys.clear();
    this.#retry.recovered();
  }

  #phase(problem: string, isPaused: boolean): MigrationPhase {
    const { task: { status }, stream } = this;
    if (status === "finished") return "finished";
    if (isPaused && stream === undefined) return "paused";
    if (status === "error") return "failed";
    if (status === "migrating" && problem !== "") return "stuck";
    // A job that was cancelled under another dashboard is known by its route.
    if (this.isGoingBack || this.isReversing) return "moving back";
    return stream === undefined ? "waiting" : "moving";
  }

  /**
   * @param shared Why nothing on its route can go on.
   * @param isPaused Whether an operator has paused all migrations.
   */
  view(shared: RetryState | undefined, isPaused: boolean): MigrationView {
    const { slot_id, new_group, status, create_at, delay } = this.task;
    const { problem, since } = !this.hasProblem && shared !== undefined ? shared : this.#retry;
    const { keysMoved, keysLeft, bytesMoved, keysPerSecond, bytesPerSecond, etaSeconds } =
      this.progress;
    const isMoving = this.stream !== undefined;
    return {
      name: this.name,
      slot_id,
      from_group: this.route?.from ?? null,
      to_group: new_group,
      status,
      phase: this.#phase(problem, isPaused),
      created_at: Number(create_at) * 1000,
      delay_ms: delay,
      keys_moved: keysMoved,
      keys_left: keysLeft,
      bytes_moved: bytesMoved,
      keys_per_second: isMoving ? keysPerSecond : null,
      bytes_per_second: isMoving ? bytesPerSecond : null,
      eta_seconds: isMoving ? etaSeconds : null,
      problem,
      problem_since: since,
      note: [this.note, this.stream?.slowedBy ?? ""].filter((text) => text !== "").join("; "),
      big_keys: shownKeys(this.bigKeys),
    };
  }
}
