/**
 * Queueing migration tasks, and waiting for them: what `--wait` does.
 *
 *     names before ─► queue ─► new names of our slots ─► poll ─► all have arrived: done
 *                                                         ├─► one was cancelled: wait until it is back, and fail
 *                                                         ├─► one is stuck for too long: give up
 *                                                         ├─► no dashboard leads for too long: give up
 *                                                         └─► Ctrl-C: leave the tasks running
 *
 * Others may queue slots at the same time: they are not waited for.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { delay } from "@std/async/delay";
import type { RebalanceMove } from "../../api/answers.ts";
import type { ClusterView, MigrationView } from "../../api/cluster_view.ts";
import type { DashboardClient } from "../../api/dashboard_client.ts";
import { DashboardError, DashboardUnreachableError } from "../../api/dashboard_errors.ts";
import { slotsText } from "../../model/slot_ranges.js";
import { deadFenceText, describeTotals } from "./migration_text.ts";
import type { CommandOutput } from "./output.ts";
import { Progress } from "./progress.ts";
import { AwaitedSlots, goalOf } from "./awaited_slots.ts";
import { maskControls } from "./table.ts";

/** Time between two polls of the cluster, in milliseconds. */
const POLL_MS = 1_000;
/** How long a task may be stuck before we give up, in milliseconds. */
const STUCK_MS = 60_000;
/** How long the dashboard may be away before we give up, in milliseconds. */
const AWAY_MS = 60_000;
/** The least HTTP status that says nothing about the request: 503 is that of a dashboard that stands by. */
const SERVER_FAILURE = 500;
/** Slots that have no task, among the names of tasks, which are digits. */
const STRANDED = "stranded";
/** Exit code of a program that Ctrl-C has stopped. */
const INTERRUPTED = 130;

/** Signals that end the wait. */
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

const PAUSED = "migrations are paused; `codis-proxy config slot resume` resumes them";
const LEFT_RUNNING = "the migration continues; `codis-proxy config slot cancel` cancels it";

/**
 * Queues tasks, and says so when migrations are paused, or wait for a proxy.
 *
 * @param queue Queues them; its answer becomes the output.
 * @param text The output for people.
 */
export async function queueOnly(
  client: DashboardClient,
  queue: () => Promise<unknown>,
  text: string,
): Promise<CommandOutput> {
  const json = await queue();
  // The tasks are queued, even when the dashboard cannot show the cluster.
  const view = await client.cluster().catch(() => undefined);
  const isPaused = typeof view?.migrations_paused_since === "number";
  const waits = (view?.dead_fences ?? []).map((addr) =>
    maskControls(`nothing moves: ${deadFenceText(addr)}`)
  );
  return { json, text: [isPaused ? `${text}; ${PAUSED}` : text, ...waits].join("\n") };
}

/** Slots, both ends included, and the group that they move to. */
export type QueuedMove = Omit<RebalanceMove, "from_group">;

/**
 * Queues tasks and waits until they are done.
 *
 * @param queue Queues them; its answer becomes the output.
 * @param movesOf Which those are, by that answer; `undefined`: the dashboard is older, and does not say.
 * @throws {Error} When a task was cancelled; when one is stuck, or the dashboard is away, for too long; and as `queue`.
 */
export async function queueAndWait<T>(
  client: DashboardClient,
  queue: () => Promise<T>,
  movesOf: (answer: T) => readonly QueuedMove[] | undefined,
): Promise<CommandOutput> {
  const before = new Set((await client.cluster()).migrations.map(({ name }) => name));
  using interrupt = new Interrupt();
  const json = await queue();
  using progress = new Progress();
  const polls = new Polls(client, progress, interrupt);
  const first = await polls.next();
  if (first === undefined) {
    progress.say(LEFT_RUNNING);
    return { exitCode: INTERRUPTED };
  }
  const slots = new AwaitedSlots(before, targetsOf(movesOf(json), first, before));
  if (!await new Wait(polls, slots, progress).run(first)) {
    progress.say(`${countOf(slots.left, "task")} of ${slots.count} left; ${LEFT_RUNNING}`);
    return { exitCode: INTERRUPTED };
  }
  if (slots.cancelledText !== "") throw new Error(slots.cancelledText);
  return { json, text: `${countOf(slots.count, "slot")} moved` };
}

/** The slots that were queued, and the group that each moves to. */
function targetsOf(
  moves: readonly QueuedMove[] | undefined,
  { migrations, slots }: ClusterView,
  before: ReadonlySet<string>,
): Map<number, number> {
  if (moves === undefined) {
    const added = migrations.filter(({ name }) => !before.has(name));
    return new Map(added.map((task) => [task.slot_id, goalOf(task, slots)]));
  }
  const targets = new Map<number, number>();
  for (const { from_slot, to_slot, to_group } of moves) {
    for (let slotId = from_slot; slotId <= to_slot; slotId++) targets.set(slotId, to_group);
  }
  return targets;
}

/** Looks at the cluster, also while dashboards come and go. */
class Polls {
  readonly #client: DashboardClient;
  readonly #progress: Progress;
  readonly #interrupt: Interrupt;
  #told = "";

  constructor(client: DashboardClient, progress: Progress, interrupt: Interrupt) {
    this.#client = client;
    this.#progress = progress;
    this.#interrupt = interrupt;
  }

  /**
   * The cluster; `undefined` when we were interrupted before.
   *
   * @throws {Error} When no dashboard leads for too long.
   */
  async next(): Promise<ClusterView | undefined> {
    const { address } = this.#client;
    const beganMs = performance.now();
    for (;;) {
      const view = await Promise.race([this.#interrupt.seen, this.#ask(beganMs)]);
      if (this.#interrupt.isSeen) return undefined;
      if (view) {
        const now = this.#client.address;
        if (now !== address) this.#progress.say(`dashboard ${now} leads now`);
        this.#told = "";
        return view;
      }
      await this.pause();
    }
  }

  /** Waits until the next look is due, or Ctrl-C. */
  async pause(): Promise<void> {
    await Promise.race([this.#interrupt.seen, delay(POLL_MS)]);
  }

  /** The cluster; `undefined` while no dashboard leads: another one may be taking over. */
  async #ask(beganMs: number): Promise<ClusterView | undefined> {
    try {
      return await this.#client.cluster();
    } catch (error) {
      if (!isDashboardAway(error)) {
        throw new Error(`${(error as Error).message}; ${LEFT_RUNNING}`, { cause: error });
      }
      if (performance.now() - beganMs > AWAY_MS) {
        const what = `no dashboard has told anything for ${AWAY_MS / 1000} s: ${error.message}`;
        throw new Error(`${what}; ${LEFT_RUNNING}`, { cause: error });
      }
      if (error.message !== this.#told) this.#progress.say(`${error.message}; trying again`);
      this.#told = error.message;
      return undefined;
    }
  }
}

class Wait {
  readonly #polls: Polls;
  readonly #slots: AwaitedSlots;
  readonly #progress: Progress;
  /** Since when each task is stuck, by its name, by our clock; and all slots that have none. */
  readonly #stuckSinceMs = new Map<string, number>();

  constructor(polls: Polls, slots: AwaitedSlots, progress: Progress) {
    this.#polls = polls;
    this.#slots = slots;
    this.#progress = progress;
  }

  /** @returns Whether our tasks are gone; false: we were interrupted before. */
  async run(first: ClusterView): Promise<boolean> {
    const slots = this.#slots;
    for (let view: ClusterView | undefined = first; view !== undefined;) {
      const news = slots.look(view);
      const { tasks, left, count } = slots;
      if (view === first && left > 0) {
        this.#progress.say(`waiting for ${countOf(count, "task")}; Ctrl-C leaves them running`);
      }
      if (news !== "") this.#progress.say(news);
      if (left === 0) return true;
      // An older dashboard does not send it.
      const isPaused = typeof view.migrations_paused_since === "number";
      if (isPaused) this.#stuckSinceMs.clear();
      else this.#checkAll(view);
      this.#progress.show(count - left, count, isPaused ? PAUSED : describe(tasks, view));
      await this.#polls.pause();
      view = await this.#polls.next();
    }
    return false;
  }

  /** @throws {Error} When a task, or a slot that has none, has stood still for too long. */
  #checkAll(view: ClusterView): void {
    const { tasks, stranded } = this.#slots;
    for (const task of tasks) this.#checkStuck(task, view.at);
    if (stranded.length === 0) return void this.#stuckSinceMs.delete(STRANDED);
    const stuckMs = this.#stuckMs(STRANDED);
    if (stuckMs <= STUCK_MS) return;
    throw new Error(
      `no task has moved ${slotsText(stranded)} for ${Math.round(stuckMs / 1000)} s; ` +
        "`codis-proxy config slot migrate` moves a slot on",
    );
  }

  #checkStuck(task: MigrationView, viewAt: number): void {
    if (task.status !== "error" && task.problem === "") {
      this.#stuckSinceMs.delete(task.name);
      return;
    }
    const stuckMs = Math.max(
      this.#stuckMs(task.name),
      viewAt - (task.problem_since ?? viewAt),
    );
    if (stuckMs <= STUCK_MS) return;
    throw new Error(
      `slot ${task.slot_id} has not moved to group ${task.to_group} ` +
        `for ${Math.round(stuckMs / 1000)} s: ${task.problem || "in error"}; ${LEFT_RUNNING}`,
    );
  }

  /** How long what is known by `key` is stuck, now that it is. */
  #stuckMs(key: string): number {
    const nowMs = performance.now();
    const sinceMs = this.#stuckSinceMs.get(key) ?? nowMs;
    this.#stuckSinceMs.set(key, sinceMs);
    return nowMs - sinceMs;
  }
}

/**
 * Whether who only looks may look again: no dashboard answers, or the one that answers does not lead yet, or cannot
 * ask the coordinator just now.
 */
export function isDashboardAway(error: unknown): error is Error {
  return error instanceof DashboardUnreachableError ||
    (error instanceof DashboardError && error.status >= SERVER_FAILURE);
}

/** Waits for Ctrl-C. */
class Interrupt implements Disposable {
  readonly seen: Promise<void>;
  isSeen = false;
  readonly #onSignal: () => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.seen = promise;
    this.#onSignal = () => {
      this.isSeen = true;
      resolve();
    };
    for (const signal of SIGNALS) Deno.addSignalListener(signal, this.#onSignal);
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, this.#onSignal);
  }
}

function describe(tasks: readonly MigrationView[], view: ClusterView): string {
  const parts: string[] = [];
  const { migrations, migration_totals: totals } = view;
  // The totals cover all migrations: a sum over our tasks would drop whenever one is done.
  const whose = tasks.length === migrations.length ? "" : "all migrations: ";
  if (totals) parts.push(`${whose}${describeTotals(totals)}`);
  const told = tasks.find(({ problem, note }) => (problem || note) !== "");
  if (told !== undefined) parts.push(`slot ${told.slot_id}: ${told.problem || told.note}`);
  return parts.join("; ");
}
