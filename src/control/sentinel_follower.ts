/**
 * The table follows the sentinels: what they decide is a group's master becomes its master here, too. No server is told anything: Sentinel has done that.
 *
 *     answers ─► is one the newest? ─► which of the group's? ─► is it a master by now? ─► stored, announced
 *                     │ no                     │ none                   │ no
 *                     └────────────────────────┴── reported, and nothing changes ◄─┘
 *
 * The old master is stored as `offline`. Once it follows the new one it is stored as `slave`.
 *
 * @module
 */

import { parseAddress } from "../base/address.ts";
import { logger } from "../base/log.ts";
import { lookUp } from "../io/lookup.ts";
import type { GroupRecord } from "../model/group.ts";
import type { ServerRecord } from "../model/server.ts";
import { readInfo, type RedisInfo, runIdIn } from "../redis/info.ts";
import type { SentinelMaster } from "../redis/sentinel.ts";
import { loadGroup } from "../store/groups.ts";
import { withLock } from "../store/lock.ts";
import { LEAVE_OUT } from "../store/unreadable.ts";
import type { Control } from "./control.ts";
import { NotLeaderError, UnconfirmedError } from "./errors.ts";
import { IDENTITY_MS } from "./fit_server.ts";
import { typeChange } from "./master_change.ts";
import { type SentinelAnswer, verdictOf } from "./sentinel_verdict.ts";
import { identityOf, isSameServer, type Replication, replicationOf } from "./servers.ts";

const log = logger("dashboard");

/** What the follower works with. */
export interface SentinelFollowerContext {
  readonly control: Control;
  readonly servers: {
    /** For how long a server has not answered, in milliseconds; 0 while it answers. */
    downMs(addr: string): number;
    /** INFO of a server as it was last read. */
    infoOf(addr: string): RedisInfo | undefined;
  };
  /** Whether the group's master is being changed by this dashboard: nothing is followed then. */
  isHeld(groupId: number): boolean;
  /** A group is to be judged again, as it is now. */
  onMissed(groupId: number): void;
  /** Stores and announces a new master; the old one is `offline` from then on. */
  takeMaster(groupId: number, addr: string): Promise<void>;
}

/** See the header. */
export class SentinelFollower {
  readonly #context: SentinelFollowerContext;
  /** Groups that are being judged. */
  readonly #busy = new Map<number, Promise<void>>();
  /** Groups of which sentinels have said more while they were judged. */
  readonly #missed = new Set<number>();
  /** What is wrong with what sentinels say of a group. */
  readonly #problems = new Map<number, string>();

  constructor(context: SentinelFollowerContext) {
    this.#context = context;
  }

  /** What is wrong with what sentinels say of a group; `""`: nothing. */
  problemOf(groupId: number): string {
    return this.#problems.get(groupId) ?? "";
  }

  /** Forgets what is wrong with groups, by default with all. */
  forget(groupIds: readonly number[] = [...this.#problems.keys()]): void {
    for (const groupId of groupIds) this.#note(groupId, "");
  }

  /**
   * Judges what the sentinels say of a group, and follows them; resolves when that is done.
   *
   * @param answers Of those that answer.
   * @param total How many there are.
   */
  async judge(
    group: GroupRecord,
    answers: readonly SentinelAnswer[],
    total: number,
  ): Promise<void> {
    const { isHeld, onMissed } = this.#context;
    if (isHeld(group.id)) return;
    const busy = this.#busy.get(group.id);
    if (busy !== undefined) {
      this.#missed.add(group.id);
      return await busy;
    }
    const judging = this.#judgeNow(group, answers, total);
    this.#busy.set(group.id, judging);
    await judging;
    this.#busy.delete(group.id);
    if (this.#missed.delete(group.id)) onMissed(group.id);
  }

  async #judgeNow(
    group: GroupRecord,
    answers: readonly SentinelAnswer[],
    total: number,
  ): Promise<void> {
    try {
      this.#note(group.id, await this.#problemAfter(group, answers, total));
    } catch (error) {
      if (error instanceof NotLeaderError) return;
      log.warn("group {id}: the table does not follow the sentinels yet: {error}", {
        id: group.id,
        error,
      });
      this.#note(group.id, `the table does not follow yet: ${(error as Error).message}`);
    }
  }

  /** Follows; what is wrong after that. */
  async #problemAfter(
    group: GroupRecord,
    answers: readonly SentinelAnswer[],
    total: number,
  ): Promise<string> {
    const stored = group.servers?.find(({ type }) => type === "master")?.addr;
    if (stored === undefined) return "";
    const verdict = verdictOf(answers, total);
    if (verdict.kind === "few") return verdict.text;
    if (verdict.kind === "split") {
      const same = await Promise.all(
        answers.map(({ master }) => master === undefined || this.isServer(group, stored, master)),
      );
      return same.every(Boolean) ? "" : `the sentinels disagree: ${verdict.text}`;
    }
    const server = await this.#serverAt(group, verdict.master);
    if (server === undefined) {
      return `sentinels name ${verdict.master.addr} as master, which is not in the group: add it, or, ` +
        `where ${stored} should stay or has moved, run \`codis-proxy config sentinel resync\``;
    }
    if (server.addr === stored) {
      await this.#welcomeBack(group, stored);
      return "";
    }
    // One that does not answer this dashboard may answer the sentinels and the proxies.
    const now = await this.#replicationOf(server.addr);
    if (now?.role === "slave") {
      return `sentinels name ${server.addr} as master, which is a replica of ${now.master}`;
    }
    if (now === undefined && !verdict.isByMost) return `the sentinels disagree: ${verdict.text}`;
    await this.#follow(group.id, stored, server.addr, `${verdict.votes} of ${total} sentinels`);
    return "";
  }

  /** Whether a sentinel that names `seen` means the server stored as `addr`. */
  async isServer(group: GroupRecord, addr: string, seen: SentinelMaster): Promise<boolean> {
    return (await this.#serverAt(group, seen))?.addr === addr;
  }

  async #follow(id: number, old: string, addr: string, who: string): Promise<void> {
    const { control, isHeld, takeMaster } = this.#context;
    if (isHeld(id)) return;
    try {
      await takeMaster(id, addr);
    } catch (error) {
      // It is stored; the error was reported.
      if (!(error instanceof UnconfirmedError)) throw error;
    }
    control.outage({
      ...{
        kind: "sentinel_switch",
        phase: "once",
        subject: `group ${id}`,
        group: id,
        server: addr,
      },
      text: `group ${id}: ${addr} is master in place of ${old}`,
      cause: `Sentinel has decided it, as ${who} say`,
    });
  }

  /** Stores servers as replicas that were left out, and follow the master again. */
  async #welcomeBack({ id, servers }: GroupRecord, master: string): Promise<void> {
    const { control } = this.#context;
    const isBack = ({ addr, type }: ServerRecord) =>
      type === "offline" && this.#doesFollow(addr, master);
    if (!servers?.some(isBack)) return;
    await withLock(control.store, `replicas of group ${id}`, async () => {
      const group = await loadGroup(control.store, id, LEAVE_OUT);
      const back = (group.servers ?? []).filter(isBack).map(({ addr }) => addr);
      if (back.length === 0) return;
      const summary = `${back.join(", ")} of group ${id} follows ${master} now`;
      await control.change(typeChange(control, group, back, "slave", summary));
    });
  }

  #doesFollow(addr: string, master: string): boolean {
    const { servers } = this.#context;
    const info = servers.downMs(addr) === 0 ? servers.infoOf(addr) : undefined;
    if (info === undefined) return false;
    const { role, isLinked, history, master: followed } = replicationOf(info);
    const isOneHistory = history !== "" &&
      history === replicationOf(servers.infoOf(master) ?? {}).history;
    return role === "slave" && isLinked && (isOneHistory || isSameServer(followed, master));
  }

  /** The server of a group that a sentinel means: by address, by identity, by name. */
  async #serverAt(group: GroupRecord, seen: SentinelMaster): Promise<ServerRecord | undefined> {
    const { control, servers } = this.#context;
    const all = group.servers ?? [];
    const direct = all.find(({ addr }) => isSameServer(addr, seen.addr));
    if (direct !== undefined) return direct;
    const runIds = all.map(({ addr }) => runIdIn(servers.infoOf(addr) ?? {}));
    const sameRun = (runId: string) => runId === "" ? undefined : all[runIds.indexOf(runId)];
    return sameRun(seen.runId) ?? await namedAs(all, seen.addr) ??
      sameRun(await identityOf(control, seen.addr));
  }

  async #replicationOf(addr: string): Promise<Replication | undefined> {
    try {
      using redis = await this.#context.control.redis(addr, IDENTITY_MS);
      return replicationOf(await readInfo(redis, "replication"));
    } catch {
      return undefined;
    }
  }

  #note(groupId: number, problem: string): void {
    const { control } = this.#context;
    const subject = `group ${groupId}`;
    if (problem !== "") {
      this.#problems.set(groupId, problem);
      const text = `group ${groupId}: Sentinel does not decide about its master`;
      const about = { kind: "sentinel_conflict", subject, group: groupId, text } as const;
      control.outage({ ...about, phase: "begin", cause: problem });
    } else if (this.#problems.delete(groupId)) {
      const text = `group ${groupId}: sentinels and table agree about its master`;
      control.outage({ kind: "sentinel_conflict", phase: "end", subject, group: groupId, text });
    }
  }
}

/** The server whose name has the address that a sentinel uses, or the other way round. */
async function namedAs(
  servers: readonly ServerRecord[],
  seen: string,
): Promise<ServerRecord | undefined> {
  const at = await placesOf(seen);
  for (const server of servers) {
    if ((await placesOf(server.addr)).some((place) => at.includes(place))) return server;
  }
  return undefined;
}

/** `ip port` of every address of a name. */
async function placesOf(addr: string): Promise<readonly string[]> {
  const { hostname, port } = parseAddress(addr);
  return (await lookUp(hostname).catch(() => [])).map((ip) => `${ip} ${port}`);
}
