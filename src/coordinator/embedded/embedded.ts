/**
 * The embedded coordinator: the tree in files of this machine, shared by its processes.
 *
 *     embedded_dir/lock      held by the writer, for as long as one change takes
 *                  journal   the tree (journal.ts)
 *                  owners/   who is alive (owners.ts)
 *
 *     create, write, delete ──► queue (one at a time in this process) ──► lock (one in all processes)
 *                               ──► catch up ──► plan ──► append ──► unlock
 *     read, children ─────────► catch up ──► tree in memory
 *     watches ◄──────────────── catch up ◄── the folder changed (Deno.watchFs), or a slow timer
 *
 * @module
 */

import { excerpt } from "../../base/excerpt.ts";
import { fileFault } from "../../base/file_fault.ts";
import { logger } from "../../base/log.ts";
import {
  CALL_TIMEOUT_MS,
  type Coordinator,
  type CoordinatorState,
  type Entry,
  type EntryKind,
  type HeldLock,
  type LockOptions,
  type Operation,
} from "../coordinator.ts";
import { ClosedError, ConnectionLossError, CoordinatorError, NoNodeError } from "../errors.ts";
import { FileLock } from "../../base/file_lock.ts";
import { Availability } from "./availability.ts";
import { Commits, LateCommitError } from "./commits.ts";
import { isUnmade } from "./folder.ts";
import { Journal } from "./journal.ts";
import { statJournal } from "./journal_content.ts";
import { OwnerFile, OwnerProbe } from "./owners.ts";
import {
  planAdopt,
  planCreate,
  planCreateAll,
  planCreateSequential,
  planDelete,
  planDeleteTree,
  planEndOfOwner,
  planTransaction,
  planWrite,
} from "./plan.ts";
import { checkOperations, subjectOf } from "../operation.ts";
import { checkPath, childOf, ROOT_PATH } from "../path.ts";
import { takeQueueLock } from "../lock.ts";
import type { Tree, TreeChange } from "./tree.ts";
import type { Watch } from "../watch.ts";
import { ObservedState } from "../observed_state.ts";
import { entryIn, TreeWatches } from "./watches.ts";

/** How an embedded coordinator is opened. */
export interface EmbeddedOptions {
  /** Its folder; made when missing. */
  readonly dir: string;
  /** Longest time that a call takes. @default 5000 */
  readonly callTimeoutMs?: number;
  /** Time between two checks of the folder, in milliseconds. @default 1000 */
  readonly recheckMs?: number;
  /** Whether a store that is not there is an error, since the caller only reads; else it is made. @default false */
  readonly mustExist?: boolean;
}

const RECHECK_MS = 1_000;

/** How long after a session's file was touched to look again: its lock is freed a moment later. */
const OWNER_RECHECK_MS = 20;

const log = logger("coordinator");

/** See the header; opened with {@linkcode EmbeddedCoordinator.open}. */
export class EmbeddedCoordinator implements Coordinator {
  readonly #dir: string;
  readonly #callTimeoutMs: number;
  readonly #fileLock: FileLock;
  readonly #probe: OwnerProbe;
  readonly #journal: Journal;
  readonly #state = new ObservedState("connected");
  readonly #availability = new Availability(this.#state);
  readonly #watches = new TreeWatches();
  #owner: OwnerFile;
  readonly #commits: Commits;
  /** Whether the tree is as new as can be known: nothing has come in since it was read. */
  #isCurrent = false;
  #isReaping = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  #ownerTimer: ReturnType<typeof setTimeout> | undefined;
  #watcher: Deno.FsWatcher | undefined;

  private constructor(dir: string, callTimeoutMs: number, fileLock: FileLock) {
    this.#dir = dir;
    this.#callTimeoutMs = callTimeoutMs;
    this.#fileLock = fileLock;
    this.#probe = new OwnerProbe(`${dir}/owners`);
    this.#journal = new Journal(`${dir}/journal`, this.#watches);
    this.#commits = new Commits(
      this.#journal,
      fileLock,
      () => this.#catchUp(),
      () => this.#watches.notify(this.#journal.tree),
    );
    this.#owner = new OwnerFile(`${dir}/owners`);
    this.#probe.sweep((id) => this.#journal.tree.pathsOwnedBy(id).length > 0);
  }

  /**
   * Opens the folder, and makes it when it is missing. Where a journal is missing that others have open, none is
   * made: they serve by what they know until it is put back.
   *
   * @throws {CoordinatorError} When it cannot be used; the message says why.
   */
  static async open(options: EmbeddedOptions): Promise<EmbeddedCoordinator> {
    const { callTimeoutMs = CALL_TIMEOUT_MS, recheckMs = RECHECK_MS, mustExist = false } = options;
    let fileLock: FileLock | undefined;
    try {
      if (mustExist) statJournal(`${options.dir}/journal`);
      await Deno.mkdir(`${options.dir}/owners`, { recursive: true });
      const dir = await Deno.realPath(options.dir);
      fileLock = new FileLock(`${dir}/lock`);
      if (!await fileLock.acquire(performance.now() + callTimeoutMs)) {
        throw new Error(`another process has held its lock for ${callTimeoutMs} ms`);
      }
      if (!isUnmade(dir)) statJournal(`${dir}/journal`);
      await Journal.create(`${dir}/journal`);
      const coordinator = new EmbeddedCoordinator(dir, callTimeoutMs, fileLock);
      fileLock.release();
      // Who opens after a crash finds nothing of the dead any more.
      await coordinator.#reap();
      coordinator.#start(recheckMs);
      return coordinator;
    } catch (error) {
      fileLock?.close();
      const dir = excerpt(options.dir);
      const reason = fileFault(error).replace(/( \(os error \d+\)): mkdir .*$/, "$1");
      throw new CoordinatorError(ROOT_PATH, `cannot open embedded_dir "${dir}": ${reason}`);
    }
  }

  get state(): CoordinatorState {
    return this.#state.now;
  }

  get writeProblem(): string {
    return this.#journal.writeProblem;
  }

  onState(listener: (state: CoordinatorState) => void): () => void {
    return this.#state.onChange(listener);
  }

  // -- calls --

  async create(path: string, data: string, kind: EntryKind = "persistent"): Promise<string> {
    const isSequential = kind.endsWith("sequential");
    checkPath(isSequential ? `${path}0` : path);
    const isEphemeral = kind.startsWith("ephemeral");
    let created = path;
    // It would stay as long as this process does, in a queue for a lock, and keep all others waiting.
    const removeLate = async () => {
      log.info("removing {path}: it was created after the call had timed out", { path: created });
      await this.delete(created).catch((error) => log.warn("{error}", { error }));
    };
    await this.#commit(path, "create", (tree) => {
      const owner = isEphemeral ? this.#ownerId() : undefined;
      if (!isSequential) return planCreate(tree, path, data, owner);
      const planned = planCreateSequential(tree, path, data, owner);
      created = planned.path;
      return planned.changes;
    }, isEphemeral ? removeLate : undefined);
    return created;
  }

  /**
   * Creates many persistent entries, parents before children, and what is missing above them: all of
   * them, or none.
   *
   * @throws {NodeExistsError} When one of them is there already.
   */
  async createAll(entries: readonly { path: string; data: string }[]): Promise<void> {
    for (const { path } of entries) checkPath(path);
    const first = entries[0]?.path ?? ROOT_PATH;
    await this.#commit(first, "create", (tree) => planCreateAll(tree, entries));
  }

  // deno-lint-ignore require-await -- what it throws must arrive as a rejection
  async read(path: string): Promise<Entry> {
    checkPath(path);
    const entry = entryIn(this.#currentTree(path, "read"), path);
    if (entry === undefined) throw new NoNodeError(path, "read");
    return entry;
  }

  async write(path: string, data: string, version?: number): Promise<number> {
    checkPath(path);
    let written = 0;
    await this.#commit(path, "write", (tree) => {
      written = tree.version + 1;
      return planWrite(tree, path, data, version);
    });
    return written;
  }

  async adopt(path: string, data: string, version?: number): Promise<void> {
    checkPath(path);
    await this.#commit(path, "write", (tree) => {
      return planAdopt(tree, { path, data, owner: this.#ownerId() }, version);
    });
  }

  async delete(path: string, version?: number): Promise<void> {
    checkPath(path);
    await this.#commit(path, "delete", (tree) => planDelete(tree, path, version));
  }

  async transact(operations: readonly Operation[]): Promise<void> {
    checkOperations(operations);
    if (operations.length === 0) return;
    const { path, verb } = subjectOf(operations[0]!);
    await this.#commit(path, verb, (tree) => planTransaction(tree, operations));
  }

  async deleteTree(path: string): Promise<void> {
    checkPath(path);
    await this.#commit(path, "delete", (tree) => planDeleteTree(tree, path));
  }

  // deno-lint-ignore require-await -- as for read
  async children(path: string): Promise<string[]> {
    checkPath(path);
    const tree = this.#currentTree(path, "read");
    if (tree.get(path) === undefined) throw new NoNodeError(path, "read");
    return tree.childNames(path);
  }

  // deno-lint-ignore require-await -- as for read
  async readFolder(path: string): Promise<ReadonlyMap<string, string>> {
    checkPath(path);
    const tree = this.#currentTree(path, "read");
    if (tree.get(path) === undefined) throw new NoNodeError(path, "read");
    const texts = new Map<string, string>();
    for (const name of tree.childNames(path)) texts.set(name, tree.get(childOf(path, name))!.data);
    return texts;
  }

  watchData(path: string): Watch<Entry | undefined> {
    return this.#watches.watchData(this.#treeToWatch(path), path);
  }

  watchChildren(path: string): Watch<readonly string[]> {
    return this.#watches.watchChildren(this.#treeToWatch(path), path);
  }

  lock(path: string, options: LockOptions): Promise<HeldLock> {
    checkPath(path);
    return takeQueueLock(this, path, options);
  }

  async close(): Promise<void> {
    if (this.#state.isClosed) return;
    const last = this.#commit(ROOT_PATH, "delete", (tree) => planEndOfOwner(tree, this.#owner.id));
    this.#state.change("closed");
    clearInterval(this.#timer);
    clearTimeout(this.#ownerTimer);
    this.#watcher?.close();
    this.#watches.close();
    // What cannot be deleted now, others delete when they see our file go.
    await last.catch((error) =>
      log.warn("own entries not removed, others will remove them: {error}", { error })
    );
    this.#owner.close();
    this.#probe.close();
    this.#journal.close();
    this.#fileLock.close();
  }

  // -- writing --

  /**
   * Plans changes on the newest tree and stores them, one call at a time.
   *
   * @param whenLate Called when they are stored after the call has timed out.
   */
  #commit(
    path: string,
    verb: string,
    plan: (tree: Tree) => TreeChange[],
    whenLate?: () => Promise<void>,
  ): Promise<void> {
    if (this.#state.isClosed) return Promise.reject(new ClosedError(path, verb));
    const deadline = performance.now() + this.#callTimeoutMs;
    const call = this.#commits.commit(plan, deadline).catch((error) => {
      const isLate = error instanceof LateCommitError;
      throw this.#asLoss(isLate ? new Error(this.#late()) : error, path, verb);
    });
    const heard = this.#orTimeout(call, path, verb);
    if (whenLate !== undefined) heard.catch(() => call.then(whenLate, () => {}));
    return heard;
  }

  /** Rejects when the call takes too long; its outcome is then not reported. */
  async #orTimeout<T>(call: Promise<T>, path: string, verb: string): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      const late = () => reject(this.#asLoss(new Error(this.#late()), path, verb));
      // The lock gives up at the same time and knows more: let it speak first.
      timer = setTimeout(late, this.#callTimeoutMs + 100);
    });
    try {
      return await Promise.race([call, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  #late(): string {
    return `not done within ${this.#callTimeoutMs} ms`;
  }

  #asLoss(error: unknown, path: string, verb: string): CoordinatorError {
    if (error instanceof CoordinatorError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    return new ConnectionLossError(path, `cannot ${verb} "${path}": ${reason}`, { cause: error });
  }

  // -- reading --

  #currentTree(path: string, verb: string): Tree {
    if (this.#state.isClosed) throw new ClosedError(path, verb);
    // Of many reads that are made at once, the first looks at the disk.
    if (this.#isCurrent) return this.#journal.tree;
    try {
      this.#catchUp();
    } catch (error) {
      throw this.#asLoss(error, path, verb);
    }
    this.#watches.notify(this.#journal.tree);
    this.#isCurrent = true;
    queueMicrotask(() => this.#isCurrent = false);
    return this.#journal.tree;
  }

  #catchUp(): void {
    let isReplaced: boolean;
    try {
      isReplaced = this.#journal.catchUp();
    } catch (error) {
      this.#availability.lost(error);
      throw error;
    }
    if (isReplaced) {
      log.warn("another journal was put in place of {dir}/journal: all is read anew", {
        dir: this.#dir,
      });
      this.#watches.allChanged();
    }
    this.#availability.found(isReplaced);
  }

  // -- watching --

  /** Brings the tree up to date, for a watch that begins. */
  #treeToWatch(path: string): Tree {
    checkPath(path);
    if (this.#state.isClosed) throw new ClosedError(path, "watch");
    this.#refresh();
    return this.#journal.tree;
  }

  #start(recheckMs: number): void {
    this.#timer = setInterval(() => this.#refresh(), recheckMs);
    try {
      this.#watcher = Deno.watchFs([this.#dir, `${this.#dir}/owners`], { recursive: false });
    } catch (error) {
      log.warn("embedded_dir cannot be watched, checking it every {recheckMs} ms: {error}", {
        recheckMs,
        error,
      });
      return;
    }
    this.#followFolder(this.#watcher, recheckMs);
    this.#refresh();
  }

  async #followFolder(watcher: Deno.FsWatcher, recheckMs: number): Promise<void> {
    try {
      for await (const { paths } of watcher) {
        this.#refresh();
        if (!paths.some((path) => path.includes("/owners/"))) continue;
        clearTimeout(this.#ownerTimer);
        this.#ownerTimer = setTimeout(() => this.#refresh(), OWNER_RECHECK_MS);
      }
    } catch (error) {
      log.warn("embedded_dir cannot be watched, checking it every {recheckMs} ms: {error}", {
        recheckMs,
        error,
      });
    }
  }

  /** Catches up, and ends the sessions of processes that died. */
  #refresh(): void {
    if (this.#state.isClosed) return;
    try {
      this.#catchUp();
    } catch (error) {
      log.debug("embedded_dir cannot be read: {error}", { error });
      return;
    }
    this.#watches.notify(this.#journal.tree);
    this.#reap();
  }

  async #reap(): Promise<void> {
    if (this.#isReaping) return;
    const others = this.#journal.tree.owners().filter((id) => id !== this.#owner.id);
    const dead = this.#probe.deadOf(others);
    if (dead.length === 0) return;
    this.#isReaping = true;
    try {
      for (const id of dead) {
        await this.#commit(ROOT_PATH, "delete", (tree) => planEndOfOwner(tree, id));
        this.#probe.remove(id);
        log.info("removed the entries of session {id}: its process is gone", { id });
      }
    } catch (error) {
      log.warn("entries of dead processes not removed, trying again: {error}", { error });
    } finally {
      this.#isReaping = false;
    }
  }

  /** The session's name; a new one when the folder was wiped, and the old one with it. */
  #ownerId(): string {
    if (!this.#owner.isThere()) {
      this.#owner.close();
      this.#owner = new OwnerFile(`${this.#dir}/owners`);
    }
    return this.#owner.id;
  }
}
