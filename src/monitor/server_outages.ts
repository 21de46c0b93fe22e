/**
 * What the dashboard reports of Redis servers: those that do not answer, replicas that have lost their
 * master, and replicas that are too far behind it.
 *
 * What follows from another outage does not begin one: the replicas of a master that is down have no link.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import type { ServerView } from "../api/cluster_view.ts";
import type { Timers } from "../base/timers.ts";
import { refusalAdvice } from "../control/client_login.ts";
import type { OutageReport } from "../control/outages.ts";
import { bestOf, judgedBy, judgementFor, lettingIn } from "../control/fit_replica.ts";
import { replicationOf } from "../control/servers.ts";
import type { GroupRecord } from "../model/group.ts";
import type { OutageKind } from "../model/outage_event.ts";
import type { ServerRecord } from "../model/server.ts";
import { keysIn, runIdIn } from "../redis/info.ts";
import { protocolHint } from "../redis/refusal.ts";
import type { ServerMonitor } from "./servers.ts";

/**
 * By how much what is measured of a replica's age may be wrong: servers are asked once a second, one after
 * the other. In milliseconds.
 */
const ROUNDS_MS = 2_000;
/** Readings of a master's offset that are remembered. */
const OFFSETS_KEPT = 120;

/** Takes what was seen. */
export interface OutageReporter {
  outage(report: OutageReport): void;
  /** Ends the outages of a kind whose subjects are not there any more. */
  keepOnly(kind: OutageKind, subjects: ReadonlySet<string>): void;
}

/** From when on a replica is too far behind. */
export interface LagLimits {
  readonly ms: number;
  readonly bytes: number;
}

type Server = ServerRecord & { readonly groupId: number };

/** What a server says that is alive, but does not accept our password or user. */
const LOGIN_REFUSAL = /^(NOAUTH|WRONGPASS|NOPERM|ERR (invalid password|AUTH |Client sent AUTH))/;
const LOGIN_HINT =
  "compare its requirepass and its users with password, backend_user and backend_password in config.ini, " +
  "and correct what is wrong: proxies that connect anew may be refused, too";

/** See the header. */
export class ServerOutages {
  readonly #servers: ServerMonitor;
  readonly #reporter: OutageReporter;
  /** From when on a replica is too far behind. */
  limits: LagLimits;
  readonly #timers: Timers;
  readonly #isFollowed: () => boolean;
  readonly #refusalOf: (addr: string) => string;
  /** What masters had written when, oldest first, by address. */
  readonly #offsets = new Map<string, { readonly atMs: number; readonly offset: number }[]>();
  /** Which process each master was, and how many keys it had. */
  readonly #runs = new Map<string, { readonly runId: string; readonly keys: number }>();

  /**
   * @param isFollowed Whether somebody else decides who is the master of a group: Sentinel.
   * @param refusalOf Why a server does not let proxies in; `""`: it does.
   */
  constructor(
    servers: ServerMonitor,
    reporter: OutageReporter,
    limits: LagLimits,
    timers: Timers,
    isFollowed: () => boolean,
    refusalOf: (addr: string) => string = () => "",
  ) {
    this.#servers = servers;
    this.#reporter = reporter;
    this.limits = limits;
    this.#timers = timers;
    this.#isFollowed = isFollowed;
    this.#refusalOf = refusalOf;
  }

  /**
   * Reports what the last answers of all servers say.
   *
   * @param isGiving Whether slots are leaving a group: its keys become fewer. Asked when one was restarted.
   */
  report(groups: readonly GroupRecord[], isGiving: (groupId: number) => boolean): void {
    const [all, masters] = [new Set<string>(), new Set<string>()];
    for (const { id, servers } of groups) {
      const master = servers?.find(({ type }) => type === "master")?.addr ?? "";
      if (master !== "") {
        masters.add(master);
        this.#noteOffset(master);
        this.#reportRestart(id, master, isGiving);
      }
      for (const record of servers ?? []) {
        all.add(record.addr);
        if (!this.#servers.wasAsked(record.addr)) continue;
        const server = { ...record, groupId: id };
        this.#reportDown(server, servers ?? []);
        this.#reportLink(server, master);
        this.#reportLag(server, master);
        this.#reportRefusal(server);
      }
    }
    for (const kind of ["server_down", "replica_link", "replica_lag", "clients_refused"] as const) {
      this.#reporter.keepOnly(kind, all);
    }
    for (const addr of this.#offsets.keys()) if (!all.has(addr)) this.#offsets.delete(addr);
    for (const addr of this.#runs.keys()) if (!masters.has(addr)) this.#runs.delete(addr);
  }

  /** A master that is back before a failover loses what it had not saved, and its replicas lose it with it. */
  #reportRestart(group: number, addr: string, isGiving: (groupId: number) => boolean): void {
    const info = this.#servers.infoOf(addr);
    if (info === undefined || this.#servers.downMs(addr) > 0 || info["loading"] === "1") return;
    const [runId, keys, before] = [runIdIn(info), keysIn(info), this.#runs.get(addr)];
    this.#runs.set(addr, { runId, keys });
    if (before === undefined || before.runId === runId) return;
    const hasSavedAll = info["aof_enabled"] === "1";
    // What was moved since the last reading has gone to another server.
    const hasMoved = hasSavedAll && keys > 0 && isGiving(group);
    const isFewer = keys < before.keys && !hasMoved;
    // With an append-only file a process that was killed has all that it had acknowledged.
    if (!isFewer && (hasSavedAll || keys === 0)) return;
    this.#reporter.outage({
      ...{ kind: "lost_writes", phase: "once", subject: addr, group, server: addr },
      severity: isFewer ? "error" : "warning",
      text:
        `group ${group}: the master ${addr} was restarted and has ${
          countOf(keys, "key")
        }, ${before.keys} ` +
        "before: what it had not saved is lost, also at its replicas",
      hint: hasSavedAll
        ? "look at its log: it has an append-only file, and did not find all keys in it; some may have expired"
        : "have masters save each write (appendonly yes), or start them again only after a failover",
    });
  }

  #reportDown(server: Server, others: readonly ServerRecord[]): void {
    const { addr, type } = server;
    const forMs = this.#servers.downMs(addr);
    const what = `the ${type === "slave" ? "replica" : type} ${addr}`;
    const said = this.#servers.problemOf(addr);
    // What to do may name it again.
    const problem = said.startsWith(`${addr}: `) ? said.slice(addr.length + 2) : said;
    if (forMs === 0 && problem === "") {
      return this.#end("server_down", server, `${what} answers again`);
    }
    const isRefusal = LOGIN_REFUSAL.test(problem);
    const happened = isRefusal ? "refuses the dashboard" : "does not answer";
    this.#begin("server_down", server, `${what} ${happened}`, {
      severity: type === "master" ? "error" : "warning",
      cause: problem,
      hint: isRefusal ? LOGIN_HINT : protocolHint(problem) || this.#downHint(server, others, forMs),
      forMs,
      // Nobody waits for a server that was taken out of service.
      onlyIfOpen: type === "offline",
    });
  }

  #reportLink(server: Server, master: string): void {
    const { addr, type } = server;
    const what = `the replica ${addr}`;
    if (type !== "slave") {
      return this.#end("replica_link", server, `${addr} is no replica any more`);
    }
    const view = this.#servers.view(server, master);
    const why = this.#servers.whyNotFollowing(server, master);
    if (view.is_reachable && why === "") {
      return this.#end("replica_link", server, `${what} follows its master again`);
    }
    const isSyncing = this.#servers.infoOf(addr)?.["master_sync_in_progress"] === "1";
    this.#begin("replica_link", server, `${what} does not follow its master`, {
      cause: isSyncing ? "it is loading all data from its master" : why || "it does not answer",
      hint:
        "look at its log, at masterauth and at the network between the two; what it serves gets older",
      onlyIfOpen: !view.is_reachable || this.#servers.downMs(master) > 0,
    });
  }

  #reportLag(server: Server, master: string): void {
    const { addr, type } = server;
    const what = `the replica ${addr}`;
    if (type !== "slave") return this.#end("replica_lag", server, `${addr} is no replica any more`);
    const { replication } = this.#servers.view(server, master);
    const cause = replication?.is_up ? this.#whyBehind(addr, master, replication) : undefined;
    if (cause === "") {
      return this.#end("replica_lag", server, `${what} has caught up with its master`);
    }
    this.#begin("replica_lag", server, `${what} is too far behind its master`, {
      cause: cause ?? "it has no link to its master",
      hint: "look for slow commands and full memory on it, and at the network to its master",
      onlyIfOpen: cause === undefined || this.#servers.downMs(master) > 0,
    });
  }

  /** A replica that refuses proxies is noticed by nobody until it is to become the master. */
  #reportRefusal(server: Server): void {
    const { addr, type } = server;
    const what = `the ${type === "slave" ? "replica" : type} ${addr}`;
    const refusal = this.#refusalOf(addr);
    if (refusal === "") return this.#end("clients_refused", server, `${what} lets proxies in`);
    const then = type === "slave" ? "; until then no failover promotes it" : "";
    this.#begin("clients_refused", server, `${what} ${refusal}`, {
      severity: type === "master" ? "error" : "warning",
      hint: `${refusalAdvice(addr)}${then}`,
      onlyIfOpen: type === "offline",
    });
  }

  /** Why a replica is too far behind; `""`: it is not. */
  #whyBehind(
    addr: string,
    master: string,
    { lag_bytes }: NonNullable<ServerView["replication"]>,
  ): string {
    const bytes = lag_bytes ?? 0;
    if (bytes > this.limits.bytes) return `${bytes} bytes, more than replica_max_lag_bytes`;
    const { offset } = replicationOf(this.#servers.infoOf(addr) ?? {});
    const readings = this.#offsets.get(master) ?? [];
    // Everything that the master had written then, it has.
    const reached = readings.findLast((reading) => reading.offset <= offset) ?? readings[0];
    if (bytes === 0 || reached === undefined) return "";
    const ms = this.#timers.nowMs() - reached.atMs;
    if (ms <= this.limits.ms + ROUNDS_MS) return "";
    return `${Math.round(ms / 1000)} s (${bytes} bytes), more than replica_max_lag`;
  }

  #downHint(
    { groupId, addr, type }: Server,
    others: readonly ServerRecord[],
    forMs: number,
  ): string {
    const start = "look at its machine and its log, and start it again";
    if (type !== "master") return `${start}, or remove it from the group`;
    const replicas = others.filter(({ type }) => type === "slave");
    if (replicas.length === 0) return `${start}: the group has no replica`;
    const seen = this.#servers;
    const infoOf = (each: string) => seen.downMs(each) > 0 ? undefined : seen.infoOf(each);
    const judged = judgedBy(infoOf, replicas, judgementFor(seen, addr, forMs / 1000));
    const best = bestOf(lettingIn(judged, this.#refusalOf));
    if (typeof best === "string") return `${start}: ${best}`;
    return this.#isFollowed()
      ? `${start}; Sentinel decides whether a replica becomes the master (config sentinel list)`
      : `${start}, or make a replica the master (config server promote ${groupId} ${best.addr})`;
  }

  #noteOffset(master: string): void {
    const info = this.#servers.infoOf(master);
    if (info === undefined || this.#servers.downMs(master) > 0) return;
    const { offset } = replicationOf(info);
    const readings = this.#offsets.get(master) ?? [];
    this.#offsets.set(master, readings);
    const last = readings.at(-1);
    // The master has started anew.
    if (last !== undefined && offset < last.offset) readings.length = 0;
    readings.push({ atMs: this.#timers.nowMs(), offset });
    readings.splice(0, readings.length - OFFSETS_KEPT);
  }

  #begin(
    kind: OutageKind,
    server: Server,
    text: string,
    more: Pick<OutageReport, "severity" | "cause" | "hint" | "forMs" | "onlyIfOpen">,
  ): void {
    this.#reporter.outage({ ...subjectOf(kind, server, text), phase: "begin", ...more });
  }

  #end(kind: OutageKind, server: Server, text: string): void {
    this.#reporter.outage({ ...subjectOf(kind, server, text), phase: "end" });
  }
}

function subjectOf(kind: OutageKind, { groupId, addr }: Server, text: string) {
  return { kind, subject: addr, group: groupId, server: addr, text: `group ${groupId}: ${text}` };
}
