/**
 * The sentinels of a product: which there are, what they are told, and that the table follows them.
 *
 *     store: sentinel { servers, out_of_sync } ─► a SentinelWatch each ─► SentinelFollower ─► the table
 *            ▲                                          │
 *            │ add, remove, resync, a promotion         └─ misses a group? out of sync? ─► told what to watch
 *            └── while they are told: out_of_sync, so that the next dashboard finishes it
 *
 * With sentinels, Sentinel decides who is master: our own failover does nothing. Only a promotion that an
 * operator asks for is ours. During that, no sentinel watches the group: each would take the old master
 * for lost, and put it back by its own higher config epoch.
 *
 * @module
 */

import type { SentinelsView } from "../api/cluster_view.ts";
import { logger } from "../base/log.ts";
import { repeat } from "../base/repeat.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import { Turns } from "../base/turns.ts";
import type { GroupRecord } from "../model/group.ts";
import { RecordError } from "../model/record.ts";
import { encodeSentinels, groupOfMasterName, type SentinelsRecord } from "../model/sentinels.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { readInfo, runIdIn } from "../redis/info.ts";
import type { SentinelSettings } from "../redis/sentinel.ts";
import { loadGroup, loadGroups } from "../store/groups.ts";
import { loadSentinels } from "../store/sentinels.ts";
import { StoreError } from "../store/store.ts";
import { LEAVE_OUT } from "../store/unreadable.ts";
import { ForceableError } from "./errors.ts";
import { reportRemoved, reportSentinels } from "./sentinel_outages.ts";
import { SentinelFollower, type SentinelFollowerContext } from "./sentinel_follower.ts";
import {
  doesStray,
  fitGroups,
  forgetAt,
  type SentinelFailures,
  type SentinelSyncContext,
  watchAt,
} from "./sentinel_sync.ts";
import { majorityOf, type SentinelAnswer } from "./sentinel_verdict.ts";
import { SentinelWatch } from "./sentinel_watch.ts";
import type { ServerAuth } from "./servers.ts";

/** Time between two looks at what is to do, in milliseconds. */
const ROUND_MS = 1_000;
/** Wait before sentinels are told again that could not be told, in milliseconds. */
const RETRY_MS = 5_000;

const log = logger("dashboard");

/** What sentinels are followed and told with. */
export interface SentinelsContext extends Omit<SentinelFollowerContext, "isHeld" | "onMissed"> {
  /** The groups as they were last read. */
  groups(): readonly GroupRecord[];
  /** Connects to a sentinel. */
  open(addr: string, onMessage?: (text: string) => void): Promise<RedisConnection>;
  readonly settings: SentinelSettings;
  readonly auth: ServerAuth;
  /** Sentinels of a store that has none yet. */
  readonly initial: readonly string[];
}

/** See the header. */
export class Sentinels {
  readonly #context: SentinelsContext;
  readonly #timers: Timers;
  readonly #follower: SentinelFollower;
  #record: SentinelsRecord = { servers: [], out_of_sync: false };
  #watches: readonly SentinelWatch[] = [];
  /** Groups whose master this dashboard changes. */
  readonly #held = new Set<number>();
  /** Groups that were there before. */
  #seen: ReadonlySet<number> = new Set();
  /** What is done one after the other. */
  readonly #turns = new Turns(1);
  #retryAtMs = 0;
  /** How many answered in the last round. */
  #up = 0;
  #problem = "";
  #end = () => {};

  /** Follows nobody yet. */
  constructor(context: SentinelsContext, timers: Timers = SYSTEM_TIMERS) {
    this.#context = context;
    this.#timers = timers;
    const isHeld = (groupId: number) => this.#held.has(groupId);
    // All others as well would make two groups each other's cause for ever.
    const onMissed = (groupId: number) => this.#judge([groupId]);
    this.#follower = new SentinelFollower({ ...context, isHeld, onMissed });
  }

  /** Whether there are any: then Sentinel decides about masters. */
  get areThere(): boolean {
    return this.#record.servers.length > 0;
  }

  /** Begins to follow the sentinels in the store; stores those of the configuration where there are none. */
  async start(): Promise<void> {
    const { initial } = this.#context;
    const stored = await this.#load();
    if (stored === undefined && initial.length > 0) {
      await this.#save({ servers: initial, out_of_sync: true });
    } else {
      this.#take(stored ?? { servers: [], out_of_sync: false });
      const isSame = [...initial].sort().join() === [...this.#record.servers].sort().join();
      if (initial.length > 0 && !isSame) {
        log.warn("sentinels = {initial} is ignored: the store has {stored}", {
          initial: initial.join(),
          stored: this.#record.servers.join() || "none",
        });
      }
    }
    this.#end = repeat(ROUND_MS, () => this.#round(), this.#timers);
  }

  /** The record in the store; one that cannot be read keeps nobody from leading. */
  async #load(): Promise<SentinelsRecord | undefined> {
    const { control } = this.#context;
    try {
      return await loadSentinels(control.store);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      const { sentinels } = control.store.paths;
      control.report(
        "error",
        `no sentinel is followed, as ${sentinels} cannot be read: ${error.message}`,
      );
      return { servers: [], out_of_sync: false };
    }
  }

  /** Ends it, after what is under way. */
  async stop(): Promise<void> {
    this.#end();
    this.#take({ servers: [], out_of_sync: false });
    this.#seen = new Set();
    await this.#turns.take(() => Promise.resolve());
  }

  // -- what operators ask for --

  /**
   * Adds a sentinel, and has it watch every group.
   *
   * @throws {StoreError} When it is there already, does not answer, or is no sentinel.
   */
  async add(addr: string): Promise<void> {
    await this.#turns.take(async () => {
      const { servers } = this.#record;
      if (servers.includes(addr)) throw new StoreError(`sentinel ${addr} is there already`);
      const runId = await this.#identityOf(addr);
      for (const other of servers) {
        if (await this.#identityOf(other).catch(() => "") !== runId) continue;
        throw new StoreError(`${addr} is the same sentinel as ${other}`);
      }
      await this.#save({ servers: [...servers, addr], out_of_sync: true });
      // It may have replaced a master before anybody here followed it: told of the old one, it would put that back.
      await Promise.all(this.#watches.map((watch) => watch.ask()));
      await Promise.all(this.#judge());
      await this.#sync();
    });
  }

  /**
   * Removes a sentinel: it watches our groups no longer, and the others forget it.
   *
   * @param isForced Also when it does not answer, and so goes on watching.
   * @throws {StoreError} When it is not there, or does not answer.
   */
  async remove(addr: string, isForced: boolean): Promise<void> {
    await this.#turns.take(async () => {
      const { servers } = this.#record;
      if (!servers.includes(addr)) throw new StoreError(`there is no sentinel ${addr}`);
      const failure = (await forgetAt(this.#syncContext, [addr])).get(addr);
      if (failure !== undefined && !isForced) {
        throw new ForceableError(
          `sentinel ${addr} cannot be told to watch this product no longer (${failure}): force it if it ` +
            "will not come back",
        );
      }
      await this.#save({ servers: servers.filter((each) => each !== addr), out_of_sync: true });
      reportRemoved(this.#context.control, addr, !this.areThere);
      if (!this.areThere) this.#follower.forget();
      await this.#restart();
    });
  }

  /**
   * Has all sentinels forget this product, and watch the masters that the table has.
   *
   * @throws {StoreError} When one cannot be told, or a failover is under way: it is tried again then.
   */
  async resync(): Promise<void> {
    await this.#turns.take(async () => {
      if (!this.areThere) {
        throw new StoreError("there are no sentinels: `codis-proxy config sentinel add` adds one");
      }
      await this.#save({ ...this.#record, out_of_sync: true });
      await this.#restart();
    });
  }

  /**
   * Does something that changes a group's master while no sentinel watches the group.
   *
   * @param isForced Also when a sentinel does not answer, which still watches the old master then.
   * @throws {StoreError} When a sentinel does not answer. @throws As `body`.
   */
  async aside<T>(groupId: number, isForced: boolean, body: () => Promise<T>): Promise<T> {
    if (!this.areThere) return await body();
    return await this.#turns.take(async () => {
      const [servers, silent] = this.#toTell();
      if (silent.size > 0 && !isForced) {
        throw new ForceableError(
          silent.size === 1
            ? `sentinel ${
              [...silent.keys()][0]
            } does not answer, and would undo this when it comes back: ` +
              "start it, remove it (`codis-proxy config sentinel remove`), or force it"
            : `sentinels ${
              [...silent.keys()].join(", ")
            } do not answer, and would undo this when they come ` +
              "back: start them, remove them (`codis-proxy config sentinel remove`), or force it",
        );
      }
      if (this.#isReplaced(groupId) && !isForced) {
        throw new StoreError(`Sentinel is replacing the master of group ${groupId}: wait`);
      }
      this.#held.add(groupId);
      try {
        await this.#save({ ...this.#record, out_of_sync: true });
        const failures = await forgetAt(this.#syncContext, servers, [groupId]);
        if (failures.size > 0 && !isForced) {
          throw new ForceableError(`${linesOf(failures).join("; ")}; try again, or force it`);
        }
        return await body();
      } finally {
        await this.#sync([await loadGroup(this.#context.control.store, groupId, LEAVE_OUT)])
          .catch((error) => this.#context.control.report("warning", (error as Error).message));
        this.#held.delete(groupId);
      }
    });
  }

  /** For the page; null when there are no sentinels. */
  view(): SentinelsView | null {
    if (!this.areThere) return null;
    const { settings } = this.#syncContext;
    return {
      out_of_sync: this.#record.out_of_sync,
      problem: this.#problem,
      quorum: settings.quorum,
      down_after_ms: settings.downAfterMs,
      servers: this.#watches.map((watch) => watch.view()),
      groups: this.#groups().map(({ id }) => ({
        group_id: id,
        problem: this.#follower.problemOf(id),
      })),
    };
  }

  // -- following --

  #take(record: SentinelsRecord): void {
    this.#record = record;
    const { servers } = record;
    const kept = this.#watches.filter(({ addr }) => servers.includes(addr));
    for (const watch of this.#watches) if (!kept.includes(watch)) watch.close();
    const { control, open } = this.#context;
    this.#watches = servers.map((addr) =>
      kept.find((watch) => watch.addr === addr) ?? new SentinelWatch(addr, {
        open,
        groupOf: (name) => groupOfMasterName(control.store.product, name),
        onAnswer: () => this.#judge(),
      }, this.#timers)
    );
  }

  /** The groups that have a master. */
  #groups(): readonly GroupRecord[] {
    return this.#context.groups().filter(({ servers }) =>
      servers?.some(({ type }) => type === "master")
    );
  }

  #answersFor(groupId: number): readonly SentinelAnswer[] {
    return this.#watches.flatMap(({ addr, masters }) =>
      masters === undefined ? [] : [{ sentinel: addr, master: masters.get(groupId) }]
    );
  }

  /** @param only Groups, by default all. */
  #judge(only?: readonly number[]): Promise<void>[] {
    const total = this.#watches.length;
    const up = this.#watches.filter(({ masters }) => masters !== undefined).length;
    // Told once, and not for each group.
    if (up < majorityOf(total)) return [];
    return this.#groups().filter(({ id }) => only?.includes(id) !== false)
      .map((group) => this.#follower.judge(group, this.#answersFor(group.id), total));
  }

  async #round(): Promise<void> {
    if (!this.areThere) return;
    const up = reportSentinels(this.#context.control, this.#watches);
    // One that comes back may watch an old master: not a moment longer than needed.
    if (up > this.#up) this.#retryAtMs = 0;
    this.#up = up;
    this.#judge();
    const ids = new Set(this.#context.groups().map(({ id }) => id));
    const gone = [...this.#seen].filter((id) => !ids.has(id));
    this.#seen = ids;
    if (gone.length > 0) {
      const { servers } = this.#record;
      this.#follower.forget(gone);
      const failures = await this.#turns.take(() => forgetAt(this.#syncContext, servers, gone));
      if (failures.size > 0) this.#context.control.report("warning", linesOf(failures).join("; "));
    }
    if (!this.#isToMend() || this.#timers.nowMs() < this.#retryAtMs) return;
    this.#retryAtMs = this.#timers.nowMs() + RETRY_MS;
    await this.#turns.take(() => this.#sync()).catch((error) => {
      if ((error as Error).message !== this.#problem) log.warn("sentinels: {error}", { error });
    });
  }

  #isToMend(): boolean {
    if (this.#record.out_of_sync) return true;
    return this.#groups().some(({ id }) =>
      !this.#held.has(id) && this.#watches.some(({ masters }) => masters?.has(id) === false)
    );
  }

  // -- telling --

  get #syncContext(): SentinelSyncContext {
    const { control, settings, auth, open } = this.#context;
    const quorum = settings.quorum || majorityOf(this.#record.servers.length);
    return {
      ...{ product: control.store.product, auth, open },
      settings: { ...settings, quorum },
      isStored: async (groupId, seen) => {
        const group = await loadGroup(control.store, groupId, LEAVE_OUT);
        const master = group.servers?.find(({ type }) => type === "master")?.addr ?? "";
        return await this.#follower.isServer(group, master, seen);
      },
    };
  }

  /** Has sentinels watch groups; by default all, and then they are in sync. */
  async #sync(groups?: readonly GroupRecord[]): Promise<void> {
    const { control } = this.#context;
    const [servers, silent] = this.#toTell();
    try {
      const { fit, problems } = await this.#fitIn(
        groups ?? await loadGroups(control.store, LEAVE_OUT),
      );
      let failures = await watchAt(this.#syncContext, servers, fit);
      if (this.#record.out_of_sync && [...failures.values()].some(doesStray)) {
        // All of them first: any that still knew the old master would tell the others of it.
        await forgetAt(this.#syncContext, servers, fit.map(({ id }) => id));
        failures = await watchAt(this.#syncContext, servers, fit);
      }
      // What they have answered before is not true any more.
      await Promise.all(
        this.#watches.filter(({ isSilent }) => !isSilent).map((watch) => watch.ask()),
      );
      const all = [...problems, ...linesOf(failures), ...linesOf(silent)];
      if (all.length > 0) throw new StoreError(all.join("; "));
      this.#problem = "";
    } catch (error) {
      this.#problem = (error as Error).message;
      throw error;
    }
    if (this.#record.out_of_sync) await this.#save({ ...this.#record, out_of_sync: false });
  }

  /** As {@linkcode Sentinels.#sync}, after all of them have forgotten everything of ours. */
  async #restart(): Promise<void> {
    if (this.areThere) {
      await Promise.all(this.#watches.map((watch) => watch.ask()));
      const { problems } = await this.#fitIn(
        await loadGroups(this.#context.control.store, LEAVE_OUT),
      );
      if (problems.length > 0) throw new StoreError(problems.join("; "));
      await forgetAt(this.#syncContext, this.#toTell()[0]);
    }
    await this.#sync();
  }

  /** The sentinels that can be told something, and why the others cannot: each would cost time. */
  #toTell(): [addrs: readonly string[], silent: SentinelFailures] {
    const silent = this.#watches.filter(({ isSilent }) => isSilent);
    return [
      this.#record.servers.filter((addr) => !silent.some((watch) => watch.addr === addr)),
      new Map(silent.map(({ addr, problem }) => [addr, problem])),
    ];
  }

  #fitIn(groups: readonly GroupRecord[]): ReturnType<typeof fitGroups> {
    return fitGroups(this.#context.control, groups, (groupId) => this.#isReplaced(groupId));
  }

  /** Whether a sentinel is replacing the master of a group. */
  #isReplaced(groupId: number): boolean {
    return this.#answersFor(groupId).some(({ master }) =>
      master?.flags.includes("failover_in_progress")
    );
  }

  /** @throws {StoreError} When it is no sentinel. */
  async #identityOf(addr: string): Promise<string> {
    using redis = await this.#context.open(addr);
    const info = await readInfo(redis, "server");
    // The second is Valkey's.
    const mode = info["redis_mode"] ?? info["server_mode"] ?? "something else";
    if (mode === "sentinel") return runIdIn(info);
    throw new StoreError(`${addr} is no sentinel: it runs as ${mode}`);
  }

  async #save(record: SentinelsRecord): Promise<void> {
    const { control } = this.#context;
    const isNew = record.servers.join() !== this.#record.servers.join();
    await control.change({
      summary: isNew ? `sentinels: ${record.servers.join(", ") || "none"}` : "",
      writes: [{ path: control.store.paths.sentinels, data: encodeSentinels(record) }],
      announcements: [],
    });
    this.#take(record);
  }
}

function linesOf(failures: SentinelFailures): readonly string[] {
  return [...failures].map(([addr, text]) => `sentinel ${addr}: ${text}`);
}
