/**
 * All that this program knows of npm:node-zookeeper-client: its types, which it comes without, the
 * requests that it makes wrongly, and the patches of its connection.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import library from "node-zookeeper-client";
import jute from "node-zookeeper-client/jute";

/** Answers one call, exactly once. */
export type LibraryCallback<T> = (error: LibraryError | null | undefined, value: T) => void;

/** Called at one change of a node, once. */
export type LibraryWatcher = () => void;

/** An error answer; also of calls that were never sent. */
export interface LibraryError extends Error {
  /** A row of {@linkcode LIBRARY_CODES}. */
  getCode(): number;
}

/** What ZooKeeper knows of a node; 64-bit numbers as eight bytes. */
export interface LibraryStat {
  /** The number of the transaction that wrote it last. */
  readonly mzxid: Buffer;
  /** How often its data was written. */
  readonly version: number;
  /** The session that it ends with; zero for a persistent node. */
  readonly ephemeralOwner: Buffer;
}

/** Who may do what with a node. */
export interface LibraryAcl {
  readonly permission: number;
  toRecord(): unknown;
}

/** Where a session stands. */
export type LibraryState = "DISCONNECTED" | "SYNC_CONNECTED" | "AUTH_FAILED" | "EXPIRED";

/** The library's own client: one session. */
export interface LibraryClient {
  connect(): void;
  close(): void;
  on(event: "state", listener: (state: { name: LibraryState }) => void): void;
  addAuthInfo(scheme: string, auth: Buffer): void;
  getSessionId(): Buffer;
  /** In milliseconds, as the server has granted it. */
  getSessionTimeout(): number;
  exists(
    path: string,
    watcher: LibraryWatcher | undefined,
    callback: LibraryCallback<LibraryStat | null>,
  ): void;
  getData(
    path: string,
    watcher: LibraryWatcher | undefined,
    callback: (error: LibraryError | null, data: Buffer | undefined, stat: LibraryStat) => void,
  ): void;
  getChildren(
    path: string,
    watcher: LibraryWatcher | undefined,
    callback: LibraryCallback<string[]>,
  ): void;
  setData(
    path: string,
    data: Buffer,
    version: number,
    callback: LibraryCallback<LibraryStat>,
  ): void;
  setACL(
    path: string,
    acls: LibraryAcl[],
    version: number,
    callback: LibraryCallback<unknown>,
  ): void;
  remove(path: string, version: number, callback: LibraryCallback<void>): void;
  readonly connectionManager: Connection;
}

/**
 * The connection below a client. It is not part of the library's public API, but the only way to notice
 * a hung server, to choose the next one and to close for good. The lock file pins the version.
 */
interface Connection {
  readonly socket?: { readonly destroyed: boolean; destroy(): void; once: Once };
  readonly connectTimeoutHandler?: ReturnType<typeof setTimeout>;
  /** Milliseconds to dial one server, and for it to grant a session. */
  connectTimeout: number;
  /** The newest transaction seen; a server that is behind it refuses the session. */
  readonly zxid: Buffer;
  findNextServer(dial: (server: { host: string; port: number }) => void): void;
  onSocketConnected(): void;
  onSocketData(bytes: Buffer): void;
  onSocketError(error: Error): void;
  onSocketClosed(hasError: boolean): void;
  queue(
    request: unknown,
    callback: LibraryCallback<{ readonly payload: LibraryPayload }>,
  ): void;
}

/** What a {@linkcode LibraryConnection} asks and reports. */
export interface ConnectionEvents {
  /** Calls `dial` with the server to connect to, now or later. */
  chooseServer(dial: (server: { host: string; port: number }) => void): void;
  /** TCP stands; the server has not granted the session yet. */
  opened(): void;
  /** The server has sent something. */
  heard(): void;
  /** What the server sent makes no sense; the connection must be cut. */
  unreadable(reason: string): void;
  failed(error: Error): void;
  closed(hasError: boolean): void;
}

/** Longest message that a server may send; a list of a million names. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

const NOTHING = Buffer.alloc(0);

/** The connection below a client, patched so that we choose servers and see what happens to it. */
export class LibraryConnection {
  readonly #connection: Connection;
  /** The beginning of a message whose rest has not come yet. */
  #partial: Buffer = NOTHING;

  /** Patches the connection of `client`, which must not be connected yet. */
  constructor(client: LibraryClient, events: ConnectionEvents) {
    const connection = this.#connection = client.connectionManager;
    const { onSocketConnected, onSocketData, onSocketError, onSocketClosed } = connection;
    connection.findNextServer = (dial) => events.chooseServer(dial);
    connection.onSocketConnected = () => {
      events.opened();
      onSocketConnected.call(connection);
    };
    connection.onSocketData = (bytes) => {
      events.heard();
      try {
        this.#split(bytes, (message) => onSocketData.call(connection, message));
      } catch (error) {
        // Such as an error code that the library does not know; it must not end the process.
        events.unreadable((error as Error).message);
      }
    };
    connection.onSocketError = (error) => {
      events.failed(error);
      onSocketError.call(connection, error);
    };
    connection.onSocketClosed = (hasError) => {
      this.#partial = NOTHING;
      events.closed(hasError);
      onSocketClosed.call(connection, hasError);
    };
  }

  /** Time to dial one server, and for it to grant a session, in milliseconds. */
  get connectMs(): number {
    return this.#connection.connectTimeout;
  }

  set connectMs(ms: number) {
    this.#connection.connectTimeout = ms;
  }

  /** Sends a request of ours; see {@linkcode createRequest}. */
  send(request: unknown, done: LibraryCallback<LibraryPayload | undefined>): void {
    this.#connection.queue(request, (error, response) => done(error, response?.payload));
  }

  /** Takes servers as they are, also one that is behind what we have seen. */
  forgetTransactions(): void {
    this.#connection.zxid.fill(0);
  }

  /** Cuts the connection; the library dials the next server. */
  cut(): void {
    this.#connection.socket?.destroy();
  }

  /**
   * Prepares the end: to be called before the client's `close`.
   *
   * @returns What waits until the connection is closed, cut by us after `cutMs` (0: at once).
   */
  ending(): (cutMs: number) => Promise<void> {
    const { socket, connectTimeoutHandler } = this.#connection;
    const closed = socket === undefined || socket.destroyed
      ? Promise.resolve()
      : new Promise<void>((resolve) => socket.once("close", resolve));
    return async (cutMs) => {
      if (cutMs === 0) socket?.destroy();
      const timer = setTimeout(() => socket?.destroy(), cutMs);
      await closed;
      clearTimeout(timer);
      clearTimeout(connectTimeoutHandler);
    };
  }

  /** Hands whole messages on: the library would keep the rest of a lost connection for the next one. */
  #split(bytes: Buffer, take: (message: Buffer) => void): void {
    let rest = this.#partial.length === 0 ? bytes : Buffer.concat([this.#partial, bytes]);
    while (rest.length >= 4) {
      const length = rest.readInt32BE(0);
      if (length < 0 || length > MESSAGE_BYTES_MAX) throw new Error(`a message of ${length} bytes`);
      if (rest.length < 4 + length) break;
      take(rest.subarray(0, 4 + length));
      rest = rest.subarray(4 + length);
    }
    this.#partial = rest.length === 0 ? NOTHING : rest;
  }
}

/** What an answer brings: a path when a node was created, results of a transaction. */
export interface LibraryPayload {
  readonly path: string;
  /** One for each operation; `err` is a row of {@linkcode LIBRARY_CODES}, only when it failed. */
  readonly results?: readonly { readonly err?: number }[];
}

type Once = (event: "close", listener: () => void) => void;

/** The library's error codes, by the names of ZooKeeper's own documentation. */
export const LIBRARY_CODES: Readonly<Record<string, number>> = library.Exception;

/** Rights to a node. */
export const PERMISSION = { read: 1, write: 2, create: 4, delete: 8, admin: 16 } as const;

/** Makes a client that is not connected yet. */
export function createLibraryClient(sessionTimeoutMs: number): LibraryClient {
  // Which server is dialed, `findNextServer` decides: the name here is never looked up.
  return library.createClient("none", { sessionTimeout: sessionTimeoutMs });
}

/** Rights for everybody, or for those who have the credentials of the session that sets them. */
export function createAcl(permission: number, whose: "anyone" | "creator"): LibraryAcl {
  const { ANYONE_ID_UNSAFE, AUTH_IDS } = library.Id;
  return new library.ACL(permission, whose === "anyone" ? ANYONE_ID_UNSAFE : AUTH_IDS);
}

/**
 * The request that creates a node. The library's own `create` refuses `/a/` with a number to be
 * appended, which ZooKeeper takes and Codis 2.0 uses.
 *
 * @param flags 1 for ephemeral, 2 for sequential, 3 for both.
 */
export function createRequest(
  path: string,
  data: Buffer,
  acls: readonly LibraryAcl[],
  flags: number,
): unknown {
  const header = new jute.protocol.RequestHeader();
  header.type = jute.OP_CODES.CREATE;
  const payload = new jute.protocol.CreateRequest();
  Object.assign(payload, { path, data, acl: acls.map((acl) => acl.toRecord()), flags });
  return new jute.Request(header, payload);
}

/** One step of a transaction in ZooKeeper's own terms; `version` counts writes, -1 is any. */
export type LibraryOperation =
  | { readonly check: string; readonly version: number }
  | {
    readonly create: string;
    readonly data: Buffer;
    readonly acl: LibraryAcl;
    /** As for {@linkcode createRequest}. @default 0 */
    readonly flags?: number;
  }
  | { readonly write: string; readonly data: Buffer; readonly version: number }
  | { readonly delete: string; readonly version: number };

/** The request for a transaction. The library's own one takes version 0 for any. */
export function transactionRequest(operations: readonly LibraryOperation[]): unknown {
  const { CHECK, CREATE, DELETE, MULTI, SET_DATA } = jute.OP_CODES;
  const header = new jute.protocol.RequestHeader();
  header.type = MULTI;
  const payload = new jute.TransactionRequest(operations.map((operation) => {
    if ("create" in operation) {
      const { create: path, data, acl, flags = 0 } = operation;
      return { type: CREATE, path, data, acls: [acl], mode: flags };
    }
    if ("write" in operation) {
      const { write: path, data, version } = operation;
      return { type: SET_DATA, path, data, version };
    }
    if ("delete" in operation) {
      return { type: DELETE, path: operation.delete, version: operation.version };
    }
    return { type: CHECK, path: operation.check, version: operation.version };
  }));
  return new jute.Request(header, payload);
}
