/**
 * A master that was replaced by a failover rejoins its group as a replica as soon as it answers, and what only it
 * had is told.
 *
 *     answers ─► follows the master already ──────────────────────────────────────► stored as replica
 *        └─ is a master still: takes no writes ─► what only it has: told, kept ─► made a replica ─┘
 *
 * Proxies do not use it meanwhile: it is stored as `offline`.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { logger } from "../base/log.ts";
import { repeat } from "../base/repeat.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import type { GroupRecord } from "../model/group.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { readInfo, type RedisInfo, runIdIn } from "../redis/info.ts";
import { type FailedMaster, loadFailedMasters } from "../store/failed_masters.ts";
import { loadGroup } from "../store/groups.ts";
import { withLock } from "../store/lock.ts";
import { logFailure, readIfThere, StoreError } from "../store/store.ts";
import { LEAVE_OUT } from "../store/unreadable.ts";
import type { Control } from "./control.ts";
import { pointServersAt } from "./group_roles.ts";
import { readStream, writesIn } from "./lost_writes.ts";
import { typeChange } from "./master_change.ts";
import { infoOf, leftBehind, whyNotFollow } from "./mixed_groups.ts";
import { follow, isSameServer, replicationOf, type ServerAuth } from "./servers.ts";

/** How often masters that failed are tried, in milliseconds. */
const ROUND_MS = 250;
/** How often it is read which there are, in milliseconds. */
const READ_MS = 1_000;
/** Longest time that a server may take to reply, in milliseconds. */
const REPLY_MS = 2_000;
/** How long writes wait at a former master, so that none comes while it is asked what it has; in milliseconds. */
const PAUSE_MS = 6_000;

const log = logger("dashboard");

/** How failed masters rejoin. */
export interface RejoinOptions {
  readonly auth: ServerAuth;
  /** Whether they are made replicas; otherwise it is only told what they have. */
  readonly isOn: boolean;
  /** Where what only they have is kept; `""`: nowhere. */
  readonly lostWritesDir: string;
}

/** See the header. */
export class Rejoin {
  readonly #control: Control;
  readonly #options: RejoinOptions;
  readonly #timers: Timers;
  #end = () => {};
  #failed: ReadonlyMap<string, FailedMaster> = new Map();
  #readMs = -Infinity;
  readonly #busy = new Set<string>();
  /** What was told of each, so that it is told once. */
  readonly #told = new Map<string, string>();

  /** Does nothing yet. */
  constructor(control: Control, options: RejoinOptions, timers: Timers = SYSTEM_TIMERS) {
    this.#control = control;
    this.#options = options;
    this.#timers = timers;
  }

  /** Starts to try. */
  start(): void {
    this.#readMs = -Infinity;
    this.#end = repeat(ROUND_MS, () => this.#round(), this.#timers);
  }

  /** Stops. */
  stop(): void {
    this.#end();
  }

  async #round(): Promise<void> {
    const nowMs = this.#timers.nowMs();
    if (nowMs - this.#readMs >= READ_MS) {
      this.#readMs = nowMs;
      try {
        this.#failed = await loadFailedMasters(this.#control.store, LEAVE_OUT);
      } catch (error) {
        logFailure(
          this.#control.store,
          log,
          "masters that failed cannot be read from the store",
          error,
        );
      }
    }
    for (const [addr, failed] of this.#failed) {
      if (this.#busy.has(addr)) continue;
      this.#busy.add(addr);
      this.#try(addr, failed)
        .catch((error) => log.debug("{addr} does not rejoin yet: {error}", { addr, error }))
        .finally(() => this.#busy.delete(addr));
    }
  }

  async #try(addr: string, failed: FailedMaster): Promise<void> {
    if (!this.#options.isOn && this.#told.has(addr)) return;
    using redis = await this.#control.redis(addr, REPLY_MS);
    const before = await this.#place(addr, failed);
    if (before === undefined) return;
    const now = replicationOf(await readInfo(redis, "replication"));
    if (now.role === "master") await this.#tell(redis, addr, failed);
    if (!this.#options.isOn) return;
    const { store } = this.#control;
    const masterInfo = await infoOf(this.#control, before.master, REPLY_MS);
    // It may be lost, too, and be replaced.
    if (masterInfo === undefined) return;
    // What takes long is done: a failover may wait for the lock.
    await withLock(store, `${addr} rejoins group ${failed.group_id}`, async () => {
      const place = await this.#place(addr, failed);
      if (place === undefined || place.master !== before.master) return;
      const { group, master } = place;
      const why = whyNotFollow(await readInfo(redis, "server"), masterInfo);
      if (why !== "") {
        const text = `${addr} does not rejoin group ${group.id}: it ${why} (${master})`;
        this.#control.report("warning", text);
        await redis.call("CLIENT", "UNPAUSE").catch(() => {});
        return await this.#forget(addr);
      }
      if (now.role === "master" || !isSameServer(now.master, master)) {
        await follow(redis, master, this.#options.auth);
      }
      await redis.call("CLIENT", "UNPAUSE").catch(() => {});
      await this.#store(group, addr, master);
    });
  }

  /** The group that a failed master belongs to, and its master; undefined when it must not rejoin now. */
  async #place(
    addr: string,
    failed: FailedMaster,
  ): Promise<{ group: GroupRecord; master: string } | undefined> {
    const { store } = this.#control;
    if (await readIfThere(store, store.paths.failedMaster(addr)) === undefined) return undefined;
    const group = await loadGroup(store, failed.group_id, LEAVE_OUT).catch((error) => {
      if (error instanceof StoreError) return undefined;
      throw error;
    });
    const own = group?.servers?.find((server) => server.addr === addr);
    const master = group?.servers?.find(({ type }) => type === "master")?.addr;
    if (own?.type !== "offline") {
      // An operator has decided otherwise since.
      await this.#forget(addr);
      return undefined;
    }
    return group === undefined || master === undefined ? undefined : { group, master };
  }

  /** Tells what only a former master has, and keeps it. */
  async #tell(redis: RedisConnection, addr: string, failed: FailedMaster): Promise<void> {
    if (this.#options.isOn) {
      await redis.call("CLIENT", "PAUSE", PAUSE_MS, "WRITE")
        .catch((error) => log.debug("{addr} cannot let writes wait: {error}", { addr, error }));
    }
    const info = await readInfo(redis);
    const found = await this.#onlyHas(addr, info, failed);
    const text = `group ${failed.group_id}: ${found}`;
    if (this.#told.get(addr) === text) return;
    this.#told.set(addr, text);
    if (found === "") return;
    this.#control.outage({
      ...{
        kind: "lost_writes",
        phase: "once",
        subject: addr,
        group: failed.group_id,
        server: addr,
      },
      text,
    });
  }

  /**
   * What only a former master has, in words; `""`: nothing.
   *
   * @throws {Error} When it cannot be kept where it should.
   */
  async #onlyHas(addr: string, info: RedisInfo, failed: FailedMaster): Promise<string> {
    const { history, offset } = failed;
    if (history !== "" && info["master_replid2"] === history && offset >= 0) {
      // From Redis 7 on a restarted master knows which stream it has made, but has none of it.
      const bytes = Number(info["second_repl_offset"]) - 1 - offset;
      if (bytes > 0) {
        return `${bytes} bytes of changes that only ${addr} had are lost: it was restarted`;
      }
    }
    const isSame = offset >= 0 && history !== "" &&
      [info["master_replid"], runIdIn(info)].includes(history);
    if (!isSame) {
      const least = offset < 0 ? 0 : Math.max(0, failed.seen_offset - offset);
      return `${addr} was restarted: it is not known which writes only it had, they are lost` +
        (least === 0 ? "" : `; at least ${least} bytes of changes`);
    }
    const bytes = replicationOf(info).offset - offset;
    if (bytes <= 0) return "";
    let stream: Uint8Array;
    try {
      using source = await this.#control.redis(addr, REPLY_MS);
      stream = await readStream(source, info, history, offset, bytes);
    } catch (error) {
      return `${bytes} bytes of changes that only ${addr} had are lost: ${
        (error as Error).message
      }`;
    }
    const writes = writesIn(stream);
    // PINGs of the master are no loss.
    if (writes === 0) return "";
    const what = `${countOf(writes, "command")} (${bytes} bytes from offset ${offset}) that only ` +
      `${addr} had ${writes === 1 ? "is" : "are"} lost`;
    const { lostWritesDir } = this.#options;
    return lostWritesDir === ""
      ? what
      : `${what}, and kept in ${await keep(lostWritesDir, addr, failed, stream)}`;
  }

  async #store(group: GroupRecord, addr: string, master: string): Promise<void> {
    const summary = `${addr} is back in group ${group.id}, as a replica of ${master}`;
    const change = typeChange(this.#control, group, [addr], "slave", summary);
    const forgotten = { path: this.#control.store.paths.failedMaster(addr), data: null };
    await this.#control.change({
      ...change,
      writes: [...change.writes, forgotten],
      mayMiss: true,
    });
    this.#told.delete(addr);
    this.#readMs = -Infinity;
    // One that was away at the failover still follows the old master.
    const left = new Set<string>();
    const known = async (each: string) => {
      const info = await infoOf(this.#control, each, REPLY_MS);
      if (info === undefined) left.add(each); // it would be waited for
      return info;
    };
    for (const each of await leftBehind(group, master, known)) left.add(each);
    await pointServersAt(this.#control, this.#options.auth, group, master, addr, left);
  }

  async #forget(addr: string): Promise<void> {
    const { store } = this.#control;
    await this.#control.change({
      summary: "",
      writes: [{ path: store.paths.failedMaster(addr), data: null }],
      announcements: [],
    });
    this.#readMs = -Infinity;
  }
}

/** Keeps a stream in a file of its own; returns its path. */
async function keep(
  dir: string,
  addr: string,
  { group_id, offset }: FailedMaster,
  stream: Uint8Array,
): Promise<string> {
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  const name = `lost-group${group_id}-${addr.replaceAll(/[^\w.-]/g, "_")}-${offset}.resp`;
  const path = `${dir.replace(/\/+$/, "")}/${name}`;
  await Deno.writeFile(path, stream, { mode: 0o600 });
  return path;
}
