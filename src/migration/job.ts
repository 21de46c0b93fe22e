/**
 * A migration task at work: what the store says of it, how far it is, and what keeps it.
 *
 * @module
 */

import type { MigrationPhase, MigrationView } from "../api/cluster_view.ts";
import { Backoff, type BackoffOptions } from "../base/backoff.ts";
import type { MigrateTaskRecord } from "../model/migrate_task.ts";
import type { SlotRecord } from "../model/slot.ts";
import { type BigKeyList, listedKeys } from "./big_keys.ts";
import { isSameRoute, type Route } from "./cycle.ts";
import { currentRouteOf, type NextStep, nextStep } from "./task.ts";
import type { MoveStream } from "./stream.ts";
import { MoveProgress } from "./progress.ts";

/** What lasts rests for so many of the longest rests. */
const LASTING_TIMES = 2;

/** See the header. */
export class MigrationJob {
  /** Its name in the store. */
  readonly name: string;
  task: MigrateTaskRecord;
  /** What was to be done next when the store was last looked at. */
  step: NextStep | undefined;
  /** In which currentRoute keys of its slot are, or may be, on their route; nothing: in none. */
  currentRoute: Route | undefined;
  /** Who works on it; nobody else may then. */
  stream: MoveStream | undefined;
  progress = new MoveProgress();
  /** What is to be known while it moves. */
  note = "";
  /** Its big keys that have not moved. */
  readonly bigKeys: BigKeyList = new Map();
  /** Whether an operator's request is being carried out on it: nobody else may begin anything. */
  isHeld = false;
  /** Whether it was cancelled while this dashboard leads: it is on its route back. */
  isTurned = false;
  readonly #trouble: Trouble;

  /** @param retry Waits after it has failed. */
  constructor(name: string, task: MigrateTaskRecord, retry: BackoffOptions) {
    this.name = name;
    this.task = task;
    this.#trouble = new Trouble(retry);
  }

  /** Whether it may be worked on now, as far as it is concerned. */
  isDue(nowMs: number): boolean {
    return this.stream === undefined && !this.isHeld && this.#trouble.untilMs <= nowMs;
  }

  /** When it may be worked on again, in monotonic milliseconds. */
  get dueMs(): number {
    return this.#trouble.untilMs;
  }

  /** Whether something keeps it. */
  get isInTrouble(): boolean {
    return this.#trouble.text !== "";
  }

  /** Where it comes from and goes to; nothing while that is not known, or there is nothing to do. */
  get route():
    | { readonly from: number; readonly to: number; readonly delayMs: number }
    | undefined {
    const { step, task } = this;
    if (step?.kind !== "begin" && step?.kind !== "move") return undefined;
    return { from: step.from, to: step.to, delayMs: task.delay };
  }

  /** Whether its slot is to go back to where it comes from, and keys still move the other route. */
  get isTurning(): boolean {
    const { route, currentRoute } = this;
    return route !== undefined && currentRoute !== undefined && !isSameRoute(route, currentRoute);
  }

  /** Takes what the store says of its slot, and returns what is to be done next. */
  look(slot: SlotRecord): NextStep {
    const step = nextStep(this.task, slot);
    this.currentRoute = currentRouteOf(slot, step);
    return this.step = step;
  }

  /**
   * It cannot go on; it is tried again after a while.
   *
   * @param lasts Whether that is how it is to be, until somebody changes it.
   */
  fail(text: string, lasts = false): void {
    this.#trouble.happened(text, lasts);
  }

  /** It goes on. */
  recover(): void {
    this.#trouble.over();
  }

  /**
   * It goes the other route from now on.
   *
   * @param isTurned Whether that is back to where it came from.
   */
  turn(task: MigrateTaskRecord, isTurned: boolean): void {
    this.task = task;
    this.isTurned = isTurned;
    this.step = undefined;
    this.progress = new MoveProgress();
    this.note = "";
    this.bigKeys.clear();
    this.#trouble.over();
  }

  /** What becomes of it at this moment. */
  #phase(problem: string, isPaused: boolean): MigrationPhase {
    const { task: { status }, stream } = this;
    if (status === "finished") return "finished";
    if (isPaused && stream === undefined) return "paused";
    if (status === "error") return "failed";
    if (status === "migrating" && problem !== "") return "stuck";
    // One that was cancelled before this dashboard led is known by its route.
    if (this.isTurned || this.isTurning) return "moving back";
    return stream === undefined ? "waiting" : "moving";
  }

  /**
   * @param shared What keeps everything that goes its route.
   * @param isPaused Whether no migration moves, because somebody wants it so.
   */
  view(shared: Trouble | undefined, isPaused: boolean): MigrationView {
    const { slot_id, new_group, status, create_at, delay } = this.task;
    const trouble = this.#trouble.text === "" && shared !== undefined ? shared : this.#trouble;
    const { keysMoved, keysLeft, bytesMoved, keysPerSecond, bytesPerSecond, etaSeconds } =
      this.progress;
    const isMoving = this.stream !== undefined;
    return {
      name: this.name,
      slot_id,
      from_group: this.route?.from ?? null,
      to_group: new_group,
      status,
      phase: this.#phase(trouble.text, isPaused),
      created_at: Number(create_at) * 1000,
      delay_ms: delay,
      keys_moved: keysMoved,
      keys_left: keysLeft,
      bytes_moved: bytesMoved,
      keys_per_second: isMoving ? keysPerSecond : null,
      bytes_per_second: isMoving ? bytesPerSecond : null,
      eta_seconds: isMoving ? etaSeconds : null,
      problem: trouble.text,
      problem_since: trouble.since,
      note: [this.note, this.stream?.slowedBy ?? ""].filter((text) => text !== "").join("; "),
      big_keys: listedKeys(this.bigKeys),
    };
  }
}

/** What keeps something from going on, since when, and when it is tried again. */
export class Trouble {
  /** Empty while all is well. */
  text = "";
  /** Unix milliseconds; null while all is well. */
  since: number | null = null;
  /** When it is tried again, in monotonic milliseconds. */
  untilMs = 0;
  readonly #backoff: Backoff;
  readonly #lastingMs: number;

  constructor(retry: BackoffOptions) {
    this.#backoff = new Backoff(retry);
    this.#lastingMs = retry.maxMs * LASTING_TIMES;
  }

  /**
   * Something has failed, perhaps again.
   *
   * @param lasts Whether it does no good to try again soon.
   */
  happened(text: string, lasts = false): void {
    this.text = text;
    this.since ??= Date.now();
    const restMs = this.#backoff.nextMs();
    this.untilMs = performance.now() + (lasts ? this.#lastingMs : restMs);
  }

  /** All is well. */
  over(): void {
    this.text = "";
    this.since = null;
    this.untilMs = 0;
    this.#backoff.reset();
  }
}
