/**
 * The commits of one process, one after the other. Those that wait together share the lock, and the time until the
 * disk has what they have written.
 *
 *     waiting ─► lock ─► newest tree ─► each: plan, on what those before it leave ─► journal ─┐
 *                                                                                             ▼
 *     answered ◄── lock released ◄── synced, if one of them must survive a loss of power
 *
 * @module
 */

import type { FileLock } from "../../base/file_lock.ts";
import { logger } from "../../base/log.ts";
import { Turns } from "../../base/turns.ts";
import type { Appended, Journal } from "./journal.ts";
import { isDurable } from "./plan.ts";
import type { Tree, TreeChange } from "./tree.ts";

/** Most commits that share a lock: other processes wait meanwhile. */
const TOGETHER_MAX = 64;

const log = logger("coordinator");

/** What a commit changes in the newest tree; throws when that is not possible. */
type Plan = (tree: Tree) => TreeChange[];

/** A commit was given up before anything was stored: its deadline has passed. */
export class LateCommitError extends Error {
  override readonly name = "LateCommitError";
}

/** One that waits. */
interface WaitingCommit {
  readonly plan: Plan;
  readonly deadline: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** What commits change that share a lock. */
interface PlannedCommits {
  /** Sets of changes, in their order. */
  readonly changes: TreeChange[][];
  /** Whether one of them must survive a loss of power. */
  readonly mustSync: boolean;
  readonly outcomes: readonly PlannedOutcome[];
}

/** What becomes of a commit, if the sets before it and its own are stored. */
interface PlannedOutcome {
  readonly commit: WaitingCommit;
  /** How many those are. */
  readonly sets: number;
  /** Why it changes nothing. */
  readonly refusal?: unknown;
}

/** See the header. */
export class Commits {
  readonly #journal: Journal;
  readonly #lock: FileLock;
  readonly #catchUp: () => void;
  readonly #done: () => void;
  readonly #turns = new Turns(1);
  #waiting: WaitingCommit[] = [];

  /**
   * @param catchUp Brings the journal's tree up to date.
   * @param done Called when commits are done, and others may make theirs.
   */
  constructor(journal: Journal, lock: FileLock, catchUp: () => void, done: () => void) {
    this.#journal = journal;
    this.#lock = lock;
    this.#catchUp = catchUp;
    this.#done = done;
  }

  /**
   * Plans changes on the newest tree and stores them.
   *
   * @param deadline When to give up, on the clock of `performance.now()`.
   * @throws {LateCommitError}
   */
  commit(plan: Plan, deadline: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ plan, deadline, resolve, reject });
    this.#turns.take(() => this.#commitSome());
    return promise;
  }

  /** Each commit has a turn: that of the first is for all that wait by then. */
  async #commitSome(): Promise<void> {
    const some = this.#waiting.splice(0, TOGETHER_MAX);
    const [first] = some;
    if (first === undefined) return;
    try {
      if (performance.now() < first.deadline && await this.#lock.acquire(first.deadline)) {
        await this.#commitLocked(some);
      } else {
        first.reject(new LateCommitError());
        this.#waiting = [...some.slice(1), ...this.#waiting];
      }
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  }

  async #commitLocked(some: readonly WaitingCommit[]): Promise<void> {
    let planned: PlannedCommits;
    let appended: Appended;
    try {
      this.#catchUp();
      planned = planTogether(some, this.#journal.tree);
      appended = await this.#journal.append(planned.changes);
      if (planned.mustSync && appended.count > 0) await this.#journal.sync();
      await this.#compact();
    } finally {
      this.#lock.release();
      this.#done();
    }
    for (const { commit: { resolve, reject }, sets, refusal } of planned.outcomes) {
      if (sets > appended.count) reject(appended.failure);
      else if (refusal !== undefined) reject(refusal);
      else resolve();
    }
  }

  async #compact(): Promise<void> {
    try {
      await this.#journal.compactIfGrown();
    } catch (error) {
      // The changes themselves are stored; the next ones try again.
      log.warn("journal not compacted, trying again with the next change: {error}", { error });
    }
  }
}

/** Plans each commit on what those before it leave; the tree itself stays as it is. */
function planTogether(some: readonly WaitingCommit[], tree: Tree): PlannedCommits {
  const changes: TreeChange[][] = [];
  const outcomes: PlannedOutcome[] = [];
  let mustSync = false;
  // Nothing is in force before it is in the journal.
  const draft = some.length === 1 ? tree : tree.copy();
  for (const commit of some) {
    try {
      if (performance.now() >= commit.deadline) throw new LateCommitError();
      const its = commit.plan(draft);
      mustSync ||= isDurable(draft, its);
      if (draft !== tree && its.length > 0) draft.apply(draft.version + 1, its);
      if (its.length > 0) changes.push(its);
      outcomes.push({ commit, sets: changes.length });
    } catch (refusal) {
      outcomes.push({ commit, sets: changes.length, refusal });
    }
  }
  return { changes, mustSync, outcomes };
}
