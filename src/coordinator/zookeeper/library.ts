/**
 * What this program uses of npm:node-zookeeper-client, which comes without types.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import library from "node-zookeeper-client";
import jute from "node-zookeeper-client/jute";

/** Answers one call, exactly once. */
export type LibraryCallback<T> = (error: LibraryError | null | undefined, value: T) => void;

/** Told of one change of a node, once. */
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
  readonly connectionManager: LibraryConnection;
}

/**
 * The connection below a client. It is none of the library's public face, but the only way to notice
 * a hung server, to choose the next one and to close for good; the lock file pins the version.
 */
export interface LibraryConnection {
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

/** Rights for everybody, or for whoever has the credentials of the session that sets them. */
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
  | { readonly create: string; readonly data: Buffer; readonly acl: LibraryAcl }
  | { readonly write: string; readonly data: Buffer; readonly version: number }
  | { readonly delete: string; readonly version: number };

/** The request for a transaction. The library's own one takes version 0 for any. */
export function transactionRequest(operations: readonly LibraryOperation[]): unknown {
  const { CHECK, CREATE, DELETE, MULTI, SET_DATA } = jute.OP_CODES;
  const header = new jute.protocol.RequestHeader();
  header.type = MULTI;
  const payload = new jute.TransactionRequest(operations.map((operation) => {
    if ("create" in operation) {
      const { create: path, data, acl } = operation;
      return { type: CREATE, path, data, acls: [acl], mode: 0 };
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
