/**
 * Failover: when a master is down, a replica takes its place. It does not when only this dashboard cannot
 * reach the master, and a group never has two masters.
 *
 *     down for failover_after as we see it ─► down as most proxies see it ─► best replica ─► promoted
 *            │                                       │                            │
 *            └ no: wait                              └ no: reported, wait         └ none: reported, wait
 *
 * The old master is stored as `offline`: no proxy uses it when it comes back. A proxy that cannot be
 * reached keeps its fence. As long as there is such a fence, nothing is promoted.
 *
 * @module
 */

import { repeat } from "../base/repeat.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import type { GroupRecord } from "../model/group.ts";
import type { RedisInfo } from "../redis/info.ts";
import type { Control } from "./control.ts";
import { isSameServer, replicationOf } from "./servers.ts";

/** How often masters are judged, in milliseconds. */
const ROUND_MS = 250;
/** Wait after a promotion that was refused, in milliseconds. */
const RETRY_MS = 3_000;
/** How much longer than the master is down a replica may have been without it, in seconds. */
const LINK_SLACK_SECONDS = 10;

/** What was last seen of the cluster, as far as a failover depends on it. */
export interface MasterSightings {
  readonly tree: { readonly groups: readonly GroupRecord[] };
  readonly servers: {
    /** For how long a server has not answered this dashboard, in milliseconds; 0 while it answers. */
    downMs(addr: string): number;
    /** INFO of a server as it was last read; undefined while it has not answered. */
    infoOf(addr: string): RedisInfo | undefined;
  };
  readonly proxies: {
    /** How many proxies reach a server, and how many do not. */
    votesOn(addr: string): { up: number; down: number };
  };
}

/** What a failover needs. */
export interface FailoverContext {
  readonly control: Control;
  readonly sightings: MasterSightings;
  /** Promotes a replica whose master is down. */
  promote(groupId: number, addr: string): Promise<void>;
}

/** See the header. */
export class Failover {
  readonly #context: FailoverContext;
  readonly #afterMs: number;
  readonly #timers: Timers;
  #end = () => {};
  /** The last event of each group, so that it is reported once. */
  readonly #reported = new Map<number, string>();
  readonly #retryAtMs = new Map<number, number>();

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

  async #round(): Promise<void> {
    for (const group of this.#context.sightings.tree.groups) await this.#judge(group);
  }

  async #judge(group: GroupRecord): Promise<void> {
    const { sightings, control } = this.#context;
    const master = group.servers?.find(({ type }) => type === "master")?.addr;
    if (master === undefined) return;
    const downMs = sightings.servers.downMs(master);
    if (downMs < this.#afterMs) {
      if (downMs === 0) this.#reported.delete(group.id);
      return;
    }
    if (this.#timers.nowMs() < (this.#retryAtMs.get(group.id) ?? 0)) return;
    const { up, down } = sightings.proxies.votesOn(master);
    const problem = `group ${group.id}: the master ${master} does not answer`;
    if (down === 0 || down <= up) {
      const seen = up === 0
        ? "no proxy has asked it since"
        : `${up} of ${up + down} proxies reach it`;
      return this.#reportOnce(group.id, `${problem} this dashboard, but ${seen}: no failover`);
    }
    const candidate = this.#bestReplica(group, master, downMs / 1000);
    if (candidate === undefined) {
      return this.#reportOnce(
        group.id,
        `${problem}, and no replica with its data does: no failover`,
      );
    }
    control.report(
      "error",
      `${problem} for ${Math.round(downMs / 100) / 10} s, ${down} of ${
        up + down
      } proxies cannot reach it either: ` +
        `promoting ${candidate.addr}, which has ${candidate.offset} bytes of its changes`,
    );
    this.#reported.delete(group.id);
    try {
      await this.#context.promote(group.id, candidate.addr);
      control.report(
        "info",
        `group ${group.id}: ${candidate.addr} is master in place of ${master}`,
      );
    } catch (error) {
      this.#retryAtMs.set(group.id, this.#timers.nowMs() + RETRY_MS);
      control.report("error", `group ${group.id}: no failover yet: ${(error as Error).message}`);
    }
  }

  /** The replica that has most of the master's changes. */
  #bestReplica(
    group: GroupRecord,
    master: string,
    downSeconds: number,
  ): { addr: string; offset: number } | undefined {
    const { sightings } = this.#context;
    // From its last INFO: a replica may know the master by another address than we do.
    const masterHistory = replicationOf(sightings.servers.infoOf(master) ?? {}).history;
    const fit = (group.servers ?? []).flatMap(({ addr, type }) => {
      const info = sightings.servers.downMs(addr) === 0
        ? sightings.servers.infoOf(addr)
        : undefined;
      if (type !== "slave" || info === undefined) return [];
      const { role, master: followed, history, offset } = replicationOf(info);
      const isOneHistory = history !== "" && history === masterHistory;
      const unlinked = Number(info["master_link_down_since_seconds"] ?? 0);
      const isFresh = unlinked <= downSeconds + LINK_SLACK_SECONDS &&
        info["master_sync_in_progress"] !== "1";
      return role === "slave" && (isOneHistory || isSameServer(followed, master)) && isFresh
        ? [{ addr, offset }]
        : [];
    });
    return fit.sort((a, b) => b.offset - a.offset)[0];
  }

  #reportOnce(groupId: number, text: string): void {
    if (this.#reported.get(groupId) === text) return;
    this.#reported.set(groupId, text);
    this.#context.control.report("warning", text);
  }
}
