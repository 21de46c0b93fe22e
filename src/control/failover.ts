/**
 * Failover: when a master is down, a replica takes its place. It does not when only this dashboard cannot
 * reach the master, and a group never has two masters.
 *
 *     down for failover_after as we see it ─► down as most proxies see it ─► best replica ─► promoted
 *            │                                  (votes.ts)  │                    │
 *            └ no: wait                              └ no: told, wait            └ none: told, wait
 *
 * The old master is stored as `offline`: no proxy uses it when it comes back, and it is made a replica as
 * soon as it does (rejoin.ts).
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { repeat } from "../base/repeat.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import type { GroupRecord } from "../model/group.ts";
import type { RedisInfo } from "../redis/info.ts";
import { refusalAdvice } from "./client_login.ts";
import type { Control } from "./control.ts";
import { UnconfirmedError } from "./errors.ts";
import {
  bestOf,
  type Candidate,
  type JudgedReplicas,
  judgementFor,
  judgeReplicas,
  lettingIn,
  type ServerSightings,
} from "./fit_replica.ts";
import { replicationOf } from "./servers.ts";
import { isMajority, type Tally } from "./votes.ts";

/** How often masters are judged, in milliseconds. */
const ROUND_MS = 100;
/** Wait after a promotion that was refused, in milliseconds. */
const RETRY_MS = 1_000;

/** What was last seen of the cluster, as far as a failover depends on it. */
export interface MasterSightings {
  readonly tree: { readonly groups: readonly GroupRecord[] };
  readonly servers: ServerSightings;
}

/** What a failover needs. */
export interface FailoverContext {
  readonly control: Pick<Control, "outage">;
  /** Asks a server for INFO now, for half a second at most. */
  askInfo(addr: string): Promise<RedisInfo>;
  /** Why a server does not let proxies in, to be said after its address; `""` and undefined: it is not known to. */
  askRefusal(addr: string): Promise<string | undefined>;
  readonly sightings: MasterSightings;
  /** How proxies see masters; see `Votes`. */
  readonly votes: {
    ask(addr: string): void;
    forget(addr: string): void;
    of(addr: string, silentMs: number): Tally | undefined;
    holdouts(addr: string): ReadonlyMap<string, boolean>;
  };
  /**
   * Promotes a replica whose master is down.
   *
   * @param whyNot Asked when other changes are made: why it is not to be any more; empty: it is.
   */
  promote(groupId: number, addr: string, whyNot: () => Promise<string>): Promise<void>;
  /** Whether somebody else decides who is the master of a group: Sentinel. */
  isFollowed?(groupId: number): boolean;
}

/** See the header. */
export class Failover {
  readonly #context: FailoverContext;
  readonly #afterMs: number;
  readonly #timers: Timers;
  #end = () => {};
  readonly #retryAtMs = new Map<number, number>();
  /** Groups in which a promotion was begun, and has not succeeded yet. */
  readonly #begun = new Set<number>();
  /** How many promotions are under way. */
  promoting = 0;
  /** Why nothing was promoted in each group, as last told. */
  readonly #told = new Map<number, string>();
  /** Groups that are being judged: one that takes long keeps no other waiting. */
  readonly #judging = new Set<number>();

  /** @param afterMs How long a master must be down, in milliseconds. */
  constructor(context: FailoverContext, afterMs: number, timers: Timers = SYSTEM_TIMERS) {
    this.#context = context;
    this.#timers = timers;
    this.#afterMs = afterMs;
  }

  /** Starts to judge masters. */
  start(): void {
    this.#end = repeat(ROUND_MS, () => this.#round(), this.#timers);
  }

  /** Stops. */
  stop(): void {
    this.#end();
  }

  #round(): void {
    for (const group of this.#context.sightings.tree.groups) {
      if (this.#judging.has(group.id) || this.#context.isFollowed?.(group.id) === true) continue;
      this.#judging.add(group.id);
      this.#judge(group).finally(() => this.#judging.delete(group.id));
    }
  }

  async #judge(group: GroupRecord): Promise<void> {
    const { control, sightings, votes } = this.#context;
    const master = group.servers?.find(({ type }) => type === "master")?.addr;
    if (master === undefined) return;
    const downMs = sightings.servers.downMs(master);
    if (downMs === 0) {
      votes.forget(master);
      this.#told.delete(group.id);
      const text = `group ${group.id}: ${master} stays master, it answers again`;
      if (this.#begun.delete(group.id)) {
        control.outage({ ...aboutFailover(group.id, master), phase: "end", text });
      }
      return;
    }
    votes.ask(master);
    if (downMs < this.#afterMs) return;
    if (this.#timers.nowMs() < (this.#retryAtMs.get(group.id) ?? 0)) return;
    const tally = votes.of(master, this.#afterMs / 2);
    // The first answers are still on their way.
    if (tally === undefined && downMs < this.#afterMs + RETRY_MS) return;
    const why = tally === undefined
      ? "it is not known which proxies are online"
      : isMajority(tally)
      ? ""
      : minorityOf(tally);
    if (why !== "") return this.#refuse(group.id, master, "no majority", why);
    const judged = await this.#judgeReplicas(group, master, downMs / 1000);
    const candidate = bestOf(judged);
    if (typeof candidate === "string") {
      // Where there is none at all, it was told with the outage of the master.
      if (!group.servers!.some(({ type }) => type === "slave")) return;
      const [closed] = judged.fit.length === 0 ? judged.closed ?? [] : [];
      if (closed === undefined) return this.#refuse(group.id, master, "no replica", candidate);
      const hint = `${refusalAdvice(closed)}: then it is promoted; or start the master again`;
      return this.#refuse(group.id, master, "closed replica", candidate, hint);
    }
    const holdouts = votes.holdouts(master);
    const never = [...holdouts].filter(([, stepsBack]) => !stepsBack).map(([addr]) => addr);
    if (never.length > 0) {
      // Codis 2.0 text
      const cause = `Some proxies may not stop cleanly: ${never.join(" ")}`;
      return this.#refuse(group.id, master, "fence", cause);
    }
    if (holdouts.size > 0) return;
    await this.#replace(group, master, candidate, downMs, tally!);
  }

  async #replace(
    group: GroupRecord,
    master: string,
    { addr, history, offset }: Candidate,
    downMs: number,
    { down, up, unheard }: Tally,
  ): Promise<void> {
    const { control, promote, votes } = this.#context;
    const groupId = group.id;
    const about = aboutFailover(groupId, master);
    const seconds = Math.round(downMs / 100) / 10;
    const last = replicationOf(this.#context.sightings.servers.infoOf(master) ?? {});
    const missing = last.history === history ? Math.max(0, last.offset - offset) : 0;
    const fewer = missing === 0 ? "" : `, ${missing} fewer than it had when it last answered`;
    this.#begun.add(groupId);
    control.outage({
      ...about,
      phase: "begin",
      text:
        `group ${groupId}: promoting ${addr}, which has ${offset} bytes of the changes of ${master}${fewer}`,
      cause: `${master} does not answer for ${seconds} s, and ${down} of ` +
        `${countOf(down + up + unheard.length, "proxy", "proxies")} cannot reach it either`,
    });
    this.promoting++;
    const endVotes = repeat(ROUND_MS, () => votes.ask(master), this.#timers);
    const whyNot = () => this.#whyNot(group, master, addr);
    try {
      let cause = "";
      await promote(groupId, addr, whyNot).catch((error) => {
        if (!(error instanceof UnconfirmedError)) throw error;
        cause = error.message;
      });
      this.#told.delete(groupId);
      this.#begun.delete(groupId);
      const text = `group ${groupId}: ${addr} is master in place of ${master}`;
      control.outage({ ...about, phase: "end", text, cause });
    } catch (error) {
      this.#retryAtMs.set(groupId, this.#timers.nowMs() + RETRY_MS);
      // It is tried again: the outage ends when that succeeds, or the master is back.
      const { message } = error as Error;
      this.#refuse(groupId, master, message, `${addr} is not promoted: ${message}`);
    } finally {
      endVotes();
      this.promoting--;
    }
  }

  /** Why a replica that was chosen is not to be promoted any more; empty: it is. */
  async #whyNot(group: GroupRecord, master: string, addr: string): Promise<string> {
    const { sightings, votes } = this.#context;
    const tally = votes.of(master, this.#afterMs / 2);
    const downMs = sightings.servers.downMs(master);
    const isStillDown = downMs > 0 && tally !== undefined && isMajority(tally) &&
      votes.holdouts(master).size === 0;
    if (!isStillDown) return `${master} may be back`;
    // It may have been restarted meanwhile, and have nothing.
    const best = bestOf(await this.#judgeReplicas(group, master, downMs / 1000));
    if (typeof best === "string") return best;
    return best.addr === addr ? "" : `${best.addr} has more of its changes now`;
  }

  /** The replicas that may take the master's place, and why others may not. */
  async #judgeReplicas(
    group: GroupRecord,
    master: string,
    downSeconds: number,
  ): Promise<JudgedReplicas> {
    const { servers: seen } = this.#context.sightings;
    const servers = (group.servers ?? []).filter(({ addr }) => seen.downMs(addr) === 0);
    const ask = (addr: string) => this.#context.askInfo(addr);
    const judged = await judgeReplicas(ask, servers, judgementFor(seen, master, downSeconds));
    const refusals = new Map<string, string>();
    await Promise.all(judged.fit.map(async ({ addr }) => {
      refusals.set(addr, await this.#context.askRefusal(addr) ?? "");
    }));
    return lettingIn(judged, (addr) => refusals.get(addr)!);
  }

  #refuse(groupId: number, master: string, kind: string, cause: string, hint = ""): void {
    if (this.#told.get(groupId) === kind) return;
    this.#told.set(groupId, kind);
    this.#context.control.outage({
      ...{ kind: "failover_refused", phase: "once", subject: `group ${groupId}`, cause },
      ...{ group: groupId, server: master },
      text: `group ${groupId}: the master ${master} does not answer this dashboard: no failover`,
      hint: hint !== ""
        ? hint
        : kind === "no replica"
        ? `start it again; or, if what another server lacks may be lost: config server promote ${groupId} <addr> --force`
        : kind === "fence"
        ? "start that proxy again; or, if it is surely gone: config action remove-fence"
        : kind !== "no majority"
        ? ""
        : "look at the network between this dashboard, the proxies and the server",
    });
  }
}

function aboutFailover(groupId: number, server: string) {
  return { kind: "failover", subject: `group ${groupId}`, group: groupId, server } as const;
}

function minorityOf({ down, up, unheard }: Tally): string {
  const all = down + up + unheard.length;
  if (all === 0) return "no proxy is online that uses it";
  const silent = unheard.length === 0
    ? ""
    : `, ${unheard.length} did not answer (${unheard.join(", ")})`;
  return `${up} of ${countOf(all, "proxy", "proxies")} can reach it, ${down} cannot${silent}`;
}
