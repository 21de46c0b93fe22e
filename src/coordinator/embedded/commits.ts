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
import type { Journal } from "./journal.ts";
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
    const planned: WaitingCommit[] = [];
    const changes: TreeChange[][] = [];
    let mustSync = false;
    try {
      this.#catchUp();
      const { tree } = this.#journal;
      // Nothing is in force before it is in the journal.
      const draft = some.length === 1 ? tree : tree.copy();
      for (const each of some) {
        try {
          if (performance.now() >= each.deadline) throw new LateCommitError();
          const its = each.plan(draft);
          mustSync ||= isDurable(draft, its);
          if (draft !== tree && its.length > 0) draft.apply(draft.version + 1, its);
          if (its.length > 0) changes.push(its);
          planned.push(each);
        } catch (error) {
          each.reject(error);
        }
      }
      await this.#journal.append(changes);
      if (mustSync) await this.#journal.sync();
      await this.#compact();
    } finally {
      this.#lock.release();
      this.#done();
    }
    for (const { resolve } of planned) resolve();
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
