/**
 * Every Redis server of the cluster as it last answered INFO, and since when it has not.
 *
 * @module
 */

import type { ServerView } from "../api/cluster_view.ts";
import type { Timers } from "../base/timers.ts";
import type { Control } from "../control/control.ts";
import { isSameServer, type Replication, replicationOf } from "../control/servers.ts";
import type { GroupRecord } from "../model/group.ts";
import type { ServerRecord } from "../model/server.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { keysIn, readInfoWithMaxmemory, type RedisInfo, runIdIn } from "../redis/info.ts";

/** Longest time that a server may take to answer INFO, in milliseconds. */
const INFO_MS = 2_000;
/** A question that has not been answered for so long counts from when it was asked, in milliseconds. */
const SLOW_MS = 250;

/** A server as it last answered. */
interface MonitoredServer {
  connection: RedisConnection | undefined;
  info: RedisInfo | undefined;
  /** How it replicated when it was last linked to a master. */
  linked: Replication | undefined;
  problem: string;
  /** When it stopped answering, in monotonic milliseconds; undefined while it answers. */
  downSinceMs: number | undefined;
  /** When it was asked what it has not answered yet, in monotonic milliseconds. */
  askedMs: number | undefined;
}

/** See the header. */
export class ServerMonitor {
  readonly #control: Pick<Control, "redis">;
  readonly #timers: Timers;
  readonly #servers = new Map<string, MonitoredServer>();
  #isStopped = false;

  /** Connects to servers through `control`. */
  constructor(control: Pick<Control, "redis">, timers: Timers) {
    this.#control = control;
    this.#timers = timers;
  }

  /** Lets rounds start again after {@linkcode ServerMonitor.stop}. */
  start(): void {
    this.#isStopped = false;
  }

  /** Closes all connections, and forgets every server. */
  stop(): void {
    this.#isStopped = true;
    for (const { connection } of this.#servers.values()) connection?.close();
    this.#servers.clear();
  }

  /**
   * Asks every server that has answered the round before.
   *
   * @returns Settled when every server has answered, or has not in time. The next round need not wait.
   */
  async round(groups: readonly GroupRecord[]): Promise<void> {
    const wanted = new Set(groups.flatMap(({ servers }) => servers?.map(({ addr }) => addr) ?? []));
    for (const [addr, { connection }] of this.#servers) {
      if (wanted.has(addr)) continue;
      connection?.close();
      this.#servers.delete(addr);
    }
    await Promise.all([...wanted].map((addr) => this.#ask(addr)));
  }

  /**
   * Asks those servers once more that have not answered, and replicas that were not linked to their masters: one is
   * promoted only if it was seen to have synced.
   */
  async askUnsettled(): Promise<void> {
    const unsettled = [...this.#servers].filter(([addr, { info }]) => {
      const replication = info === undefined ? undefined : replicationOf(info);
      const isUnlinked = replication?.role === "slave" && !replication.isLinked;
      return isUnlinked || this.downMs(addr) > 0;
    });
    await Promise.all(unsettled.map(([addr]) => this.#ask(addr)));
  }

  async #ask(addr: string): Promise<void> {
    let server = this.#servers.get(addr);
    if (server === undefined) {
      server = {
        connection: undefined,
        info: undefined,
        linked: undefined,
        problem: NOT_ASKED,
        downSinceMs: undefined,
        askedMs: undefined,
      };
      this.#servers.set(addr, server);
    }
    if (server.askedMs !== undefined) return;
    server.askedMs = this.#timers.nowMs();
    try {
      if (server.connection !== undefined && !server.connection.isOpen) {
        server.downSinceMs ??= server.connection.failedMs;
        server.connection = undefined;
      }
      if (server.connection === undefined) {
        server.connection = await this.#control.redis(addr, INFO_MS);
      }
      const before = server.info;
      server.info = await readInfoWithMaxmemory(server.connection);
      const replication = replicationOf(server.info);
      if (replication.isLinked || hasSynced(before, server.info)) server.linked = replication;
      server.problem = "";
      server.downSinceMs = undefined;
    } catch (error) {
      server.problem = error instanceof Error ? error.message : `${error}`;
      // A connection that was lost since the last round knows when.
      server.downSinceMs ??= Math.min(server.connection?.failedMs || Infinity, server.askedMs);
      server.connection?.close();
      server.connection = undefined;
    } finally {
      server.askedMs = undefined;
      if (this.#isStopped) server.connection?.close();
    }
  }

  /** How long a server has not answered, in milliseconds; 0 when it does, or was never asked. */
  downMs(addr: string): number {
    const server = this.#servers.get(addr);
    const since = server?.downSinceMs ?? (server?.connection?.failedMs || undefined);
    const nowMs = this.#timers.nowMs();
    if (since !== undefined) return nowMs - since;
    const waitedMs = nowMs - (server?.askedMs ?? nowMs);
    return waitedMs > SLOW_MS ? waitedMs : 0;
  }

  /** Whether it is known if a server answers. */
  wasAsked(addr: string): boolean {
    return this.problemOf(addr) !== NOT_ASKED;
  }

  /** Why a server does not answer; `""`: it does. */
  problemOf(addr: string): string {
    return this.#servers.get(addr)?.problem ?? NOT_ASKED;
  }

  /** Why a replica that answers does not follow the master of its group; `""`: it does. */
  whyNotFollowing({ addr, type }: ServerRecord, master: string): string {
    const info = this.#servers.get(addr)?.info;
    const replication = info === undefined ? undefined : replicationOf(info);
    return differenceOf(type, replication, this.#followed(replication, master), master);
  }

  /** INFO of a server as it was last read. */
  infoOf(addr: string): RedisInfo | undefined {
    return this.#servers.get(addr)?.info;
  }

  /** How a server replicated when it was last seen to be linked to a master. */
  lastLinked(addr: string): Replication | undefined {
    return this.#servers.get(addr)?.linked;
  }

  /** A server as it is stored and as it last answered; `master` is the stored master of its group. */
  view({ addr, type }: ServerRecord, master: string): OwnView {
    const server = this.#servers.get(addr);
    const isDown = server?.downSinceMs !== undefined;
    const info = isDown ? undefined : server?.info;
    const number = (name: string) => info?.[name] === undefined ? null : Number(info[name]);
    const replication = info === undefined ? undefined : replicationOf(info);
    const followed = this.#followed(replication, master);
    const masterInfo = this.infoOf(followed);
    const masterOffset = masterInfo === undefined ? undefined : replicationOf(masterInfo).offset;
    return {
      addr,
      type,
      is_reachable: info !== undefined,
      problem: server === undefined ? NOT_ASKED : server.problem || this.#otherName(addr) ||
        differenceOf(type, replication, followed, master),
      down_seconds: Math.round(this.downMs(addr) / 1000),
      role: replication?.role ?? null,
      version: info?.["redis_version"] ?? null,
      uptime_seconds: number("uptime_in_seconds"),
      keys: info === undefined ? null : keysIn(info),
      ops: number("instantaneous_ops_per_sec"),
      clients: number("connected_clients"),
      memory_bytes: number("used_memory"),
      maxmemory_bytes: number("maxmemory"),
      replication: replication?.role !== "slave" ? null : {
        master: replication.master,
        is_up: replication.isLinked,
        lag_bytes: masterOffset === undefined
          ? null
          : Math.max(0, masterOffset - replication.offset),
      },
    };
  }

  /** The master that a replica follows: by its stored address where the replica uses another name. */
  #followed(replication: Replication | undefined, master: string): string {
    if (replication === undefined) return "";
    const { history } = replicationOf(this.infoOf(master) ?? {});
    const isOneHistory = history !== "" && history === replication.history;
    return isOneHistory || isSameServer(replication.master, master) ? master : replication.master;
  }

  /** A problem if the server is stored under a second address, too; `""` if it is not. */
  #otherName(addr: string): string {
    const runId = runIdIn(this.infoOf(addr) ?? {});
    if (runId === "") return "";
    const other = [...this.#servers].find(([each, { info, downSinceMs }]) =>
      each !== addr && downSinceMs === undefined && info !== undefined && runIdIn(info) === runId
    );
    return other === undefined ? "" : `the same server as ${other[0]}, stored twice`;
  }
}

/** What is known of a server without the proxies. */
export type OwnView = Omit<ServerView, "private_connections" | "refused" | "zone" | "reads">;

/**
 * Whether a replica has had a sync between two answers, after which its link was lost again: it has another history,
 * and was not restarted.
 */
function hasSynced(before: RedisInfo | undefined, info: RedisInfo): boolean {
  if (before === undefined) return false;
  const [was, now] = [replicationOf(before), replicationOf(info)];
  // A master begins another history with its first replica.
  const isSameWay = was.role === "slave"
    ? was.master === now.master
    : before["connected_slaves"] === "0" && info["connected_slaves"] === "0";
  return now.role === "slave" && isSameWay && was.history !== now.history &&
    runIdIn(before) === runIdIn(info);
}

/** The problem of a server before its first answer. */
const NOT_ASKED = "not asked yet";

/** How a server differs from what is stored of it; `""` when it does not. */
function differenceOf(
  type: ServerRecord["type"],
  replication: Replication | undefined,
  followed: string,
  master: string,
): string {
  if (replication === undefined) return "";
  if (type === "master" && replication.role === "slave") {
    return `stored as master, but it follows ${replication.master}: it refuses writes (config check says what to do)`;
  }
  if (type !== "slave") return "";
  if (replication.role === "master") return "stored as slave, but it follows no master";
  if (master !== "" && followed !== master) {
    return `it follows ${replication.master}, not the master ${master}`;
  }
  return replication.isLinked ? "" : `its link to ${replication.master} is down`;
}
