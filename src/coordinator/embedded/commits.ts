/**
 * The commits of one process, one after the other. Those that wait together share the lock, and the time until the
 * disk has what they have written.
 *
 *     waiting ─► lock ─► each: newest tree ─► plan ─► journal ─┐
 *                                                              ▼
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
const TOGETHER_MAX = 32;

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
    const stored: WaitingCommit[] = [];
    let mustSync = false;
    try {
      for (const each of some) {
        try {
          if (performance.now() >= each.deadline) throw new LateCommitError();
          mustSync = await this.#store(each.plan) || mustSync;
          stored.push(each);
        } catch (error) {
          each.reject(error);
        }
      }
      if (mustSync) await this.#journal.sync();
      await this.#compact();
    } finally {
      this.#lock.release();
      this.#done();
    }
    for (const { resolve } of stored) resolve();
  }

  /** @returns Whether the changes must survive a loss of power. */
  async #store(plan: Plan): Promise<boolean> {
    this.#catchUp();
    const { tree } = this.#journal;
    const changes = plan(tree);
    if (changes.length === 0) return false;
    const mustSurvive = isDurable(tree, changes);
    await this.#journal.append(changes);
    return mustSurvive;
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
