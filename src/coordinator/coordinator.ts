/**
 * The coordinator: a small tree of entries that all processes of a product share and watch.
 *
 *     proxy ─┐                     /zk/codis/db_test
 *     proxy ─┼─► coordinator ─►      ├── slots/slot_0 … slot_1023     persistent
 *     dashboard ─┘   │               ├── proxy/proxy_1                ephemeral: ends with its owner
 *                    │               └── actions/0000000042           sequential: numbered by us
 *                    └─ embedded (files) │ zookeeper │ etcd
 *
 *     read ──► { data, version } ──► write(data, version)   compare-and-set: BadVersionError, read again
 *     watchData / watchChildren ──► now ──► newest ──► newest …   never a gap between read and watch
 *
 *     connecting ──► connected ◄──► disconnected      calls fail with ConnectionLossError meanwhile
 *          ▲                            │
 *          └──────── expired ◄──────────┘             all that was ephemeral is gone
 *     any of them ──► closed                          by close() only
 *
 * @module
 */

import type { Watch } from "./watch.ts";

/** What an entry holds. */
export interface Entry {
  readonly data: string;
  /** Changes with every write; compare for equality and hand back, nothing else. */
  readonly version: number;
}

/**
 * How long an entry lives and who names it: `ephemeral` ends with the coordinator object that made
 * it (closed, or its process died); `sequential` appends a number to the name that only grows.
 */
export type EntryKind = "persistent" | "ephemeral" | "sequential" | "ephemeral_sequential";

/** What else is known of an entry that is created. */
export interface CreateOptions {
  /** Nothing will ever be put below it; ZooKeeper gets fitting rights, as Codis 2.0 does. */
  readonly isLeaf?: boolean;
}

/** Most operations of one transaction: what etcd takes by default, two conditions each. */
export const OPERATIONS_MAX = 50;

/** One step of a transaction; `version` as for `write`. */
export type Operation =
  /** The entry must be at this version. */
  | { readonly check: string; readonly version: number }
  /** Persistent; its parent must be there, or be created by an earlier step. */
  | { readonly create: string; readonly data: string; readonly isLeaf?: boolean }
  | { readonly write: string; readonly data: string; readonly version?: number }
  | { readonly delete: string; readonly version?: number };

/** The words for where a session stands; see the drawing above. */
export const COORDINATOR_STATES = [
  "connecting",
  "connected",
  "disconnected",
  "expired",
  "closed",
] as const;

/** Whether the store can be reached: one of {@linkcode COORDINATOR_STATES}. */
export type CoordinatorState = (typeof COORDINATOR_STATES)[number];

/** How a lock is taken. */
export interface LockOptions {
  /** What the waiter's entry holds, for people who wonder who has the lock. */
  readonly data: string;
  /** How long to queue; 0 only tries. */
  readonly waitMs: number;
}

/** A lock that is held. */
export interface HeldLock {
  /** The entry that stands for it. */
  readonly path: string;
  /**
   * Releases it to the next in the queue; resolves also when it was lost before. When the coordinator
   * cannot be reached, it resolves too, and the lock is released as soon as it can be reached.
   */
  release(): Promise<void>;
}

/** Longest time that a call takes unless another one is set, in milliseconds. */
export const CALL_TIMEOUT_MS = 5_000;

/** What of a coordinator can be read, and of a picture of one. */
export type ReadableTree = Pick<Coordinator, "read" | "children" | "readFolder">;

/**
 * One session with a coordinator.
 *
 * Every call ends before the call timeout it was opened with. Every call rejects with
 * {@linkcode ConnectionLossError} when no answer came and {@linkcode ClosedError} after `close`; a
 * malformed path throws a `TypeError`.
 */
export interface Coordinator {
  /** Where the session stands. */
  readonly state: CoordinatorState;

  /**
   * How often all of it has become another store while it was in use; see `switching.ts`. Left out: that never
   * happens.
   */
  readonly moves?: number;

  /**
   * Why the last change could not be stored although all can be read, in the system's words; `""`: it was. Left out:
   * where nothing can be stored, the session is not connected.
   */
  readonly writeProblem?: string;

  /** Calls `listener` after each change of state; returns what ends that. */
  onState(listener: (state: CoordinatorState) => void): () => void;

  /**
   * Creates an entry, and whatever of its parents is missing, persistent and empty.
   *
   * @returns Its path; of a sequential one with the number that was appended: ten digits, on etcd
   * twenty, as each has always had.
   * @throws {NodeExistsError} When it is there already.
   */
  create(path: string, data: string, kind?: EntryKind, options?: CreateOptions): Promise<string>;

  /**
   * Reads an entry.
   *
   * @throws {NoNodeError} When it is not there.
   */
  read(path: string): Promise<Entry>;

  /**
   * Writes an entry, an ephemeral one without changing whose it is.
   *
   * @param version Writes only if the entry is at this version; left out: at any.
   * @returns The new version.
   * @throws {NoNodeError} When it is not there.
   * @throws {BadVersionError} When it is at another version.
   */
  write(path: string, data: string, version?: number): Promise<number>;

  /**
   * Writes an ephemeral entry, whose ever it is, and makes it ours: it ends with this session from now on.
   * Nobody sees it away meanwhile.
   *
   * @param version As for `write`.
   * @throws As `write`.
   */
  adopt(path: string, data: string, version?: number): Promise<void>;

  /**
   * Deletes one entry.
   *
   * @param version As for `write`.
   * @throws {NoNodeError} When it is not there.
   * @throws {NotEmptyError} When it has children.
   * @throws {BadVersionError} When it is at another version.
   */
  delete(path: string, version?: number): Promise<void>;

  /**
   * Does several things at once: all of them, or none. No path may be named twice, and an entry can be
   * deleted only when it has no children beforehand.
   *
   * @throws {TypeError} With more than {@linkcode OPERATIONS_MAX} of them, or a path named twice.
   * @throws {NodeExistsError | NoNodeError | NotEmptyError | BadVersionError} As the call that would
   * do one of them alone; a missing parent is a {@linkcode NoNodeError} about the parent.
   */
  transact(operations: readonly Operation[]): Promise<void>;

  /** Deletes an entry and everything below it; resolves also when there is nothing. */
  deleteTree(path: string): Promise<void>;

  /**
   * The names of an entry's children, sorted as strings.
   *
   * @throws {NoNodeError} When it is not there.
   */
  children(path: string): Promise<string[]>;

  /**
   * What an entry's children hold, by name, sorted as strings: all at one moment. Left out by those that have to
   * read them one by one; call `readFolder` of `read_folder.ts`, which does.
   *
   * @throws {NoNodeError} When the entry is not there.
   */
  readFolder?(path: string): Promise<ReadonlyMap<string, string>>;

  /** Watches an entry; `undefined` while it is not there. */
  watchData(path: string): Watch<Entry | undefined>;

  /** Watches the names of an entry's children, sorted as strings; none while it is not there. */
  watchChildren(path: string): Watch<readonly string[]>;

  /**
   * Takes the lock at `path`: queues an ephemeral entry `<path>/lock-<seq>`, first come first served.
   *
   * @throws {LockTimeoutError} When it is not ours within `options.waitMs`.
   */
  lock(path: string, options: LockOptions): Promise<HeldLock>;

  /** Ends the session: its ephemeral entries and locks go, its watches end. */
  close(): Promise<void>;
}
