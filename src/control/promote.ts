/**
 * Promotion: another server of a group becomes its master, and no acknowledged write is lost on the way.
 *
 *     checked ─► noted in the store ─► old master: writes held off (write_holds.ts)
 *                                   ─► candidate has every change
 *                                   ─► old master frozen: it takes no write of any kind
 *                                   ─► candidate: REPLICAOF NO ONE
 *                                   ─► old master and the others follow it; writes that waited are
 *                                      refused (-READONLY), not lost
 *                                   ─► writes no longer held off
 *                                   ─► store changed, announced to proxies, confirmed
 *
 * Before Redis 6.2 only a server's role keeps scripts from writing. And only the role lasts when this
 * process is paused: held-off writes wait for a limited time. So the old master gets the command to
 * follow a port where nobody listens. That makes it a replica that finds no master, and harms nothing. Then it is checked that
 * the candidate has all that was written until that moment. If not, the old master becomes master again.
 * Where the stored master is a replica of the candidate already, only the record is changed (stored_roles.ts).
 * A dashboard that was paused so long that another one leads sends no further command. A master with
 * `replica-read-only no` would take writes as a replica, too, so it is refused.
 *
 * When a dashboard dies on the way, the next one decides. It undoes the promotion as long as the old
 * master has all that clients wrote: it answers as a master, or is frozen while the candidate is still a
 * replica. It finishes the promotion when the candidate is a master already. When the old master is down,
 * the candidate is taken as it is if the promotion was forced, by the operator or by the failover.
 * Otherwise the promotion is given up.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { parseAddress } from "../base/address.ts";
import { logger } from "../base/log.ts";
import type { GroupRecord } from "../model/group.ts";
import type { ServerType } from "../model/server.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { parseInfo, readInfo } from "../redis/info.ts";
import { RedisError, replyText } from "../redis/reply.ts";
import { loadGroup } from "../store/groups.ts";
import { withLock } from "../store/lock.ts";
import { StoreError } from "../store/store.ts";
import { LEAVE_OUT } from "../store/unreadable.ts";
import type { ClusterChange, Control } from "./control.ts";
import { checkServesClients } from "./client_login.ts";
import { ForceableError, NotLeaderError } from "./errors.ts";
import { serverOf } from "./groups.ts";
import type { ChangeLog } from "./change.ts";
import { commandServer, doesFollow, pointServersAt, roleOf } from "./group_roles.ts";
import { masterChange, masterChangeLeaving } from "./master_change.ts";
import {
  changeFromFailed,
  failoverChange,
  type FailoverPromotion,
  promotedAt,
  replaceMaster,
} from "./replace_master.ts";
import {
  areOneServer,
  follow,
  freezingAddress,
  isFrozenBy,
  type Replication,
  replicationOf,
} from "./servers.ts";
import { checkMissedNothing, infoOf, leftBehind, reportLeft } from "./mixed_groups.ts";
import type { Promotion } from "./intent.ts";
import { recordMaster } from "./stored_roles.ts";
import { type HeldServer, isSurelyOurs, type WriteHolds } from "./write_holds.ts";

/** How long the candidate may take to catch up with the old master, in ms; below `PAUSE_MS`. */
const CATCH_UP_MS = 3_000;
/** Time between two questions how far the candidate is, in milliseconds. */
const ROUND_MS = 5;
/** How long a candidate's first sync is waited for: a master begins it 5 s after it was asked to. */
const FIRST_SYNC_MS = 15_000;
const SYNC_ROUND_MS = 100;
/** How long the candidate may take to read what a frozen master has sent it, in milliseconds. */
const LAST_BYTES_MS = 500;
/** How far a candidate may be behind when its promotion begins, in bytes. */
const LAG_BYTES_MAX = 1024 * 1024;

const log = logger("dashboard");

/** The server that will be promoted. */
export interface PromoteOptions {
  readonly groupId: number;
  readonly addr: string;
  /** Whether what the candidate lacks may be lost. */
  readonly isForced: boolean;
  /**
   * Whether the master is down, as most proxies see it: it is asked nothing, and rejoins later.
   *
   * @default false
   */
  readonly isMasterDown?: boolean;
  /** Asked when the promotion has waited for other changes: why it is not to be any more; empty: it is. */
  readonly whyNot?: () => Promise<string>;
}

/** What a promotion works with. */
export interface PromoteContext extends FailoverPromotion {
  readonly changes: ChangeLog;
  readonly holds: WriteHolds;
  /** @throws {NotLeaderError} When another dashboard leads: it decides what becomes of the promotion. */
  checkLead(): Promise<void>;
}

/**
 * Promotes a server.
 *
 * @throws {StoreError} When it is not in the group, is the master, or lacks changes of the master and
 * is not forced: then nothing was changed.
 */
export async function promote(context: PromoteContext, options: PromoteOptions): Promise<void> {
  const { control, changes } = context;
  const { groupId, addr, isMasterDown = false } = options;
  await withLock(control.store, `promote ${addr} in group ${groupId}`, async () => {
    const group = await loadGroup(control.store, groupId, LEAVE_OUT);
    const { type } = await serverOf(control, group, addr);
    if (!isMasterDown && await recordMaster(control, context.auth, group, addr, options.isForced)) {
      return;
    }
    if (type === "master") {
      throw new StoreError(`${addr} is the master of group ${groupId} already`);
    }
    const old = group.servers?.find(({ type }) => type === "master")?.addr ?? "";
    await checkCandidate(control, addr, isMasterDown ? "" : old, options.isForced);
    if (!options.isForced) {
      if (old !== "") await checkFreezes(control, addr, old);
      await checkServesClients(context.auth, addr);
    }
    const note: Promotion = {
      kind: "promote",
      at: Date.now(),
      group_id: groupId,
      addr,
      old_addr: old,
      ...(options.isForced ? { is_forced: true } : {}),
      ...(isMasterDown ? { is_failover: true } : {}),
    };
    try {
      await changes.changeAfter(`${addr} becomes master of group ${groupId}`, note, async () => {
        if (isMasterDown) {
          const why = await options.whyNot?.() ?? "";
          if (why !== "") throw new StoreError(why);
          return await replaceMaster(context, group, addr, old);
        }
        const left = await leftBehind(group, addr, (each) => infoOf(control, each));
        const oldType = await moveMaster(context, group, addr, old, options.isForced, left);
        reportLeft(control, group, addr, left);
        if (left.has(old)) return masterChangeLeaving(control, group, addr, left);
        if (oldType !== "offline") return masterChange(control, group, addr, oldType, left);
        return changeFromFailed(context, group, addr, old, await promotedAt(control, addr), left);
      });
    } finally {
      context.holds.leave(old);
    }
  });
}

/**
 * Decides about a promotion that was interrupted: finish it, or undo it.
 *
 * @returns The change that finishes it; nothing when it was undone.
 */
export async function resumePromotion(
  context: PromoteContext,
  promotion: Promotion,
): Promise<ClusterChange | undefined> {
  const { control, auth } = context;
  const { group_id, addr, old_addr: old } = promotion;
  const group = await loadGroup(control.store, group_id, LEAVE_OUT).catch(() => undefined);
  if (!group?.servers?.some((server) => server.addr === addr)) return undefined;
  const oldRole = old === "" ? undefined : await roleOf(control, old);
  const newRole = await roleOf(control, addr);
  const isFrozen = oldRole?.role === "slave" && isFrozenBy(oldRole.master, old);
  if (oldRole?.role === "master" || (isFrozen && newRole?.role !== "master")) {
    control.report(
      "warning",
      `promotion of ${addr} in group ${group_id} is undone: ${old} is master`,
    );
    if (isFrozen) await commandServer(control, old, (redis) => follow(redis, "", auth));
    await commandServer(control, addr, (redis) => follow(redis, old, auth));
    await commandServer(control, old, (redis) => redis.call("CLIENT", "UNPAUSE").catch(() => {}));
    return undefined;
  }
  if (oldRole === undefined && newRole?.role === "slave" && promotion.is_forced !== true) {
    control.report(
      "error",
      `promotion of ${addr} in group ${group_id} is given up: ${old || "its master"} does not ` +
        `answer, so it is not known what ${addr} lacks; force it if that may be lost`,
    );
    return undefined;
  }
  if (promotion.is_failover === true && newRole?.role === "slave") {
    // It may have been restarted meanwhile, and have nothing: who is to be master is judged anew.
    control.report(
      "warning",
      `failover to ${addr} in group ${group_id} is given up: nothing was done yet`,
    );
    return undefined;
  }
  if (newRole === undefined) {
    control.report("error", `promotion of ${addr} in group ${group_id} is given up: it is down`);
    if (oldRole !== undefined) {
      await commandServer(control, old, (redis) => follow(redis, "", auth));
    }
    return undefined;
  }
  await commandServer(control, addr, (redis) => follow(redis, "", auth));
  const left = await leftBehind(group, addr, (each) => infoOf(control, each));
  reportLeft(control, group, addr, left);
  if (promotion.is_failover === true) {
    control.report("warning", `failover to ${addr} in group ${group_id} is finished`);
    await pointServersAt(control, auth, group, addr, "", left);
    return failoverChange(context, group, addr, old, await promotedAt(control, addr), left);
  }
  const oldType = await pointServersAt(control, auth, group, addr, old, left);
  control.report("warning", `promotion of ${addr} in group ${group_id} is finished`);
  if (left.has(old)) return masterChangeLeaving(control, group, addr, left);
  if (oldType !== "offline") return masterChange(control, group, addr, oldType, left);
  return changeFromFailed(context, group, addr, old, await promotedAt(control, addr), left);
}

/** @throws {StoreError} With the reason, when the candidate is not fit. */
async function checkCandidate(
  control: Control,
  addr: string,
  old: string,
  isForced: boolean,
): Promise<void> {
  using redis = await control.redis(addr);
  if (old !== "" && await areOneServer(control, addr, old)) {
    throw new StoreError(
      `${addr} is the master ${old} itself under another address: remove ${addr} from the group`,
    );
  }
  if (isForced) return;
  const why = (reason: string) =>
    new ForceableError(`${addr} is not promoted: ${reason}; force it if what it lacks may be lost`);
  let cause = "";
  const noteCause = ({ message }: Error) => cause = message;
  const master = old === "" ? undefined : await roleOf(control, old, noteCause);
  if (old !== "" && master === undefined) {
    throw why(
      `the master ${old} does not answer, so it is not known what ${addr} lacks (${cause})`,
    );
  }
  const candidate = await syncedReplication(redis);
  if (candidate.role !== "slave" || !await doesFollow(control, candidate, old, master)) {
    if (old === "" && candidate.role === "master") return;
    const whom = candidate.role === "slave" ? `follows ${candidate.master}` : "follows no master";
    throw why(`it ${whom}, not the master ${old || "(there is none)"}`);
  }
  if (!candidate.isLinked) throw why(`its link to ${old} is down, or its first sync is not done`);
  // The first sync may have taken a while.
  const lag = (await roleOf(control, old) ?? master!).offset - candidate.offset;
  if (lag > LAG_BYTES_MAX) throw why(`it is ${lag} bytes behind ${old}`);
  if (old !== "") await checkMissedNothing(control, redis, addr, old);
}

/** @throws {StoreError} When a master would take writes although it follows another server. */
async function checkFreezes(control: Control, addr: string, old: string): Promise<void> {
  using master = await control.redis(old);
  // Who may not ask is told after the freezing, by INFO. All versions know the old name.
  const reply = await master.call("CONFIG", "GET", "slave-read-only").catch(() => null);
  if (Array.isArray(reply) && replyText(reply[1] ?? null) === "no") throw isWritable(addr, old);
}

function isWritable(addr: string, old: string): ForceableError {
  const { hostname, port } = parseAddress(old);
  return new ForceableError(
    `${addr} is not promoted: the master ${old} has replica-read-only no, so it would go on taking writes ` +
      `as a replica, and they would be lost; redis-cli -h ${hostname} -p ${port} CONFIG SET ` +
      "slave-read-only yes, and try again; or force it, if writes of that moment may be lost",
  );
}

/** How a server replicates; one that follows its master since a moment ago gets time for the first sync. */
async function syncedReplication(redis: RedisConnection): Promise<Replication> {
  const deadlineMs = performance.now() + FIRST_SYNC_MS;
  for (;;) {
    const replication = replicationOf(await readInfo(redis, "replication"));
    const isDone = replication.role === "master" || replication.isLinked;
    if (isDone || performance.now() > deadlineMs) return replication;
    await delay(SYNC_ROUND_MS);
  }
}

/** Makes the candidate the master; returns what the old one is from now on. */
async function moveMaster(
  context: PromoteContext,
  group: GroupRecord,
  addr: string,
  old: string,
  isForced: boolean,
  left: ReadonlySet<string>,
): Promise<ServerType> {
  const { control, auth, holds } = context;
  using candidate = await control.redis(addr);
  let master: RedisConnection | undefined;
  let held: HeldServer | undefined;
  let isSent = false;
  let oldType: ServerType | undefined;
  try {
    try {
      master = old === "" ? undefined : await control.redis(old);
      if (master !== undefined) held = await holds.hold(old, master);
    } catch (error) {
      if (!isForced || error instanceof NotLeaderError) throw error;
      const what = master === undefined ? "without the old master" : "while writes go on";
      log.warn("promoting {what}: {error}", { what, error });
    }
    if (held !== undefined && !isForced) {
      const offset = await untilCaughtUp(candidate, addr, held);
      await context.checkLead();
      await freeze(held, freezingAddress(old), candidate, addr, offset);
    }
    await context.checkLead();
    isSent = true;
    await follow(candidate, "", auth);
    await context.checkLead();
    return oldType = await pointServersAt(
      control,
      auth,
      group,
      addr,
      master === undefined ? "" : old,
      left,
    );
  } catch (error) {
    if (isSent && old !== "" && await mayUndo(context, held, error)) {
      await commandServer(control, addr, (redis) => follow(redis, old, auth));
    }
    throw error;
  } finally {
    // A master that does not follow the new one stays held off until clients write to it no more.
    if (held !== undefined && oldType !== "offline") await holds.release(held);
    master?.close();
  }
}

/** Whether this dashboard still leads, so that no other one has decided about the failed promotion. */
async function mayUndo(
  { checkLead }: PromoteContext,
  held: HeldServer | undefined,
  error: unknown,
): Promise<boolean> {
  if (error instanceof NotLeaderError) return false;
  if (held !== undefined && isSurelyOurs(held)) return true;
  return await checkLead().then(() => true, () => false);
}

/** Waits until the candidate has all changes of its master; returns how many bytes of them it has. */
async function untilCaughtUp(
  candidate: RedisConnection,
  addr: string,
  { redis: master, addr: old }: HeldServer,
): Promise<number> {
  const deadlineMs = performance.now() + CATCH_UP_MS;
  for (;;) {
    const target = replicationOf(await readInfo(master, "replication")).offset;
    const { offset } = replicationOf(await readInfo(candidate, "replication"));
    if (offset >= target) return offset;
    if (performance.now() > deadlineMs) {
      throw new ForceableError(
        `${addr} is not promoted: it is still ${target - offset} bytes behind ${old} after ` +
          `${CATCH_UP_MS} ms; force it if what it lacks may be lost`,
      );
    }
    await delay(ROUND_MS);
  }
}

/**
 * Has a master take no write of any kind any more, and makes sure that the candidate has all of them.
 *
 * @param nowhere What it is told to follow.
 * @param offset What the candidate has for sure, in bytes.
 * @throws {StoreError} When it lacks some: the caller sets the master free.
 */
async function freeze(
  { redis: master, addr: old, kind }: HeldServer,
  nowhere: string,
  candidate: RedisConnection,
  addr: string,
  offset: number,
): Promise<void> {
  const { hostname, port } = parseAddress(nowhere);
  // Sent in one piece, so the server executes all of it before any write of a client.
  const replies = await master.pipeline([
    ["INFO", "replication"],
    ["SLAVEOF", hostname, port],
    ["INFO", "replication"],
  ]);
  const refused = replies.find((reply) => reply instanceof RedisError);
  if (refused !== undefined) throw refused;
  if (parseInfo(replyText(replies[2]!))["slave_read_only"] === "0") throw isWritable(addr, old);
  const target = replicationOf(parseInfo(replyText(replies[0]!))).offset;
  const deadlineMs = performance.now() + LAST_BYTES_MS;
  for (let has = offset, isLinked = true; has < target;) {
    if (!isLinked || performance.now() > deadlineMs) {
      throw new ForceableError(
        `${addr} is not promoted: ${kind === "wait" ? "clients" : "scripts"} wrote ${
          target - has
        } bytes to ${old} in the last moment, which it lacks; try again when less is written, or ` +
          "force it if that may be lost",
      );
    }
    const now = replicationOf(await readInfo(candidate, "replication"));
    // Older servers without a link answer -1.
    [has, isLinked] = [Math.max(has, now.offset), now.isLinked];
    if (has < target && isLinked) await delay(ROUND_MS);
  }
}
