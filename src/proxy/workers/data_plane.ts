/**
 * What the proxy's process has its clients served by, in one thread or in many.
 *
 *     proxy.ts, membership.ts, admin.ts ──► DataPlane ─┬─ LocalPlane: one router, in this thread
 *                                                      └─ WorkerPool: a LocalPlane in each worker
 *
 * @module
 */

import type { UserRecord } from "../../acl/user.ts";
import type { UsersOwner } from "../../acl/users_owner.ts";
import type { LogLevel } from "../../base/log.ts";
import type { ListenProto } from "../../io/listen.ts";
import type { TlsToServers } from "../../io/tls.ts";
import type { TlsToClients } from "../../io/tls_gate.ts";
import type { AllowedCommand } from "../../model/allowed_command.ts";
import type { WriteLines } from "../../router/reports/access_lines.ts";
import type { ClusterMap } from "../../router/cluster_map.ts";
import type { StatsSnapshot } from "../../router/stats_snapshot.ts";
import type { HotKeysReading } from "../../router/hot_keys/hot_keys.ts";
import type { RouterOptions, UserReads } from "../../router/options.ts";
import type { LimitPlaces, UserTake } from "../../router/limits/limit_cells.ts";
import type { ClientSearch, FoundClients } from "../../router/local/client_search.ts";
import type { SlowLogOrder, SlowLogReading } from "../../router/slow_log/slow_log.ts";
import type { Serving } from "../../router/serving.ts";
import type { SlotTable } from "../../router/slot_table.ts";
import type { ConfigOrder } from "../../router/worker_context.ts";

/** A socket for Redis clients. */
export interface ListenSocket {
  /** Empty for every interface. */
  readonly hostname: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Whether clients speak TLS there. @default false */
  readonly isTls?: boolean;
}

/** Where a data plane listens for Redis clients: at one socket at least. */
export interface ListenPlace {
  readonly sockets: readonly ListenSocket[];
  readonly proto: ListenProto;
}

/** What may change while a data plane runs. */
export interface PlaneSettings {
  readonly router: RouterOptions;
  /** Time between PINGs to idle Redis connections; 0 sends none. */
  readonly keepAliveMs: number;
}

/** What a data plane is made with. */
export interface PlaneOptions extends PlaneSettings {
  /** Who may log in; left out: the default user only, as Redis makes it. */
  readonly users?: readonly UserRecord[];
  /** How clients are met that speak TLS; needed where a socket is for them. */
  readonly tls?: TlsToClients | undefined;
  /**
   * Whether clients that wait to be accepted may have a descriptor each: with `read_mode = direct`, Deno takes them
   * from the system at once. @default true
   */
  readonly isRoomy?: boolean;
  /** A pause of this process from which on requests wait: the table may be old. */
  readonly pauseMs: number;
}

/** What a data plane reports to the process. */
export interface PlaneEvents {
  /**
   * The process was paused. A worker that has noticed it holds its requests until `setServing` is
   * called; a plane in this thread goes on when this has returned. Not called before the first
   * `accept`: until then there is no table that could be old.
   */
  onPause(): void;
  /** Lines of the access log; resolves with whether they were written. Needed where there is one. */
  writeAccessLines?: WriteLines | undefined;
  /** A client asks for another configuration; resolves with why it was not changed, empty when it was. */
  changeConfig(order: ConfigOrder, by: string): Promise<string>;
}

/** Stats of a data plane. */
export interface PlaneStats {
  readonly sum: StatsSnapshot;
  /** Of each worker; one that has died has left its counts to the one in its place. */
  readonly workers: readonly StatsSnapshot[];
}

/** See the header. Clients wait at its sockets until `accept`. */
export interface DataPlane extends SlotTable {
  /**
   * Binds its sockets, where it was made without.
   *
   * @param isBeside Whether another process of this proxy listens there, too.
   * @throws {Error} Naming the address, when one cannot be bound.
   */
  bind(place: ListenPlace, isBeside: boolean): void | Promise<void>;
  /** Where it listens, in the order of its sockets. */
  readonly addresses: readonly Deno.NetAddr[];
  /** Who may log in: changed here, for all workers. */
  readonly users: UsersOwner;
  /** Limits what all clients of a user may take, in all workers together. */
  limitUsers(users: readonly UserTake[]): Promise<void>;
  /** Says where clients of users read from; all others read as the options say. */
  setUserReads(reads: readonly UserReads[]): Promise<void>;
  /** The limited users, and what they have taken. */
  readonly limits: LimitPlaces;
  /** Begins to accept clients before there is a table: until `accept`, they get -LOADING. */
  acceptLoading(): void;
  /** Begins to accept clients, or to serve those that were accepted already; resolves when every worker does. */
  accept(): Promise<void>;
  /**
   * Accepts no more; clients that were accepted stay.
   *
   * @param isGentle Whether those are accepted that wait, and TLS handshakes that have begun may end.
   */
  stopAccepting(isGentle?: boolean): Promise<void>;
  /** Says whether requests are served from now on, those of clients that come later included. */
  setServing(serving: Serving): void;
  /** Says which commands that only the servers know an operator lets through. */
  allowCommands(commands: readonly AllowedCommand[]): void;
  /** Says which proxies there are, for clients of a Redis Cluster. */
  setCluster(nodes: ClusterMap): void;
  /** Takes other settings; resolves when they are in force in every worker. */
  set(settings: PlaneSettings): Promise<void>;
  /** Closes each client when it is between two requests; resolves when none is left, or after `timeoutMs`. */
  leaveSessions(timeoutMs: number): Promise<void>;
  /** Lets every client finish what it has in flight; after `graceMs` they are cut. */
  drainSessions(graceMs: number): Promise<void>;
  /**
   * How long a server has not answered, in milliseconds; asks it something, so that a later call knows more.
   *
   * @param breakMs From when on what is in flight there is broken off.
   * @returns -1 when no slot uses it.
   */
  silentMs(addr: string, breakMs: number): Promise<number>;
  /**
   * How many replicas a master has heard from within two seconds.
   *
   * @returns -1 when it is no master, or does not answer within half a second.
   */
  heardReplicas(addr: string): Promise<number>;
  /** Tells the slow logs of all workers something; resolves with what each of them had before. */
  slowLog(order: SlowLogOrder): Promise<readonly SlowLogReading[]>;
  /** Searches the clients of all workers. */
  searchClients(search: ClientSearch): Promise<FoundClients>;
  /** What each worker knows of hot and big keys. */
  hotKeys(): Promise<readonly HotKeysReading[]>;
  /** Its stats; a worker that does not answer at once is in them as it was last seen. */
  stats(): Promise<PlaneStats>;
  /** Meets clients that connect with TLS from now on in another way. */
  setClientTls(tls: TlsToClients): void;
  /** Speaks TLS to servers in another way over connections that are made from now on. */
  setServerTls(tls: TlsToServers): void;
  /** Log lines of this level and above are kept. */
  setLogLevel(level: LogLevel): void;
  /** Closes everything. */
  close(): void | Promise<void>;
}
