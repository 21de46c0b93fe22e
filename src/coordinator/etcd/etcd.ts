/**
 * The etcd coordinator: the tree of Codis 2.0 in etcd 3, through its JSON gateway.
 *
 *     calls ──► EtcdClient ──► transactions: what is asked for holds when it is done, or nothing is
 *     ephemeral ──► EtcdSession's lease
 *     watches ◄── EtcdWatchedRange ◄── watch streams
 *
 * An entry is a key; its version is the revision of the store that wrote it last. Numbers of
 * sequential entries are revisions too, of twenty digits, as etcd 2 gave them to Codis 2.0.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import type { Secret } from "../../base/secret.ts";
import { Turns } from "../../base/turns.ts";
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
import {
  ClosedError,
  ConnectionLossError,
  CoordinatorError,
  NoNodeError,
  NotEmptyError,
} from "../errors.ts";
import { EtcdClient, EtcdError, type EtcdTls } from "./client.ts";
import { childNameOf, entryKey, entryKeysBelow } from "./keys.ts";
import { createEntry, createNumbered } from "./create.ts";
import { EtcdKv } from "./kv.ts";
import { EtcdSession } from "./session.ts";
import {
  adoptTxn,
  childNames,
  childrenTxn,
  deleteOwnedTxn,
  deleteTreeTxn,
  deleteTxn,
  entryOfKey,
  failureOf,
  transactionFailureOf,
  transactionTxn,
  writeTxn,
} from "./txn.ts";
import { EtcdWatchedRange, type EtcdWatchedSource } from "./watch.ts";
import { ObservedState } from "../observed_state.ts";
import { checkOperations, subjectOf } from "../operation.ts";
import { checkPath, ROOT_PATH } from "../path.ts";
import { takeQueueLock } from "../lock.ts";
import type { Watch } from "../watch.ts";

/** How an etcd coordinator is opened. */
export interface EtcdOptions {
  /** URLs without a path. */
  readonly endpoints: readonly string[];
  /** Time after which a lost session ends; counted in whole seconds. */
  readonly sessionTimeoutMs: number;
  /** `user:password`; not set: none. */
  readonly auth: Secret;
  readonly tls: EtcdTls;
  /** Longest time that a call takes. @default 5000 */
  readonly callTimeoutMs?: number;
  /** Gives up opening. */
  readonly signal?: AbortSignal | undefined;
}

/** Least time for one endpoint to answer, however many there are. */
const ATTEMPT_MIN_MS = 1_000;

/** Longest life of a watch stream, as a share of the session timeout. */
const STREAM_SHARE = 1 / 3;

const log = logger("coordinator");

/** See the header; opened with {@linkcode EtcdCoordinator.open}. */
export class EtcdCoordinator implements Coordinator {
  readonly #callTimeoutMs: number;
  readonly #streamMs: number;
  readonly #client: EtcdClient;
  readonly #kv: EtcdKv;
  readonly #session: EtcdSession;
  readonly #state = new ObservedState();
  readonly #numbered = new Turns(1);
  readonly #dataRanges = new Map<string, EtcdWatchedRange<Entry | undefined>>();
  readonly #childrenRanges = new Map<string, EtcdWatchedRange<readonly string[]>>();
  /** Numbered ephemeral entries that may exist although their creator got no answer, and their lease. */
  readonly #doubtful = new Map<string, string>();
  #isOpening = true;
  #closing: Promise<void> | undefined;

  private constructor(options: EtcdOptions) {
    const { endpoints, sessionTimeoutMs, auth, tls } = options;
    this.#callTimeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    this.#streamMs = sessionTimeoutMs * STREAM_SHARE;
    const attemptMs = Math.max(ATTEMPT_MIN_MS, this.#callTimeoutMs / endpoints.length);
    this.#client = new EtcdClient({
      endpoints,
      auth,
      tls,
      attemptMs: Math.min(attemptMs, this.#callTimeoutMs),
      onLost: (isUntrusted) => {
        this.#session.lose();
        // Later on a new certificate may be about to come.
        if (isUntrusted && this.#isOpening) this.close();
      },
    });
    this.#kv = new EtcdKv(this.#client);
    this.#session = new EtcdSession(this.#client, sessionTimeoutMs, {
      onState: (state) => this.#see(state),
      // Later on the password may be about to be changed: then it is worth waiting.
      onDenied: () => void (this.#isOpening && this.close()),
    });
    this.#session.start();
  }

  /**
   * Opens a session.
   *
   * @throws {CoordinatorError} When no endpoint grants one within the session timeout, or the call
   * timeout where that is longer, or user, password or a certificate are refused.
   */
  static async open(options: EtcdOptions): Promise<EtcdCoordinator> {
    const coordinator = new EtcdCoordinator(options);
    const waitMs = Math.max(options.sessionTimeoutMs, coordinator.#callTimeoutMs);
    const began = performance.now();
    const onSlow = () =>
      log.warn("etcd cannot be reached: {problem}; trying for {seconds} s", {
        problem: coordinator.#client.problem,
        seconds: waitMs / 1000,
      });
    const { signal } = options;
    const isConnected = await coordinator.#state.isConnectedWithin(waitMs, signal, onSlow);
    coordinator.#isOpening = false;
    if (isConnected) return coordinator;
    const tookMs = Math.round(performance.now() - began);
    const { problem } = coordinator.#client;
    await coordinator.close();
    const endpoints = options.endpoints.join(",");
    throw new CoordinatorError(
      ROOT_PATH,
      `cannot open etcd "${endpoints}": no session after ${tookMs} ms: ${problem}`,
    );
  }

  get state(): CoordinatorState {
    return this.#state.now;
  }

  onState(listener: (state: CoordinatorState) => void): () => void {
    return this.#state.onChange(listener);
  }

  // -- calls --

  async create(path: string, data: string, kind: EntryKind = "persistent"): Promise<string> {
    checkPath(kind.endsWith("sequential") ? `${path}0` : path);
    return await this.#do(path, "create", async (deadlineMs) => {
      const lease = kind.startsWith("ephemeral") ? this.#leaseFor(path) : undefined;
      const entry = { path, data, lease };
      if (!kind.endsWith("sequential")) return await createEntry(this.#kv, entry, deadlineMs);
      // Of several at a time all but one would try again.
      return await this.#numbered.take(() =>
        createNumbered(this.#kv, entry, deadlineMs, (created) => {
          if (lease !== undefined) this.#doubtful.set(created, lease);
        })
      );
    });
  }

  async read(path: string): Promise<Entry> {
    checkPath(path);
    return await this.#do(path, "read", async (deadlineMs) => {
      const { kvs } = await this.#kv.read(entryKey(path), deadlineMs);
      const entry = entryOfKey(path, kvs?.[0]);
      if (entry === undefined) throw new NoNodeError(path, "read");
      return entry;
    });
  }

  async write(path: string, data: string, version?: number): Promise<number> {
    checkPath(path);
    return await this.#do(path, "write", async (deadlineMs) => {
      const answer = await this.#kv.txn(writeTxn(path, data, version), deadlineMs);
      if (answer.succeeded !== true) throw failureOf(path, "write", version, answer);
      return Number(answer.header.revision);
    });
  }

  async adopt(path: string, data: string, version?: number): Promise<void> {
    checkPath(path);
    await this.#do(path, "write", async (deadlineMs) => {
      const txn = adoptTxn(path, data, this.#leaseFor(path), version);
      const answer = await this.#kv.txn(txn, deadlineMs);
      if (answer.succeeded !== true) throw failureOf(path, "write", version, answer);
    });
  }

  async delete(path: string, version?: number): Promise<void> {
    checkPath(path);
    await this.#do(path, "delete", async (deadlineMs) => {
      if (path === ROOT_PATH) throw new NotEmptyError(path);
      const answer = await this.#kv.txn(deleteTxn(path, version), deadlineMs);
      if (answer.succeeded !== true) throw failureOf(path, "delete", version, answer);
    });
  }

  async transact(operations: readonly Operation[]): Promise<void> {
    checkOperations(operations);
    if (operations.length === 0) return;
    const { path, verb } = subjectOf(operations[0]!);
    await this.#do(path, verb, async (deadlineMs) => {
      for (;;) {
        const answer = await this.#kv.txn(transactionTxn(operations), deadlineMs);
        if (answer.succeeded === true) return;
        const failure = transactionFailureOf(operations, answer);
        if (failure !== undefined) throw failure;
      }
    });
  }

  async deleteTree(path: string): Promise<void> {
    checkPath(path);
    await this.#do(path, "delete", async (deadlineMs) => {
      await this.#kv.txn(deleteTreeTxn(path), deadlineMs, true);
    });
  }

  async children(path: string): Promise<string[]> {
    checkPath(path);
    return await this.#do(path, "read", async (deadlineMs) => {
      const answer = await this.#kv.txn(childrenTxn(path), deadlineMs, true);
      if (answer.succeeded !== true) throw new NoNodeError(path, "read");
      return childNames(path, answer.responses?.[0]?.response_range);
    });
  }

  lock(path: string, options: LockOptions): Promise<HeldLock> {
    checkPath(path);
    return takeQueueLock(this, path, options);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#state.change("closed");
    for (const range of this.#watchedRanges()) range.close();
    await this.#session.close();
    this.#client.close();
    await this.#session.ended();
  }

  /** Runs a call within its deadline, and reports its failure as every coordinator does. */
  async #do<T>(
    path: string,
    verb: string,
    body: (deadlineMs: number) => Promise<T>,
  ): Promise<T> {
    if (this.#state.isClosed) throw new ClosedError(path, verb);
    if (this.#state.now !== "connected") {
      throw new ConnectionLossError(path, `cannot ${verb} "${path}": etcd is ${this.#state.now}`);
    }
    try {
      return await body(this.#deadlineMs());
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      if (this.#state.isClosed) throw new ClosedError(path, verb);
      const message = `cannot ${verb} "${path}": ${error.message}`;
      // The lease has ended: the session says so next.
      if (error.kind === "not_found") this.#session.check();
      const isLoss = ["unsent", "unanswered", "not_found"].includes(error.kind);
      throw isLoss
        ? new ConnectionLossError(path, message, { cause: error })
        : new CoordinatorError(path, message, { cause: error });
    }
  }

  // -- creating --

  #leaseFor(path: string): string {
    const { lease } = this.#session;
    if (lease !== undefined) return lease;
    throw new ConnectionLossError(
      path,
      `cannot make "${path}" ours: there is no session with etcd`,
    );
  }

  /** Removes the entries of this session whose creators got no answer. */
  async #sweep(): Promise<void> {
    for (const [path, lease] of [...this.#doubtful]) {
      try {
        const plan = deleteOwnedTxn(path, lease);
        const { succeeded } = await this.#kv.txn(plan, this.#deadlineMs(), true);
        this.#doubtful.delete(path);
        if (succeeded === true) {
          log.info("removed {path}: it was created, but the answer was lost", { path });
        }
      } catch (error) {
        log.debug("{path} not checked, trying again later: {error}", { path, error });
      }
    }
  }

  // -- watching --

  watchData(path: string): Watch<Entry | undefined> {
    return this.#watch(path, this.#dataRanges, {
      range: entryKey(path),
      load: async () => {
        const { header, kvs } = await this.#kv.range(entryKey(path), this.#deadlineMs());
        return { value: entryOfKey(path, kvs?.[0]), revision: Number(header.revision) };
      },
      apply: (_before, kv, isDelete) => isDelete ? undefined : entryOfKey(path, kv),
    });
  }

  watchChildren(path: string): Watch<readonly string[]> {
    return this.#watch<readonly string[]>(path, this.#childrenRanges, {
      range: entryKeysBelow(path),
      load: async () => {
        const range = { ...entryKeysBelow(path), keys_only: true };
        const answer = await this.#kv.range(range, this.#deadlineMs());
        return { value: childNames(path, answer), revision: Number(answer.header.revision) };
      },
      apply: (names, kv, isDelete) => {
        const name = childNameOf(path, kv.key);
        if (name === undefined || names.includes(name) === !isDelete) return names;
        return isDelete ? names.filter((other) => other !== name) : [...names, name].sort();
      },
    });
  }

  #watch<T>(
    path: string,
    ranges: Map<string, EtcdWatchedRange<T>>,
    source: Omit<EtcdWatchedSource<T>, "onIdle">,
  ): Watch<T> {
    checkPath(path);
    if (this.#state.isClosed) throw new ClosedError(path, "watch");
    let watched = ranges.get(path);
    if (watched === undefined) {
      const onIdle = () => ranges.delete(path);
      watched = new EtcdWatchedRange(this.#client, { ...source, onIdle }, this.#streamMs);
      ranges.set(path, watched);
    }
    return watched.watch();
  }

  #deadlineMs(): number {
    return performance.now() + this.#callTimeoutMs;
  }

  #watchedRanges(): { wake(): void; close(): void }[] {
    return [...this.#dataRanges.values(), ...this.#childrenRanges.values()];
  }

  // -- sessions --

  #see(state: CoordinatorState): void {
    if (this.#state.isClosed) return;
    this.#state.change(state);
    if (state === "expired") this.#doubtful.clear();
    if (state !== "connected") return;
    this.#sweep();
    for (const range of this.#watchedRanges()) range.wake();
  }
}
