/**
 * A client of the dashboard's HTTP API, one method for each endpoint that is asked by our processes.
 *
 * @module
 */

import type { AllowedCommand } from "../model/allowed_command.ts";
import type { SlotRule } from "../hash/placement.ts";
import type { MigrateTaskRecord } from "../model/migrate_task.ts";
import { PROXY_SHAPE, type ProxyRecord, type ProxyState } from "../model/proxy.ts";
import type { ServerType } from "../model/server.ts";
import type { SlotRecord } from "../model/slot.ts";
import {
  ANSWER_SHAPES,
  type CancelMode,
  type CheckAnswer,
  type ConfigNoteBody,
  type DoneAnswer,
  type EventsAnswer,
  type GroupAnswer,
  type KeyPlaceAnswer,
  type ListedProxy,
  type MigrateBody,
  type MigrateStatusAnswer,
  type OverviewAnswer,
  type QueuedAnswer,
  type RebalanceBody,
  type RebalancePlanAnswer,
  type SlotRangeBody,
  type SlotRulesAnswer,
  type SlowRequestsAnswer,
  type SwitchedAnswer,
} from "./answers.ts";
import type { ClusterView, SentinelsView } from "./cluster_view.ts";
import { type LeaderFinder, queryOf, segmentOf } from "./dashboard_requests.ts";
import { UsersClient } from "./users_client.ts";

/** See the header. Its methods reject as those of {@linkcode DashboardRequests} do. */
export class DashboardClient extends UsersClient {
  /** The dashboard that gets the requests, `host:port`: the address that was given, or the leader that it named. */
  get address(): string {
    return this.requests.address;
  }

  /** Whether a dashboard has answered yet. */
  get hasAnswered(): boolean {
    return this.requests.hasAnswered;
  }

  /** As {@linkcode DashboardRequests.followLeader}. */
  followLeader(find: LeaderFinder): void {
    this.requests.followLeader(find);
  }

  // -- the cluster --

  /** Product, requests per second, INFO of every master. */
  overview(): Promise<OverviewAnswer> {
    return this.requests.read("/api/overview", ANSWER_SHAPES.overview);
  }

  /**
   * The whole cluster.
   *
   * @param isFresh Whether slots, groups and function libraries are read for it; otherwise they are at most 10 s old.
   */
  cluster(isFresh = false): Promise<ClusterView> {
    return this.requests.read(`/api/cluster${isFresh ? "?fresh=yes" : ""}`, ANSWER_SHAPES.cluster);
  }

  /** What is wrong with what is stored. */
  check(): Promise<CheckAnswer> {
    return this.requests.read("/api/check", ANSWER_SHAPES.check);
  }

  /** Outage events, newest first, and the outages that have not ended. */
  events(
    filter: { readonly limit: number; readonly since?: number; readonly kind?: string },
  ): Promise<EventsAnswer> {
    return this.requests.read(`/api/events?${queryOf(filter)}`, ANSWER_SHAPES.events);
  }

  /** The newest slow requests of all proxies. */
  slowRequests(limit: number): Promise<SlowRequestsAnswer> {
    return this.requests.read(`/api/slowlog?limit=${limit}`, ANSWER_SHAPES.slowRequests);
  }

  /** Hot and big keys of all proxies. */
  hotKeys(limit: number) {
    return this.requests.read(`/api/hotkeys?limit=${limit}`, ANSWER_SHAPES.hotKeys);
  }

  // -- groups and servers --

  /** Every group; `null` when there is none. */
  groups(): Promise<readonly GroupAnswer[] | null> {
    return this.requests.read("/api/server_groups", ANSWER_SHAPES.groups);
  }

  /** One group. */
  group(groupId: number): Promise<GroupAnswer> {
    return this.requests.read(`/api/server_group/${groupId}`, ANSWER_SHAPES.group);
  }

  /** Makes a group without servers. */
  addGroup(groupId: number): Promise<DoneAnswer> {
    return this.requests.change("PUT", "/api/server_groups", { id: groupId });
  }

  /** Removes a group and its servers. */
  removeGroup(groupId: number): Promise<DoneAnswer> {
    return this.requests.change("DELETE", `/api/server_group/${groupId}`);
  }

  /** Adds a server to a group, which is made when it is not there. */
  addServer(
    groupId: number,
    addr: string,
    type: ServerType,
    force = false,
    zone?: string,
  ): Promise<DoneAnswer> {
    const more = { ...(force ? { force } : {}), ...(zone === undefined ? {} : { zone }) };
    const body = { type, group_id: groupId, addr, ...more };
    return this.requests.change("PUT", `/api/server_group/${groupId}/addServer`, body);
  }

  /** Says which zone a server is in; empty for none. */
  setServerZone(groupId: number, addr: string, zone: string): Promise<DoneAnswer> {
    return this.requests.change("PUT", `/api/server_group/${groupId}/zone`, { addr, zone });
  }

  /** Removes a server from a group. */
  removeServer(groupId: number, addr: string): Promise<DoneAnswer> {
    return this.requests.change("PUT", `/api/server_group/${groupId}/removeServer`, { addr });
  }

  /** Makes a server the master of its group; with `force` even if it lags behind. */
  promoteServer(groupId: number, addr: string, force = false): Promise<DoneAnswer> {
    const body = { addr, group_id: groupId, ...(force ? { force } : {}) };
    return this.requests.change("POST", `/api/server_group/${groupId}/promote`, body);
  }

  /** Makes the best replica of a group its master. */
  switchMaster(groupId: number): Promise<SwitchedAnswer> {
    const path = `/api/server_group/${groupId}/switch`;
    return this.requests.post(path, {}, ANSWER_SHAPES.switched, true);
  }

  /** Queues what empties a group, so that it can be removed. */
  drainGroup(groupId: number, request: Pick<RebalanceBody, "delay">): Promise<QueuedAnswer> {
    return this.#queue(`/api/server_group/${groupId}/drain`, request);
  }

  /** What {@linkcode DashboardClient.drainGroup} would queue. */
  planDrain(groupId: number): Promise<RebalancePlanAnswer> {
    return this.#plan(`/api/server_group/${groupId}/drain`, {});
  }

  /** INFO of a server, and its `maxmemory`. */
  redisStat(addr: string): Promise<Readonly<Record<string, string>>> {
    return this.requests.read(`/api/redis/${segmentOf(addr)}/stat`, ANSWER_SHAPES.redisStat);
  }

  // -- sentinels --

  /** The sentinels, and what they say; null when there are none. */
  sentinels(): Promise<SentinelsView | null> {
    return this.requests.read("/api/sentinels", ANSWER_SHAPES.sentinels);
  }

  /** Adds a sentinel, which then watches every group. */
  addSentinel(addr: string): Promise<DoneAnswer> {
    return this.requests.change("POST", "/api/sentinels", { addr });
  }

  /** Removes a sentinel; with `force` also one that does not answer. */
  removeSentinel(addr: string, force = false): Promise<DoneAnswer> {
    const body = force ? { force } : undefined;
    return this.requests.change("DELETE", `/api/sentinels/${segmentOf(addr)}`, body);
  }

  /** Has all sentinels watch the masters that the table has. */
  resyncSentinels(): Promise<DoneAnswer> {
    return this.requests.change("POST", "/api/sentinels/resync");
  }

  // -- slots --

  /** Every slot that is stored, in no order. */
  slots(): Promise<readonly SlotRecord[] | null> {
    return this.requests.read("/api/slots", ANSWER_SHAPES.slots);
  }

  /** One slot. */
  slot(slotId: number): Promise<SlotRecord> {
    return this.requests.read(`/api/slot/${slotId}`, ANSWER_SHAPES.slot);
  }

  /** Creates all slots, of no group; with `force` also when there are some. */
  initSlots(force: boolean): Promise<DoneAnswer> {
    return this.requests.change("POST", `/api/slots/init${force ? "?is_force=1" : ""}`);
  }

  /** Assigns slots that belong to no group. */
  setSlots(range: SlotRangeBody): Promise<DoneAnswer> {
    return this.requests.change("POST", "/api/slot", range);
  }

  // -- slot rules --

  /** The slot rules. */
  slotRules(): Promise<SlotRulesAnswer> {
    return this.requests.read("/api/slot_rules", ANSWER_SHAPES.slotRules);
  }

  /** Adds slot rules behind those that are there, or with `first` before them. */
  addSlotRules(rules: readonly SlotRule[], first = false): Promise<DoneAnswer> {
    const body = { rules, ...(first ? { first } : {}) };
    return this.requests.change("POST", "/api/slot_rules", body);
  }

  /** Removes slot rules. */
  removeSlotRules(patterns: readonly string[]): Promise<DoneAnswer> {
    return this.requests.change("POST", "/api/slot_rules/remove", { patterns });
  }

  /** Where a key is placed, and why. */
  testSlotRules(key: string): Promise<KeyPlaceAnswer> {
    const path = `/api/slot_rules/test?key=${encodeURIComponent(key)}`;
    return this.requests.read(path, ANSWER_SHAPES.keyPlace);
  }

  // -- migration --

  /** The slots that are on their way. */
  migrateStatus(): Promise<MigrateStatusAnswer> {
    return this.requests.read("/api/migrate/status", ANSWER_SHAPES.migrateStatus);
  }

  /** Every migration task, oldest first. */
  migrateTasks(): Promise<readonly MigrateTaskRecord[] | null> {
    return this.requests.read("/api/migrate/tasks", ANSWER_SHAPES.migrateTasks);
  }

  /** Queues one task for each slot; does not wait for them. */
  migrate(request: MigrateBody): Promise<DoneAnswer> {
    return this.requests.change("POST", "/api/migrate", request);
  }

  /** Cancels one task: a pending one goes, a running one is moved back unless it is nearly done. */
  cancelTask(name: string, mode?: CancelMode): Promise<DoneAnswer> {
    const body = mode === undefined ? undefined : { mode };
    return this.requests.change("DELETE", `/api/migrate/tasks/${encodeURIComponent(name)}`, body);
  }

  /** Cancels every task. */
  cancelTasks(mode?: CancelMode): Promise<DoneAnswer> {
    return this.requests.change(
      "POST",
      "/api/migrate/cancel",
      mode === undefined ? undefined : { mode },
    );
  }

  /** Queues what spreads the slots evenly; does not wait for it. */
  rebalance(request: RebalanceBody): Promise<QueuedAnswer> {
    return this.#queue("/api/rebalance", request);
  }

  /** What {@linkcode DashboardClient.rebalance} would queue. */
  planRebalance(request: RebalanceBody): Promise<RebalancePlanAnswer> {
    return this.#plan("/api/rebalance", request);
  }

  /** Lets migrations rest, or go on. */
  setMigrationsPaused(isPaused: boolean): Promise<DoneAnswer> {
    return this.requests.change("POST", `/api/migrate/${isPaused ? "pause" : "resume"}`);
  }

  /** The Redis commands that an operator lets through. */
  allowedCommands(): Promise<readonly AllowedCommand[] | null> {
    return this.requests.read("/api/commands/allowed", ANSWER_SHAPES.allowedCommands);
  }

  /** Lets a Redis command through that only the servers know. */
  allowCommand(command: AllowedCommand): Promise<DoneAnswer> {
    return this.requests.change("POST", "/api/commands/allowed", command);
  }

  /** Lets it through no longer. */
  disallowCommand(name: string): Promise<DoneAnswer> {
    return this.requests.change("DELETE", `/api/commands/allowed/${encodeURIComponent(name)}`);
  }

  #queue(path: string, request: RebalanceBody): Promise<QueuedAnswer> {
    const body = Object.keys(request).length === 0 ? undefined : request;
    return this.requests.post(path, body, ANSWER_SHAPES.queued, true);
  }

  #plan(path: string, request: RebalanceBody): Promise<RebalancePlanAnswer> {
    return this.requests.post(
      path,
      { dry_run: true, ...request },
      ANSWER_SHAPES.rebalancePlan,
      false,
    );
  }

  // -- proxies --

  /** Every registered proxy. */
  proxies(): Promise<readonly ListedProxy[] | null> {
    return this.requests.read("/api/proxy/list", ANSWER_SHAPES.proxies);
  }

  /** `/debug/vars` of every proxy, by its id. */
  proxyDebugVars(): Promise<Readonly<Record<string, unknown>>> {
    return this.requests.read("/api/proxy/debug/vars", ANSWER_SHAPES.debugVars);
  }

  /** Changes a proxy's state, as Codis 2.0's proxies ask: by a record of which only id and state are filled. */
  setProxyState(proxyId: string, state: ProxyState): Promise<DoneAnswer> {
    const record: ProxyRecord = {
      ...{ id: proxyId, addr: "", state, pid: 0, start_at: "", debug_var_addr: "" },
      ...{ description: "", last_event: "", last_event_ts: 0 },
    };
    return this.requests.change("POST", "/api/proxy", PROXY_SHAPE.write(record));
  }

  /** Has the audit trail note that a proxy's configuration has changed, or why it has not. */
  noteProxyConfig(proxyId: string, note: ConfigNoteBody): Promise<DoneAnswer> {
    return this.requests.change("POST", `/api/proxy/${segmentOf(proxyId)}/config`, note);
  }

  // -- actions --

  /** Removes old actions: all but the newest `keep`, or those older than `secs` seconds. */
  gcActions(bound: { readonly keep: number } | { readonly secs: number }): Promise<DoneAnswer> {
    const query = "keep" in bound ? `keep=${bound.keep}` : `secs=${bound.secs}`;
    return this.requests.change("POST", `/api/action/gc?${query}`);
  }

  /** Removes the product's lock, whichever process has it. */
  removeLocks(): Promise<DoneAnswer> {
    return this.requests.change("POST", "/api/force_remove_locks");
  }

  /** Fences an address: nothing changes from now on while no proxy of ours is online there. */
  addFence(addr: string): Promise<DoneAnswer> {
    return this.requests.change("PUT", "/api/fence", { addr });
  }

  /** Removes the fences behind which no proxy is online. */
  removeFences(): Promise<DoneAnswer> {
    return this.requests.change("POST", "/api/remove_fence");
  }
}
