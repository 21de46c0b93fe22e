/**
 * Which replicas of a group may become its master. The failover that promotes one, and the advice to an
 * operator that names one, ask here: what is not fit for the one is not fit for the other.
 *
 *     is it a replica, not in a sync, with a priority? ─► has it the master's data? ─► how much of it?
 *                                                     ─► does it let proxies in, as the user of clients?
 *
 * @module
 */

import type { RedisInfo } from "../redis/info.ts";
import type { ServerRecord } from "../model/server.ts";
import { isFrozenBy, isSameServer, type Replication, replicationOf } from "./servers.ts";

/** How much longer than the master is down a replica may have been without it, in seconds. */
const LINK_SLACK_SECONDS = 10;

/** A link that has been down for longer was never up, in seconds: thirty years. */
const NEVER_SECONDS = 1e9;

/** What was last seen of servers. */
export interface ServerSightings {
  /** For how long a server has not answered this dashboard, in milliseconds; 0 while it answers. */
  downMs(addr: string): number;
  /** INFO of a server as it was last read; undefined while it has not answered. */
  infoOf(addr: string): RedisInfo | undefined;
  /** How a replica replicated when it was last seen to be linked to a master. */
  lastLinked(addr: string): Replication | undefined;
}

/** A server that may become master, and how much it has. */
export interface Candidate {
  readonly addr: string;
  /** Which stream of changes it has: see `Replication`. */
  readonly history: string;
  /** Of that stream, in bytes: of another one it says nothing. */
  readonly offset: number;
}

/** The replicas of a group, as they are judged. */
export interface JudgedReplicas {
  /** Those that may become master; first what has most of the changes. */
  readonly fit: readonly Candidate[];
  /** Why each of the others may not. */
  readonly unfit: readonly string[];
  /** Those that would be fit if they let proxies in. */
  readonly closed?: readonly string[];
}

/** Judges a replica by its INFO, which says this of its replication; empty: it may become master. */
export type Judgement = (addr: string, info: RedisInfo, now: Replication) => string;

/**
 * Judges the replicas among servers. All are asked at once; one with `replica-priority 0` is never fit, nor one that
 * is in the middle of a sync.
 *
 * @param ask Reads INFO of a server; fails when it does not answer.
 * @param whyUnfit Says more of what keeps one from being chosen; empty: nothing.
 */
export async function judgeReplicas(
  ask: (addr: string) => Promise<RedisInfo>,
  servers: readonly ServerRecord[],
  whyUnfit: Judgement,
): Promise<JudgedReplicas> {
  const infos = new Map<string, RedisInfo>();
  await Promise.all(servers.map(async ({ addr, type }) => {
    if (type === "slave") await ask(addr).then((info) => infos.set(addr, info), () => {});
  }));
  return judgedBy((addr) => infos.get(addr), servers, whyUnfit);
}

/** As {@linkcode judgeReplicas}, by what is known of servers; undefined is one that does not answer. */
export function judgedBy(
  infoOf: (addr: string) => RedisInfo | undefined,
  servers: readonly ServerRecord[],
  whyUnfit: Judgement,
): JudgedReplicas {
  const fit: Candidate[] = [];
  const unfit: string[] = [];
  for (const { addr, type } of servers) {
    if (type !== "slave") continue;
    const info = infoOf(addr);
    if (info === undefined) {
      unfit.push(`${addr} does not answer`);
      continue;
    }
    const now = replicationOf(info);
    const why = whyNeverFit(info, now) || whyUnfit(addr, info, now);
    if (why === "") fit.push({ addr, history: now.history, offset: now.offset });
    else unfit.push(`${addr} ${why}`);
  }
  return { fit: fit.sort((a, b) => b.offset - a.offset), unfit };
}

/**
 * The same without replicas that do not let proxies in: as masters they would refuse every request.
 *
 * @param refusalOf Why one does not, to be said after its address; `""`: it does.
 */
export function lettingIn(
  { fit, unfit }: JudgedReplicas,
  refusalOf: (addr: string) => string,
): JudgedReplicas {
  const closed = fit.map(({ addr }) => addr).filter((addr) => refusalOf(addr) !== "");
  return {
    fit: fit.filter(({ addr }) => !closed.includes(addr)),
    unfit: [...unfit, ...closed.map((addr) => `${addr} ${refusalOf(addr)}`)],
    closed,
  };
}

/**
 * What makes a replica unfit in place of a master that does not answer.
 *
 * @param downSeconds For how long it does not.
 */
export function judgementFor(
  seen: ServerSightings,
  master: string,
  downSeconds: number,
): Judgement {
  return (addr, info, now) =>
    whyNotSynced(seen, addr, now, master) || whyUnlinked(info, master, downSeconds);
}

/** The replica that has most of the master's changes; else why there is none. */
export function bestOf({ fit, unfit, closed = [] }: JudgedReplicas): Candidate | string {
  const [best] = fit;
  if (best === undefined) {
    const verb = closed.length === 0 ? "answers" : "lets proxies in";
    return [`no replica with its data ${verb}`, ...unfit].join("; ");
  }
  // Offsets in two histories say nothing of each other.
  const other = fit.find(({ history }) => history !== best.history);
  if (other === undefined) return best;
  return `it is not known which of ${best.addr} and ${other.addr} has followed it: their histories differ`;
}

function whyNeverFit(info: RedisInfo, { role }: Replication): string {
  if (role !== "slave") return "is no replica";
  if (info["master_sync_in_progress"] === "1") return "is in the middle of a sync";
  return info["slave_priority"] === "0" ? "has replica-priority 0" : "";
}

/** Why it is not known that a replica has the master's data; empty: it is. */
function whyNotSynced(
  seen: ServerSightings,
  addr: string,
  now: Replication,
  master: string,
): string {
  const linked = seen.lastLinked(addr);
  if (linked?.history === now.history && isSameServer(linked.master, master)) return "";
  const { role, master: followed, history } = replicationOf(seen.infoOf(master) ?? {});
  const unknown = `is not known to have synced with ${master}`;
  // What a master wrote that was not seen since it was promoted nobody may have; of a frozen one it is known.
  if (role === "slave" && !isFrozenBy(followed, master)) return unknown;
  // A replica may know the master by another address than we do.
  if (history !== "") return history === now.history ? "" : unknown;
  if (!isSameServer(now.master, master)) return `follows ${now.master}, and not ${master}`;
  // Before Redis 4 a server has no history. Of a master that was never seen alive we know no more.
  return seen.infoOf(master) === undefined ? "" : unknown;
}

/** Why a replica has been without its master for too long; empty: it has not. */
function whyUnlinked(info: RedisInfo, master: string, downSeconds: number): string {
  const unlinked = Number(info["master_link_down_since_seconds"] ?? 0);
  // Before Redis 6.2 it is the age of the Unix epoch.
  if (unlinked < 0 || unlinked > NEVER_SECONDS) {
    return `has not been linked to ${master} since its start`;
  }
  return unlinked <= downSeconds + LINK_SLACK_SECONDS
    ? ""
    : `has not been linked to ${master} for ${unlinked} s`;
}
