/**
 * How a failover puts a replica in the place of a master that is down. The master is asked nothing: it may hang.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import type { GroupRecord } from "../model/group.ts";
import { parseInfo, readInfo, type RedisInfo, runIdIn } from "../redis/info.ts";
import { RedisError, replyText } from "../redis/reply.ts";
import { encodeFailedMaster } from "../store/failed_masters.ts";
import type { ClusterChange, Control } from "./control.ts";
import { pointServersAt } from "./group_roles.ts";
import { masterChange } from "./master_change.ts";
import { leftBehind, reportLeft } from "./mixed_groups.ts";
import { keepRole, replicationOf, type ServerAuth } from "./servers.ts";

/** Longest time that a server may take to reply in a failover, in milliseconds. */
const FAILOVER_REPLY_MS = 1_000;
/** How long a failover waits for proxies to confirm, in milliseconds: the next one may be due. */
const FAILOVER_CONFIRM_MS = 3_000;

const log = logger("dashboard");

/** What it works with. */
export interface FailoverPromotion {
  readonly control: Control;
  readonly auth: ServerAuth;
  /** INFO of a server as it was last read. */
  lastInfo(addr: string): RedisInfo | undefined;
  /** @throws {NotLeaderError} When another dashboard leads. */
  checkLead(): Promise<void>;
}

/** Makes the candidate the master in place of one that is down; returns the change that tells of it. */
export async function replaceMaster(
  context: FailoverPromotion,
  group: GroupRecord,
  addr: string,
  old: string,
): Promise<ClusterChange> {
  const { control } = context;
  using candidate = await control.redis(addr, FAILOVER_REPLY_MS);
  await context.checkLead();
  // Sent in one piece: nothing comes between the two.
  const replies = await candidate.pipeline([["INFO", "replication"], ["SLAVEOF", "NO", "ONE"]]);
  const refused = replies.find((reply) => reply instanceof RedisError);
  if (refused !== undefined) throw refused;
  const { history, offset } = replicationOf(parseInfo(replyText(replies[0]!)));
  await keepRole(candidate);
  const left = await leftBehind(group, addr, context.lastInfo);
  reportLeft(control, group, addr, left);
  // Not waited for: a server that hangs would hold up the others.
  pointServersAt(control, context.auth, group, addr, "", left)
    .catch((error) => log.warn("{error}", { error }));
  return failoverChange(context, group, addr, old, { history, offset }, left);
}

/** The same as {@linkcode changeFromFailed}, for which proxies are not waited for longer than a failover may take. */
export function failoverChange(
  context: FailoverPromotion,
  group: GroupRecord,
  addr: string,
  old: string,
  promoted: Promoted,
  left: ReadonlySet<string>,
): ClusterChange {
  const change = changeFromFailed(context, group, addr, old, promoted, left);
  return { ...change, withinMs: FAILOVER_CONFIRM_MS, mayMiss: true };
}

/** Where a server that was promoted has left the stream of its former master. */
interface Promoted {
  readonly history: string;
  readonly offset: number;
}

/** The change after which a group has another master, and the old one is known to have failed, so that it rejoins. */
export function changeFromFailed(
  { control, lastInfo }: Pick<FailoverPromotion, "control" | "lastInfo">,
  group: GroupRecord,
  addr: string,
  old: string,
  promoted: Promoted,
  left: ReadonlySet<string>,
): ClusterChange {
  const change = masterChange(control, group, addr, "offline", left);
  if (old === "") return change;
  const seen = lastInfo(old);
  const data = encodeFailedMaster({
    since: Date.now(),
    group_id: group.id,
    heir: addr,
    // Before Redis 4 a stream has the run id of its master.
    history: promoted.history || runIdIn(seen ?? {}),
    offset: promoted.offset,
    seen_offset: seen === undefined ? -1 : replicationOf(seen).offset,
  });
  return {
    ...change,
    writes: [...change.writes, { path: control.store.paths.failedMaster(old), data }],
  };
}

/** Where a server that was promoted has left the stream of its former master, as far as it knows. */
export async function promotedAt(
  control: Control,
  addr: string,
): Promise<Promoted> {
  using redis = await control.redis(addr);
  const info = await readInfo(redis, "replication");
  const history = /^0*$/.test(info["master_replid2"] ?? "") ? "" : info["master_replid2"]!;
  return { history, offset: history === "" ? -1 : Number(info["second_repl_offset"]) - 1 };
}
