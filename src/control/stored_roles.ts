/**
 * Groups whose servers are stored with other roles than they have: the coordinator was set back over a promotion, or
 * somebody has changed a record by hand. Promoting the real master mends the record, and tells no server anything.
 *
 *     stored masters but this one ─► all of them its replicas, linked ─────► nobody lacks anything: recorded
 *                                └─► several masters, and one is no such ──► forced: the others are left out
 *
 * @module
 */

import type { GroupRecord } from "../model/group.ts";
import { checkServesClients } from "./client_login.ts";
import type { Control } from "./control.ts";
import { ForceableError } from "./errors.ts";
import { doesFollow, roleOf } from "./group_roles.ts";
import { masterChange } from "./master_change.ts";
import { follow, type ServerAuth } from "./servers.ts";

/**
 * Makes a server the only stored master, where it is the real one already, or where several are stored.
 *
 * @returns Whether that was done; not where the one stored master is another server, and does not follow it.
 * @throws {StoreError} When several are stored, one of them does not follow it, and it is not forced; or when it does
 * not let proxies in.
 * @throws As `Control.change`.
 */
export async function recordMaster(
  control: Control,
  auth: ServerAuth,
  group: GroupRecord,
  addr: string,
  isForced: boolean,
): Promise<boolean> {
  const masters = (group.servers ?? []).filter(({ type }) => type === "master")
    .map((server) => server.addr);
  const others = masters.filter((each) => each !== addr);
  if (others.length === 0) return false;
  const stray = await whoDoesNotFollow(control, addr, others);
  if (stray === undefined) {
    if (!isForced) await checkServesClients(auth, addr);
    await control.change(masterChange(control, group, addr, "slave"));
    return true;
  }
  if (masters.length < 2) return false;
  if (!isForced) {
    throw new ForceableError(
      `group ${group.id} has several masters, ${
        masters.join(" and ")
      }, and ${stray} is no replica of ${addr}: ` +
        "force it for the one that has all data; the others are offline then, and keep what they have",
    );
  }
  using redis = await control.redis(addr);
  await follow(redis, "", auth);
  await control.change(masterChange(control, group, addr, "offline"));
  return true;
}

/** One of these servers that is not known to be a replica of a master, linked to it; undefined: all are. */
async function whoDoesNotFollow(
  control: Control,
  addr: string,
  others: readonly string[],
): Promise<string | undefined> {
  const master = await roleOf(control, addr);
  if (master?.role !== "master") return others[0];
  for (const other of others) {
    const now = await roleOf(control, other);
    if (now?.role !== "slave" || !now.isLinked) return other;
    if (!await doesFollow(control, now, addr, master)) return other;
  }
  return undefined;
}
