/**
 * The calls between a pool and its workers: one message that starts a worker, then calls in
 * both directions.
 *
 *     pool ── WorkerStart ──► worker
 *     pool ── WorkerCalls ──► worker
 *     pool ◄── PoolCalls ──── worker
 *
 * @module
 */

import type { AclLogEntry } from "../../acl/acl_log.ts";
import type { UsersUpdate } from "../../acl/users.ts";
import type { UsersAnswer, UsersChange } from "../../acl/users_owner.ts";
import type { LogLevel } from "../../base/log.ts";
import type { LogEntry } from "../../base/log_line.ts";
import type { SlotRule } from "../../hash/placement.ts";
import type { TlsToServers } from "../../io/tls.ts";
import type { TlsToClients } from "../../io/tls_gate.ts";
import type { UnblockReply } from "../../router/blocking/blocked.ts";
import type { AllowedCommand } from "../../model/allowed_command.ts";
import type { PauseMode } from "../../router/client/pause.ts";
import type { MonitorFilter } from "../../router/monitor/monitor_filter.ts";
import type { MonitoredLines } from "../../router/monitor/monitors.ts";
import type { ClientFilter, ConfigOrder } from "../../router/worker_context.ts";
import type { FoundInScript } from "../../router/dispatch/script_texts.ts";
import type { ForgottenKeys, HotKeysReading } from "../../router/hot_keys/hot_keys.ts";
import type { UserReads } from "../../router/options.ts";
import type { NamedLimits } from "../../router/limits/limit_cells.ts";
import type { ClientSearch, FoundClients } from "../../router/local/client_search.ts";
import type { SlowLogOrder, SlowLogReading } from "../../router/slow_log/slow_log.ts";
import type { StatsSnapshot } from "../../router/stats_snapshot.ts";
import type { Serving } from "../../router/serving.ts";
import type { ClusterMap } from "../../router/cluster_map.ts";
import type { GroupServers, SlotFill } from "../../router/slot_table.ts";
import type { ListenPlace, PlaneOptions, PlaneSettings } from "./data_plane.ts";
import type { SharedCounts } from "./shared_context.ts";

/** The first message to a worker. */
export interface WorkerStart {
  readonly plane: PlaneOptions;
  readonly logLevel: LogLevel;
  /** Its number among the workers, from 0. */
  readonly index: number;
  readonly counts: SharedCounts;
}

/** The calls that a worker answers. */
export interface WorkerCalls {
  fillSlot(fill: SlotFill): Promise<void>;
  resetSlot(slotId: number): Promise<void>;
  settleAll(): Promise<void>;
  setRules(rules: readonly SlotRule[]): Promise<void>;
  heardReplicas(addr: string): Promise<number>;
  silentMs(addr: string, breakMs: number): Promise<number>;
  setReplicas(groups: readonly GroupServers[]): void;
  inForce(version: number): void;
  loaded(version: number): void;
  /** Binds the ports that the workers share. */
  bind(place: ListenPlace): void;
  acceptLoading(): void;
  accept(): void;
  stopAccepting(isGentle: boolean): Promise<void>;
  /**
   * Says whether requests are served from now on. A worker that has noticed a pause which the pool had
   * not heard of does not serve for it.
   *
   * @param heardPauses The newest number that `PoolCalls.paused` reported.
   */
  setServing(serving: Serving, heardPauses: number): void;
  allowCommands(commands: readonly AllowedCommand[]): void;
  setCluster(nodes: ClusterMap): void;
  /** The users are others now. */
  updateUsers(update: UsersUpdate): void;
  setLimits(limits: readonly NamedLimits[]): void;
  setUserReads(reads: readonly UserReads[]): Promise<void>;
  set(settings: PlaneSettings): Promise<void>;
  leaveSessions(timeoutMs: number): Promise<void>;
  drainSessions(graceMs: number): Promise<void>;
  stats(): StatsSnapshot;
  /** The worker's ACL LOG; with `isReset` it forgets it. */
  aclLog(isReset: boolean): readonly AclLogEntry[];
  /** Tells the worker's slow log something; returns what it had before. */
  slowLog(order: SlowLogOrder): SlowLogReading;
  /** What it knows of hot and big keys, before it forgets what is to be forgotten. */
  hotKeys(forgotten: ForgottenKeys): HotKeysReading;
  listClients(filter: ClientFilter): string;
  searchClients(search: ClientSearch): FoundClients;
  killClients(filter: ClientFilter): number;
  /** Pauses the clients, or no longer when the mode is null. */
  pause(mode: PauseMode | null, ms: number): void;
  /** What clients of other workers watch. */
  watchedElsewhere(filters: readonly MonitorFilter[]): void;
  /** Lines for the clients that watch. */
  monitored(lines: readonly MonitoredLines[]): void;
  /** A client is to be told for clients of another worker, if it is this worker's. */
  redirectTo(clientId: number): boolean;
  /** Resolves when a client has what the servers have told those of this worker that redirect to it. */
  hearAll(clientId: number): Promise<void>;
  /** Gives an invalidation to a client, if it is this worker's. */
  invalidate(clientId: number, keys: string): boolean;
  unblockClient(id: number, reply: UnblockReply): Promise<boolean>;
  /** Another worker has looked at a script. */
  scriptSeen(sha: string, found: FoundInScript): void;
  /** All workers hold more than proxy_max_buffer: those above their share close clients. */
  press(): void;
  setClientTls(tls: TlsToClients): void;
  setServerTls(tls: TlsToServers): void;
  setLogLevel(level: LogLevel): void;
  close(): void;
}

/** The calls that the pool answers. */
export interface PoolCalls {
  /** The worker has noticed a pause, its `pauses`th, and holds requests. */
  paused(pauses: number): void;
  /** A line for the process's log. */
  writeLogEntry(entry: LogEntry): void;
  /** Lines of the access log; resolves with whether they were written. */
  writeAccessLines(lines: string): Promise<boolean>;
  /** The stats of the whole proxy. */
  proxyStats(): Promise<StatsSnapshot>;
  /** The other workers' ACL LOG, a list each; with `isReset` they forget it. */
  aclLog(isReset: boolean): Promise<readonly (readonly AclLogEntry[])[]>;
  /** Tells the other workers' slow logs something; resolves with what each of them had before. */
  slowLog(order: SlowLogOrder): Promise<readonly SlowLogReading[]>;
  /** What the other workers know of hot and big keys. */
  hotKeys(forgotten: ForgottenKeys): Promise<readonly HotKeysReading[]>;
  /** CLIENT LIST's lines of the other workers' clients. */
  listClients(filter: ClientFilter): Promise<string>;
  /** Closes clients of the other workers; resolves with how many. */
  killClients(filter: ClientFilter): Promise<number>;
  /** Pauses the clients of all workers, or no longer when the mode is null. */
  pause(mode: PauseMode | null, ms: number): Promise<void>;
  /** What clients of this worker watch; resolves when the others know. */
  watch(filters: readonly MonitorFilter[]): Promise<void>;
  /** Lines for clients of other workers that watch. */
  monitored(lines: readonly MonitoredLines[]): Promise<void>;
  /** A client of another worker is to be told for some of this one; resolves with whether there is such a client. */
  redirectTo(clientId: number): Promise<boolean>;
  /** Resolves when a client has what the servers have told those of the other workers that redirect to it. */
  hearAll(clientId: number): Promise<void>;
  /** Gives an invalidation to a client of another worker; resolves with whether there is such a client. */
  invalidate(clientId: number, keys: string): Promise<boolean>;
  /** CLIENT UNBLOCK of a client of another worker; resolves with whether it was blocked. */
  unblockClient(id: number, reply: UnblockReply): Promise<boolean>;
  /** Changes the users; resolves when the change is in force in all workers. */
  changeUsers(change: UsersChange, clientId: number): Promise<UsersAnswer>;
  /** Changes the configuration; resolves with why that was not done, empty when it is in force in all workers. */
  changeConfig(order: ConfigOrder, by: string): Promise<string>;
  /** The worker has looked at a script. */
  scriptSeen(sha: string, found: FoundInScript): void;
  /** All hold more than proxy_max_buffer, and this worker not more than its share. */
  pressOthers(): void;
}
