/**
 * The settings of the data plane, as plain values.
 *
 * @module
 */

import type { TlsToServers } from "../io/tls.ts";
import type { ReadMode } from "../io/byte_source.ts";

/** What a connection to a server begins with. */
export interface BackendLogin {
  /** Empty for AUTH's one-argument form. */
  readonly user: string;
  /** Empty for no AUTH. */
  readonly password: string;
  /** Tried in this order when the server refuses the password: it may not have been told of it yet. */
  readonly oldPasswords?: readonly string[];
}

/** Passwords. They may change while the router runs, by `Router.setOptions`: look again each time. */
export interface RouterLogins {
  /** What clients must AUTH with; empty for no authentication. */
  readonly password: string;
  /** What is right, too, until all clients have the new one. */
  readonly oldPasswords?: readonly string[];
  /** User name for AUTH at the servers; empty for the one-argument form. */
  readonly backendUser: string;
  /** Password for AUTH at the servers; empty for none. */
  readonly backendPassword: string;
  /** As those of a login. */
  readonly backendOldPasswords?: readonly string[];
  /**
   * The user that moves keys, where clients' requests are sent as another one; undefined: one user does
   * both, over the same connections.
   */
  readonly moverLogin?: BackendLogin | undefined;
}

/** Where reads go: see `read_from` in the configuration. */
export type ReadFrom = "master" | "prefer_master" | "prefer_replica" | "replica" | "nearest";

/** Where the clients of a user read from. */
export interface UserReads {
  /** One character for each byte. */
  readonly name: string;
  readonly readFrom: ReadFrom;
}

/**
 * Settings of the data plane. Times are milliseconds, sizes bytes; 0 switches a deadline off. They may change while
 * the router runs: whoever keeps one is told by `optionsChanged`.
 */
export interface RouterOptions extends RouterLogins {
  readonly readMode: ReadMode;
  /** Whether only this machine is served while no password is set. */
  readonly isProtected: boolean;
  /** Whether a client's certificate says who it is. */
  readonly tlsAuthUser: "off" | "cn";
  readonly maxClients: number;
  /** Clients that may have a second descriptor, for a handle. */
  readonly clientHandlesMax: number;
  /** How servers are connected to: as they are read, or, without a handle, not so. */
  readonly dialMode: ReadMode | undefined;
  /** Close a session that sends nothing for this long. */
  readonly sessionIdleMs: number;
  /** Close a session that has not authenticated after this long. */
  readonly sessionAuthMs: number;
  /** Close a session whose request stays unfinished this long. */
  readonly sessionPartialMs: number;
  /** Close a session that reads none of its replies for this long. */
  readonly sessionWriteMs: number;
  /** How far a session's read buffer grows for throughput. */
  readonly sessionReadBytesMax: number;
  /** Requests of one session in flight; more are not read. */
  readonly sessionPipelineMax: number;
  /** Bytes one session may hold before its replies overflow. */
  readonly sessionBufferBytesMax: number;
  /** Bytes all sessions together may hold before reading pauses. */
  readonly proxyBufferBytesMax: number;
  readonly backendDialMs: number;
  /** How servers are spoken to with TLS; left out: without. */
  readonly backendTls?: TlsToServers | undefined;
  /** Longest time a server may leave its oldest request unanswered without sending a byte. */
  readonly backendTimeoutMs: number;
  /** Shared connections to one server, for each database and protocol: each slot has one of them. */
  readonly backendConnections: number;
  /** Connections to one server that belong to one client each; more clients wait. */
  readonly privateConnectionsMax: number;
  /** The same of all workers together; left out where there is one. */
  readonly privateConnectionsOfAll?: number;
  /** Whether a transaction may have keys of several slots: it is atomic for each server only. */
  readonly multiSlotTransactions: boolean;
  /** Longest wait of a request for a blocked slot, and of a slot for its requests in flight. */
  readonly slotWaitMs: number;
  /** Where reads go of clients that say nothing themselves. */
  readonly readFrom: ReadFrom;
  /** Whether a client sees what it has written, wherever it reads. */
  readonly readYourWrites: boolean;
  /** How old the data of a replica may be that serves reads. */
  readonly replicaLagMs: number;
  /** How far a replica may be behind its master that serves reads. */
  readonly replicaLagBytesMax: number;
  /** Requests that take so many microseconds are in the slow log; 0: all, negative: none. */
  readonly slowerThanUs: number;
  /** One of so many requests is traced and written to the access log, besides slow ones; 0: none. */
  readonly requestSample: number;
  /** Whether there is an access log. */
  readonly hasAccessLog: boolean;
  /** Requests for each second that are looked at for hot and big keys; 0: none. */
  readonly hotKeySamples: number;
  /** Whether FLUSHALL and its like are let through. */
  readonly destructiveCommands: boolean;
  /** Whether scripts and functions may run that declare no keys and may touch some. */
  readonly undeclaredKeys: boolean;
  /** Whether clients of a Redis Cluster are answered as if the proxies were its nodes. */
  readonly clusterMode: boolean;
  /** Whether CONFIG SET and its like are let through, to all masters. */
  readonly serverCommands: boolean;
  /** What CONFIG GET shows: names and values, no passwords. */
  readonly shownConfig: readonly (readonly [name: string, value: string])[];
  /** Program version, for INFO and HELLO. */
  readonly version: string;
}

/** What clients may AUTH with, the newest first; one `""` for no authentication. */
export function clientPasswords({ password, oldPasswords = [] }: RouterLogins): readonly string[] {
  return [password, ...oldPasswords];
}

/** The login for clients' requests. */
export function requestLogin(logins: RouterLogins): BackendLogin {
  const { backendUser: user, backendPassword: password, backendOldPasswords } = logins;
  return { user, password, oldPasswords: backendOldPasswords ?? [] };
}

/** The login for moving keys. */
export function moverLogin(logins: RouterLogins): BackendLogin {
  return logins.moverLogin ?? requestLogin(logins);
}

/** The passwords of a login in the order in which they are tried; none for no AUTH. */
export function passwordsOf({ password, oldPasswords = [] }: BackendLogin): readonly string[] {
  return password === "" ? [] : [password, ...oldPasswords];
}

/** Databases a session may SELECT: 0..15. */
export const DATABASES = 16;
