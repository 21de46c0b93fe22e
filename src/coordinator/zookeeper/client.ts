/**
 * One session with ZooKeeper: the npm client with types, deadlines, and an end to hung connections.
 *
 *     dial ──► TCP open ──► session granted ──► connected ── nothing heard for 2/3 of its timeout ──┐
 *      ▲                        │                   │                                               │
 *      │                        │                   └── connection lost ──┐                         │
 *      │                        └── session unknown ──► expired, for good │                         │
 *      └────────────────── disconnected ◄─────────────────────────────────┴──── connection cut ◄────┘
 *
 * After `expired` the object is dead, as the session is: its owner makes a new one.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Address } from "../../base/address.ts";
import { formatAddress } from "../../base/address.ts";
import { Backoff } from "../../base/backoff.ts";
import { logger } from "../../base/log.ts";
import type { Secret } from "../../base/secret.ts";
import { Semaphore } from "../semaphore.ts";
import { startDeadline } from "../deadline.ts";
import {
  createLibraryClient,
  createRequest,
  LIBRARY_CODES,
  type LibraryAcl,
  type LibraryCallback,
  type LibraryClient,
  LibraryConnection,
  type LibraryError,
  type LibraryOperation,
  type LibraryPayload,
  type LibraryStat,
  type LibraryState,
  type LibraryWatcher,
  transactionRequest,
} from "./library.ts";

/** Where the session stands; see the drawing above. */
export type ZookeeperClientState =
  | "connecting"
  | "connected"
  | "disconnected"
  | "expired"
  | "closed";

/** How a session is opened. */
export interface ZookeeperClientOptions {
  readonly servers: readonly Address[];
  /** Asked for; the server grants what lies within its own bounds. */
  readonly sessionTimeoutMs: number;
  /** `user:password` for ZooKeeper's digest scheme; not set: none. */
  readonly auth: Secret;
  /** Called after each change of state but the last one, `closed`. */
  onState(state: ZookeeperClientState): void;
}

/** Why a call failed: a name of ZooKeeper's, or no answer in time. */
export class ZookeeperError extends Error {
  override readonly name = "ZookeeperError";
  /** As `NO_NODE`, `CONNECTION_LOSS`; `DEADLINE` is ours. */
  readonly code: string;

  /** A call that failed for the reason `code`. */
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A node's data and what is known of it. */
export interface ZookeeperNode {
  readonly data: string;
  readonly stat: LibraryStat;
}

/** Calls in flight at a time: the library takes some 50 µs of the event loop for each. */
export const CALLS_MAX = 16;

/** Least time for one server to grant a session, in milliseconds, however many there are. */
const CONNECT_MS_MIN = 300;

/** Share of the session timeout in which every server is dialed once. */
const FIRST_ROUND_SHARE = 1 / 4;

/** How long the end of a session may take before its connection is cut. */
const CLOSE_MS = 1_000;

/** Share of the session timeout that a server may be silent; a ping goes out after a third. */
const SILENCE_MAX = 2 / 3;

/** Waits before the servers are dialed once more, when none of them took us. */
const REDIAL = { firstMs: 100, maxMs: 1_000 };

const NAMES_BY_CODE = new Map(Object.entries(LIBRARY_CODES).map(([name, code]) => [code, name]));

const log = logger("coordinator");

/** See the header. */
export class ZookeeperClient {
  readonly #options: ZookeeperClientOptions;
  readonly #client: LibraryClient;
  readonly #connection: LibraryConnection;
  readonly #inFlight = new Semaphore(CALLS_MAX);
  readonly #redial = new Backoff(REDIAL);
  #state: ZookeeperClientState = "connecting";
  #wasDenied = false;
  #nextServer: number;
  #dials = 0;
  /** Dials since we were connected that got no answer in time. */
  #silentDials = 0;
  #dialTimer: ReturnType<typeof setTimeout> | undefined;
  #server = "";
  #problem = "no server has answered";
  #isTcpOpen = false;
  #isCut = false;
  #heardMs = 0;
  #endSilenceWatch = () => {};
  #lostMs = performance.now();

  /** Begins to connect. */
  constructor(options: ZookeeperClientOptions) {
    this.#options = options;
    this.#nextServer = Math.floor(Math.random() * options.servers.length);
    this.#client = createLibraryClient(options.sessionTimeoutMs);
    this.#client.on("state", ({ name }) => this.#see(name));
    if (options.auth.isSet) {
      // A session may be several users, and then uses the nodes of each.
      for (const login of options.auth.revealAll()) {
        this.#client.addAuthInfo("digest", Buffer.from(login));
      }
    }
    this.#connection = this.#watchConnection();
    this.#client.connect();
  }

  /** Where the session stands. */
  get state(): ZookeeperClientState {
    return this.#state;
  }

  /** The last thing that went wrong with the connection, for messages. */
  get problem(): string {
    return this.#problem;
  }

  /** Whether the session ended because a server refuses our credentials. */
  get wasDenied(): boolean {
    return this.#wasDenied;
  }

  /** Whether a node is ephemeral and ends with this session. */
  owns(stat: LibraryStat): boolean {
    return stat.ephemeralOwner.equals(this.#client.getSessionId());
  }

  // -- calls: each rejects with a ZookeeperError, at the latest at its deadline --

  /**
   * Creates a node.
   *
   * @param onLate Called with the outcome when it is known only after the call was given up.
   */
  create(
    path: string,
    data: string,
    acl: LibraryAcl,
    flags: number,
    deadlineMs: number,
    onLate?: (created: string | undefined) => void,
  ): Promise<string> {
    const request = createRequest(path, Buffer.from(data), [acl], flags);
    return this.#call(deadlineMs, (done) => {
      this.#connection.send(request, (error, payload) => done(error, payload?.path));
    }, onLate);
  }

  /** Reads a node and, if it is there, has `watcher` called at its next change. */
  read(path: string, deadlineMs: number, watcher?: LibraryWatcher): Promise<ZookeeperNode> {
    return this.#call(deadlineMs, (done) => {
      this.#client.getData(path, watcher, (error, data, stat) => {
        done(error, { data: data?.toString("utf8") ?? "", stat });
      });
    });
  }

  /** What is known of a node, if it is there; has `watcher` called when it comes, changes or goes. */
  stat(path: string, deadlineMs: number, watcher?: LibraryWatcher): Promise<LibraryStat | null> {
    return this.#call(deadlineMs, (done) => this.#client.exists(path, watcher, done));
  }

  /** The names of a node's children; has `watcher` called when the next one comes or goes. */
  children(path: string, deadlineMs: number, watcher?: LibraryWatcher): Promise<string[]> {
    return this.#call(deadlineMs, (done) => this.#client.getChildren(path, watcher, done));
  }

  /** Writes a node, if it was written `version` times, or at any (-1). */
  write(path: string, data: string, version: number, deadlineMs: number): Promise<LibraryStat> {
    return this.#call(deadlineMs, (done) => {
      this.#client.setData(path, Buffer.from(data), version, done);
    });
  }

  /** Deletes a node, if it was written `version` times, or at any (-1). */
  delete(path: string, version: number, deadlineMs: number): Promise<void> {
    return this.#call(deadlineMs, (done) => this.#client.remove(path, version, done));
  }

  /**
   * Does several things at once.
   *
   * @returns Nothing when all of them were done; else none was, and why not: the first that could not
   * be done, and its code.
   */
  async transact(
    operations: readonly LibraryOperation[],
    deadlineMs: number,
  ): Promise<{ index: number; code: string } | undefined> {
    const payload = await this.#call<LibraryPayload>(deadlineMs, (done) => {
      this.#connection.send(transactionRequest(operations), done);
    });
    const codes = payload.results?.map(({ err }) => NAMES_BY_CODE.get(err ?? 0) ?? "OK") ?? [];
    // Those before the one that failed are "OK", those after it were not tried.
    const index = codes.findIndex((code) => code !== "OK" && code !== "RUNTIME_INCONSISTENCY");
    return index < 0 ? undefined : { index, code: codes[index]! };
  }

  /** Changes who may do what with a node. */
  permit(path: string, acl: LibraryAcl, deadlineMs: number): Promise<unknown> {
    return this.#call(deadlineMs, (done) => this.#client.setACL(path, [acl], -1, done));
  }

  /** Ends the session, if a server can be asked to at once, and the connection. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    const canEnd = this.#state === "connected";
    this.#state = "closed";
    clearTimeout(this.#dialTimer);
    this.#endSilenceWatch();
    const ended = this.#connection.ending();
    this.#client.close();
    await ended(canEnd ? CLOSE_MS : 0);
  }

  async #call<T>(
    deadlineMs: number,
    send: (done: LibraryCallback<T | undefined>) => void,
    onLate?: (value: T | undefined) => void,
  ): Promise<T> {
    if (!await this.#inFlight.acquire(deadlineMs)) {
      throw new ZookeeperError("DEADLINE", "too many calls were in flight");
    }
    try {
      return await this.#callNow(deadlineMs, send, onLate);
    } finally {
      this.#inFlight.release();
    }
  }

  #callNow<T>(
    deadlineMs: number,
    send: (done: LibraryCallback<T | undefined>) => void,
    onLate?: (value: T | undefined) => void,
  ): Promise<T> {
    if (this.#state !== "connected") {
      // The library would keep the call and send it some day, when it is of no use any more.
      return Promise.reject(new ZookeeperError("CONNECTION_LOSS", `it is ${this.#state}`));
    }
    return new Promise((resolve, reject) => {
      let isLate = false;
      const end = startDeadline(deadlineMs - performance.now(), () => {
        isLate = true;
        reject(new ZookeeperError("DEADLINE", "no answer came in time"));
      });
      send((error, value) => {
        end();
        if (error) reject(errorOf(error));
        else resolve(value as T);
        if (isLate) onLate?.(error ? undefined : value);
      });
    });
  }

  // -- the connection --

  #watchConnection(): LibraryConnection {
    return new LibraryConnection(this.#client, {
      chooseServer: (dial) => this.#dialNext(dial),
      opened: () => {
        this.#isTcpOpen = true;
        this.#heard();
        this.#watchSilence();
      },
      heard: () => this.#heard(),
      unreadable: (reason) => this.#cut(`its answer cannot be read: ${reason}`),
      failed: (error) => this.#problem = error.message,
      closed: (hasError) => {
        this.#endSilenceWatch();
        const wasSilent = this.#isCut || (!this.#isTcpOpen && !hasError);
        if (wasSilent && this.#state !== "connected") this.#silentDials++;
        if (this.#isTcpOpen && !this.#isCut && this.#state !== "connected") this.#seeRefusal();
        this.#isTcpOpen = false;
      },
    });
  }

  /** One server after the other, and a pause after each round. */
  #dialNext(dial: (server: { host: string; port: number }) => void): void {
    const { servers } = this.#options;
    const isNewRound = this.#dials > 0 && this.#dials % servers.length === 0;
    this.#isCut = false;
    this.#connection.connectMs = this.#connectMs;
    this.#dials++;
    this.#dialTimer = setTimeout(() => {
      const server = servers[this.#nextServer]!;
      this.#nextServer = (this.#nextServer + 1) % servers.length;
      this.#server = formatAddress(server);
      log.debug("dialing ZooKeeper {server}", { server: this.#server });
      dial({ host: server.hostname, port: server.port });
    }, isNewRound ? this.#redial.nextMs() : 0);
  }

  /**
   * How long a server may take to grant the session. One that is silent must leave time for the others,
   * and one that just starts may take a connection and never answer it: the session must outlive that.
   * When all of them were too slow, each gets twice as long; a refusal takes no time, and does not count.
   */
  get #connectMs(): number {
    const { servers, sessionTimeoutMs } = this.#options;
    const round = Math.floor(this.#silentDials / servers.length);
    const firstMs = sessionTimeoutMs * FIRST_ROUND_SHARE / servers.length;
    return Math.min(sessionTimeoutMs, Math.max(CONNECT_MS_MIN, firstMs) * 2 ** round);
  }

  #heard(): void {
    this.#heardMs = performance.now();
  }

  /** Cuts the connection when its server is silent for too long: the library waits for ever. */
  #watchSilence(): void {
    this.#endSilenceWatch();
    const longestMs = this.#state === "connected"
      ? this.#client.getSessionTimeout() * SILENCE_MAX
      : this.#connection.connectMs;
    const leftMs = longestMs - (performance.now() - this.#heardMs);
    if (leftMs <= 0) return this.#cut(`it was silent for ${Math.round(longestMs)} ms`);
    this.#endSilenceWatch = startDeadline(leftMs, () => this.#watchSilence());
  }

  #cut(reason: string): void {
    if (this.#state === "closed") return;
    log.warn("closing the connection to ZooKeeper {server}: {reason}", {
      server: this.#server,
      reason,
    });
    this.#problem = `${this.#server}: ${reason}`;
    this.#isCut = true;
    this.#connection.cut();
  }

  /**
   * A server that closes without granting the session has no quorum, or is behind what we have seen.
   * Servers restored from an older copy stay behind for ever: in the end we take them as they are.
   */
  #seeRefusal(): void {
    this.#problem = `${this.#server} closed the connection`;
    const lostMs = performance.now() - this.#lostMs;
    if (lostMs > this.#options.sessionTimeoutMs) this.#connection.forgetTransactions();
  }

  // -- states --

  #see(state: LibraryState): void {
    if (this.#state === "closed" || this.#state === "expired") return;
    const server = this.#server;
    switch (state) {
      case "SYNC_CONNECTED":
        this.#redial.reset();
        this.#dials = 1;
        this.#silentDials = 0;
        this.#move("connected");
        this.#watchSilence();
        log.info("session with ZooKeeper {server}, timeout {timeoutMs} ms", {
          server,
          timeoutMs: this.#client.getSessionTimeout(),
        });
        break;
      case "DISCONNECTED":
        this.#lostMs = performance.now();
        this.#move("disconnected");
        log.warn(
          "connection to ZooKeeper {server} lost; what is known stays in use, nothing can be changed " +
            "until there is one again: look at ZooKeeper and the network to it",
          { server },
        );
        break;
      case "AUTH_FAILED":
        log.error("ZooKeeper {server} refuses our credentials", { server });
        this.#problem = `${server} refuses our credentials`;
        this.#wasDenied = true;
        this.#move("expired");
        break;
      case "EXPIRED":
        log.warn("session with ZooKeeper expired");
        this.#move("expired");
    }
    this.#options.onState(this.#state);
  }

  #move(next: ZookeeperClientState): void {
    this.#state = next;
  }
}

function errorOf(error: LibraryError): ZookeeperError {
  const code = NAMES_BY_CODE.get(error.getCode()) ?? "SYSTEM_ERROR";
  return new ZookeeperError(code, code.toLowerCase().replaceAll("_", " "));
}
