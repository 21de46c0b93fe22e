/**
 * Groups whose servers are not all of one kind: which can follow which, and what a replica of another kind misses.
 *
 *      codis-server 2.8, 3.2 ──► Redis, Valkey      as replicas and as targets of moves: they read what is older
 *      Redis, Valkey         ──✗ codis-server       it cannot read what is newer
 *
 * A replica that cannot read its master's data never says so: it asks for all of it again and again. And a replica
 * that is no codis-server misses keys that a codis-server takes over from another one: they come with SLOTSRESTORE,
 * which it does not know, and it answers nobody with the error.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import type { GroupRecord } from "../model/group.ts";
import { isUnderway } from "../model/slot.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { readInfo, type RedisInfo } from "../redis/info.ts";
import { whyNotRead } from "../store/decoded_tree.ts";
import { loadGroups } from "../store/groups.ts";
import { loadSlots } from "../store/slots.ts";
import { StoreError } from "../store/store.ts";
import { LEAVE_OUT } from "../store/unreadable.ts";
import type { Control } from "./control.ts";
import { ForceableError } from "./errors.ts";
import { answersLikeCodis, isCodisServer, readsOf } from "./servers.ts";

/** INFO of a server; undefined: it is not known. */
type Known = RedisInfo | undefined;

/** Why a server cannot follow another, to be said after its address; `""`: it can, or it is not known. */
export function whyNotFollow(replica: Known, master: Known): string {
  return whyNotRead(replica && readsOf(replica), master && readsOf(master));
}

/**
 * The servers of a group that cannot follow one of them: what it sends as a master is too new for them.
 *
 * @param infoOf INFO of a server, by address.
 */
export async function leftBehind(
  group: GroupRecord,
  addr: string,
  infoOf: (addr: string) => Promise<Known> | Known,
): Promise<ReadonlySet<string>> {
  const master = await infoOf(addr);
  const others = (group.servers ?? []).filter((server) => server.addr !== addr);
  const left = await Promise.all(
    others.map(async (server) =>
      whyNotFollow(await infoOf(server.addr), master) === "" ? [] : [server.addr]
    ),
  );
  return new Set(left.flat());
}

/** Reports which servers of a group did not follow its new master. */
export function reportLeft(
  control: Control,
  { id }: GroupRecord,
  addr: string,
  left: ReadonlySet<string>,
): void {
  if (left.size === 0) return;
  const addrs = [...left].join(", ");
  control.report(
    "warning",
    `group ${id}: ${addrs} cannot read the data of the new master ${addr}: what is there stays as it was ` +
      "before, offline from now on; remove it once it is not needed as the way back",
  );
}

/** INFO of a server; undefined when it does not answer. */
export async function infoOf(control: Control, addr: string, replyMs?: number): Promise<Known> {
  try {
    using redis = await control.redis(addr, replyMs);
    return await readInfo(redis, "server");
  } catch {
    return undefined;
  }
}

/**
 * Checks that a server can become a replica of another.
 *
 * @throws {StoreError} When it cannot read its data, or would miss keys that move to a codis-server.
 */
export async function checkCanFollow(
  control: Control,
  replica: RedisConnection,
  addr: string,
  master: string,
  groupId: number,
): Promise<void> {
  const known = await infoOf(control, master);
  const why = whyNotFollow(await readInfo(replica, "server"), known);
  if (why !== "") {
    throw new StoreError(`${addr} ${why}: it cannot be a replica of ${master}`);
  }
  if (known === undefined || !await isCodisServer(control, master)) return;
  if (await answersLikeCodis(replica)) return;
  const moving = (await loadSlots(control.store)).filter((slot) =>
    slot.group_id === groupId && isUnderway(slot)
  );
  if (moving.length === 0) return;
  const slots = countOf(moving.length, "slot");
  throw new StoreError(
    `${addr} is no codis-server: as a replica of ${master} it would miss the keys of ${slots} ` +
      `on the way to group ${groupId} now; wait until nothing moves there`,
  );
}

/**
 * Checks that a replica that is no codis-server has missed nothing of a codis-server.
 *
 * @throws {StoreError} When its master has sent commands that it could not execute.
 */
export async function checkMissedNothing(
  control: Control,
  replica: RedisConnection,
  addr: string,
  master: string,
): Promise<void> {
  const missed = Number((await readInfo(replica, "stats"))["unexpected_error_replies"] ?? 0);
  if (missed === 0 || !await isCodisServer(control, master)) return;
  if (await answersLikeCodis(replica)) return;
  const commands = countOf(missed, "command");
  throw new ForceableError(
    `${addr} is not promoted: it could not execute ${commands} of ${master}, probably keys that moved ` +
      "there from another codis-server, so it lacks them; at this server, run REPLICAOF NO ONE and CONFIG " +
      "RESETSTAT, then add it again with --force, or force the promotion if what it lacks may be lost",
  );
}

/**
 * The replicas of a codis-server that would miss keys that move to it from another one.
 *
 * @param master The codis-server.
 */
export async function blindReplicas(control: Control, master: string): Promise<string[]> {
  const groups = await loadGroups(control.store, LEAVE_OUT);
  const servers = groups.map((group) => group.servers ?? [])
    .find((each) => each.some(({ addr, type }) => addr === master && type === "master")) ?? [];
  const blind = await Promise.all(servers.map(async ({ addr, type }) => {
    // One that does not answer now is asked again before its promotion.
    const isStock = type === "slave" &&
      await isCodisServer(control, addr).then((isCodis) => !isCodis, () => false);
    return isStock ? [addr] : [];
  }));
  return blind.flat();
}
