/**
 * The ZooKeeper coordinator: the tree as Codis 2.0 keeps it, over sessions that follow each other.
 *
 *     calls ──────────► ZookeeperClient ──► expired ──► a new ZookeeperClient, watches read anew
 *     watches ◄── WatchedPath ◄── one-shot watches
 *
 * @module
 */

import { type Address, formatAddress } from "../../base/address.ts";
import { logger } from "../../base/log.ts";
import type { Secret } from "../../base/secret.ts";
import {
  CALL_TIMEOUT_MS,
  type Coordinator,
  type CoordinatorState,
  type CreateOptions,
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
  NodeExistsError,
  NoNodeError,
  NotEmptyError,
} from "../errors.ts";
import { ObservedState } from "../observed_state.ts";
import { checkOperations, subjectOf } from "../operation.ts";
import { checkPath, childOf, parentOf, ROOT_PATH } from "../path.ts";
import { takeQueueLock } from "../lock.ts";
import type { Watch } from "../watch.ts";
import { ZookeeperClient, ZookeeperError } from "./client.ts";
import type { LibraryAcl } from "./library.ts";
import {
  adopt,
  changeAtVersion,
  childrenWatched,
  CREATE_FLAGS,
  createWithParents,
  deleteNode,
  deleteTree,
  entryOfNode,
  isCode,
  type NodeRights,
  readWatched,
  rightsFor,
  transact,
  versionOf,
} from "./nodes.ts";
import { WatchedPath } from "./watch.ts";

/** How a ZooKeeper coordinator is opened. */
export interface ZookeeperOptions {
  readonly servers: readonly Address[];
  /** Time after which a lost session ends; the server may grant another. */
  readonly sessionTimeoutMs: number;
  /** `user:password`; when set, what we create is for those credentials alone. */
  readonly auth: Secret;
  /** Longest time that a call takes. @default 5000 */
  readonly callTimeoutMs?: number;
  /** Gives up opening. */
  readonly signal?: AbortSignal | undefined;
}

/** Below this a session would end with every short delay. */
const SESSION_TIMEOUT_MIN_MS = 500;

/** Wait before the next session when our credentials were refused. */
const DENIED_MS = 1_000;

/** Most bytes of an entry: ZooKeeper closes the connection on a request above 1 MB. */
const DATA_BYTES_MAX = 1_000_000;

const log = logger("coordinator");

/** See the header; opened with {@linkcode ZookeeperCoordinator.open}. */
export class ZookeeperCoordinator implements Coordinator {
  readonly #options: ZookeeperOptions;
  readonly #callTimeoutMs: number;
  readonly #rights: NodeRights;
  readonly #state = new ObservedState();
  readonly #dataPaths = new Map<string, WatchedPath<Entry | undefined>>();
  readonly #childrenPaths = new Map<string, WatchedPath<readonly string[]>>();
  /** Numbered ephemeral nodes of this session whose creator knows of them. */
  readonly #known = new Set<string>();
  /** Prefixes of such nodes that may exist although their creator got no answer. */
  readonly #doubtful = new Set<string>();
  #client: ZookeeperClient;
  #renewTimer: ReturnType<typeof setTimeout> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: ZookeeperOptions) {
    this.#options = options;
    this.#callTimeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    this.#rights = rightsFor(options.auth.isSet ? "creator" : "anyone");
    this.#client = this.#newClient();
  }

  /**
   * Opens a session.
   *
   * @throws {CoordinatorError} When no server grants one within the session timeout, or the call
   * timeout where that is longer.
   */
  static async open(options: ZookeeperOptions): Promise<ZookeeperCoordinator> {
    const coordinator = new ZookeeperCoordinator(options);
    const waitMs = Math.max(options.sessionTimeoutMs, coordinator.#callTimeoutMs);
    const servers = options.servers.map(formatAddress).join(",");
    const onSlow = () =>
      log.warn("ZooKeeper {servers} cannot be reached: {problem}; trying for {seconds} s", {
        servers,
        problem: coordinator.#client.problem,
        seconds: waitMs / 1000,
      });
    const began = performance.now();
    if (await coordinator.#state.isConnectedWithin(waitMs, options.signal, onSlow)) {
      return coordinator;
    }
    const tookMs = Math.round(performance.now() - began);
    const { problem } = coordinator.#client;
    await coordinator.close();
    throw new CoordinatorError(
      ROOT_PATH,
      `cannot open ZooKeeper "${servers}": no session after ${tookMs} ms: ${problem}`,
    );
  }

  get state(): CoordinatorState {
    return this.#state.now;
  }

  onState(listener: (state: CoordinatorState) => void): () => void {
    return this.#state.onChange(listener);
  }

  // -- calls --

  async create(
    path: string,
    data: string,
    kind: EntryKind = "persistent",
    options: CreateOptions = {},
  ): Promise<string> {
    checkPath(kind.endsWith("sequential") ? `${path}0` : path);
    const isLeaf = options.isLeaf === true || kind.startsWith("ephemeral");
    const acl = isLeaf ? this.#rights.leaf : this.#rights.directory;
    return await this.#do(path, "create", (client, deadlineMs) => {
      checkSize(path, data);
      return createWithParents(client, path, this.#rights, deadlineMs, () => {
        return kind === "ephemeral_sequential"
          ? this.#createNumbered(client, path, data, acl, deadlineMs)
          : client.create(path, data, acl, CREATE_FLAGS[kind], deadlineMs);
      });
    });
  }

  async read(path: string): Promise<Entry> {
    checkPath(path);
    return await this.#do(path, "read", async (client, deadlineMs) => {
      return entryOfNode(await client.read(path, deadlineMs));
    });
  }

  async write(path: string, data: string, version?: number): Promise<number> {
    checkPath(path);
    return await this.#do(path, "write", async (client, deadlineMs) => {
      checkSize(path, data);
      const stat = await changeAtVersion(client, path, "write", version, deadlineMs, (count) => {
        return client.write(path, data, count, deadlineMs);
      });
      return versionOf(stat);
    });
  }

  async adopt(path: string, data: string, version?: number): Promise<void> {
    checkPath(path);
    await this.#do(path, "write", async (client, deadlineMs) => {
      checkSize(path, data);
      await adopt(client, { path, data, acl: this.#rights.leaf }, version, deadlineMs);
    });
  }

  async delete(path: string, version?: number): Promise<void> {
    checkPath(path);
    await this.#do(path, "delete", async (client, deadlineMs) => {
      if (path === ROOT_PATH) throw new NotEmptyError(path);
      await changeAtVersion(client, path, "delete", version, deadlineMs, (count) => {
        return client.delete(path, count, deadlineMs);
      });
    });
    this.#known.delete(path);
  }

  async transact(operations: readonly Operation[]): Promise<void> {
    checkOperations(operations);
    if (operations.length === 0) return;
    const { path, verb } = subjectOf(operations[0]!);
    await this.#do(path, verb, async (client, deadlineMs) => {
      for (const operation of operations) {
        if ("data" in operation) checkSize(subjectOf(operation).path, operation.data);
      }
      await transact(client, operations, this.#rights, deadlineMs);
    });
    for (const operation of operations) this.#known.delete(subjectOf(operation).path);
  }

  async deleteTree(path: string): Promise<void> {
    checkPath(path);
    await this.#do(path, "delete", (client) => {
      return deleteTree(client, path, this.#rights, () => this.#deadlineMs());
    });
  }

  async children(path: string): Promise<string[]> {
    checkPath(path);
    return await this.#do(path, "read", async (client, deadlineMs) => {
      return (await client.children(path, deadlineMs)).sort();
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
    clearTimeout(this.#renewTimer);
    this.#state.change("closed");
    for (const path of this.#watchedPaths()) path.close();
    await this.#client.close();
  }

  /** Runs a call within its deadline, and reports its failure as every coordinator does. */
  async #do<T>(
    path: string,
    verb: string,
    body: (client: ZookeeperClient, deadlineMs: number) => Promise<T>,
  ): Promise<T> {
    if (this.#state.isClosed) throw new ClosedError(path, verb);
    try {
      return await body(this.#client, this.#deadlineMs());
    } catch (error) {
      if (!(error instanceof ZookeeperError)) throw error;
      throw this.#translate(error, path, verb);
    }
  }

  #translate(error: ZookeeperError, path: string, verb: string): CoordinatorError {
    const message = `cannot ${verb} "${path}": ZooKeeper: ${error.message}`;
    switch (error.code) {
      case "NO_NODE":
        return new NoNodeError(path, verb);
      case "NODE_EXISTS":
        return new NodeExistsError(path);
      case "NOT_EMPTY":
        return new NotEmptyError(path);
      case "CONNECTION_LOSS":
      case "OPERATION_TIMEOUT":
      case "SESSION_EXPIRED":
      case "DEADLINE":
        if (this.#state.isClosed) return new ClosedError(path, verb);
        return new ConnectionLossError(path, message, { cause: error });
      default:
        return new CoordinatorError(path, message, { cause: error });
    }
  }

  #deadlineMs(): number {
    return performance.now() + this.#callTimeoutMs;
  }

  // -- numbered ephemeral nodes --

  /**
   * Creates one. If it is created but the answer is lost, it would stay as long as the session does, in a
   * queue for a lock for instance: so it is found by its owner, and removed.
   */
  async #createNumbered(
    client: ZookeeperClient,
    prefix: string,
    data: string,
    acl: LibraryAcl,
    deadlineMs: number,
  ): Promise<string> {
    const onLate = () => {
      this.#doubtful.add(prefix);
      this.#sweep();
    };
    try {
      const flags = CREATE_FLAGS.ephemeral_sequential;
      const path = await client.create(prefix, data, acl, flags, deadlineMs, onLate);
      this.#known.add(path);
      return path;
    } catch (error) {
      if (isCode(error, "CONNECTION_LOSS")) this.#doubtful.add(prefix);
      throw error;
    }
  }

  /** Removes the nodes of this session whose creators got no answer. */
  async #sweep(): Promise<void> {
    const [client, deadlineMs] = [this.#client, this.#deadlineMs()];
    for (const prefix of [...this.#doubtful]) {
      try {
        const parent = parentOf(prefix);
        for (const name of await client.children(parent, deadlineMs)) {
          const path = childOf(parent, name);
          if (!path.startsWith(prefix) || this.#known.has(path)) continue;
          const stat = await client.stat(path, deadlineMs);
          if (stat === null || !client.owns(stat)) continue;
          await deleteNode(client, path, deadlineMs);
          log.info("removed {path}: it was created, but the answer was lost", { path });
        }
        this.#doubtful.delete(prefix);
      } catch (error) {
        if (isCode(error, "NO_NODE")) this.#doubtful.delete(prefix);
        else {log.debug("nodes {prefix}… not checked, trying again later: {error}", {
            prefix,
            error,
          });}
      }
    }
  }

  // -- watching --

  watchData(path: string): Watch<Entry | undefined> {
    return this.#watch(
      path,
      this.#dataPaths,
      (onChange) => readWatched(this.#client, path, this.#deadlineMs(), onChange),
      (a, b) => a?.version === b?.version,
    );
  }

  watchChildren(path: string): Watch<readonly string[]> {
    return this.#watch(
      path,
      this.#childrenPaths,
      (onChange) => childrenWatched(this.#client, path, this.#deadlineMs(), onChange),
      (a, b) => a.length === b.length && a.every((name, i) => name === b[i]),
    );
  }

  #watch<T>(
    path: string,
    paths: Map<string, WatchedPath<T>>,
    read: (onChange: () => void) => Promise<T>,
    isSame: (a: T, b: T) => boolean,
  ): Watch<T> {
    checkPath(path);
    if (this.#state.isClosed) throw new ClosedError(path, "watch");
    const watched = paths.get(path) ?? new WatchedPath({
      read,
      isSame,
      isConnected: () => this.#state.now === "connected",
      onIdle: () => {
        if (paths.get(path) === watched) paths.delete(path);
      },
    });
    paths.set(path, watched);
    return watched.watch();
  }

  #watchedPaths(): { refresh(): void; disarm(): void; close(): void }[] {
    return [...this.#dataPaths.values(), ...this.#childrenPaths.values()];
  }

  // -- sessions --

  #newClient(): ZookeeperClient {
    const { servers, sessionTimeoutMs, auth } = this.#options;
    return new ZookeeperClient({
      servers,
      sessionTimeoutMs: Math.max(sessionTimeoutMs, SESSION_TIMEOUT_MIN_MS),
      auth,
      onState: (state) => this.#see(state),
    });
  }

  #see(state: CoordinatorState): void {
    if (this.#state.isClosed) return;
    if (state === "disconnected" || state === "expired") {
      for (const path of this.#watchedPaths()) path.disarm();
    }
    this.#state.change(state);
    if (state === "connected") {
      this.#sweep();
      for (const path of this.#watchedPaths()) path.refresh();
    }
    if (state === "expired") {
      this.#known.clear();
      this.#doubtful.clear();
      this.#renew();
    }
  }

  /** Replaces a session that is over. */
  #renew(): void {
    const over = this.#client;
    this.#renewTimer = setTimeout(() => {
      over.close();
      this.#state.change("connecting");
      this.#client = this.#newClient();
    }, over.wasDenied ? DENIED_MS : 0);
  }
}

function checkSize(path: string, data: string): void {
  // No UTF-16 unit becomes more than three bytes.
  if (data.length * 3 <= DATA_BYTES_MAX) return;
  const { length } = new TextEncoder().encode(data);
  if (length <= DATA_BYTES_MAX) return;
  throw new CoordinatorError(
    path,
    `cannot store ${length} bytes in "${path}": ZooKeeper takes ${DATA_BYTES_MAX}`,
  );
}
