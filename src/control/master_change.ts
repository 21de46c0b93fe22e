/**
 * The changes of the store that give the servers of a group other roles. No server is told anything.
 *
 * @module
 */

import type { GroupRecord } from "../model/group.ts";
import { encodeServer, type ServerRecord, type ServerType } from "../model/server.ts";
import { loadGroup } from "../store/groups.ts";
import { withLock } from "../store/lock.ts";
import { LEAVE_OUT } from "../store/unreadable.ts";
import type { ClusterChange, Control } from "./control.ts";
import { serverOf } from "./groups.ts";

/** How long proxies may take to confirm, in milliseconds: the master of another group may be the next. */
const CONFIRM_MS = 3_000;

/**
 * Stores that a group has another master, and tells proxies, where the servers have changed their roles already:
 * Sentinel has promoted one.
 *
 * It is also done while a proxy cannot be told: that one writes to a server that is a replica now, which refuses.
 *
 * @param oldType What the master so far is from now on. @default "slave"
 * @returns Whether anything was changed; not when it is the master already.
 * @throws {StoreError} When the group or the server in it is not there.
 * @throws As `Control.change`.
 */
export async function announceMaster(
  control: Control,
  groupId: number,
  addr: string,
  oldType: ServerType = "slave",
): Promise<boolean> {
  return await withLock(control.store, `master of group ${groupId} is ${addr}`, async () => {
    const group = await loadGroup(control.store, groupId, LEAVE_OUT);
    if ((await serverOf(control, group, addr)).type === "master") return false;
    await control.change({
      ...masterChange(control, group, addr, oldType),
      ...{ mayMiss: true, withinMs: CONFIRM_MS },
    });
    return true;
  });
}

/**
 * The change that makes a server of a group its master.
 *
 * @param oldType What the master so far is from now on.
 * @param left Addresses of servers that cannot follow it: they are `offline`, whatever they were.
 */
export function masterChange(
  control: Pick<Control, "store">,
  group: GroupRecord,
  addr: string,
  oldType: ServerType,
  left: ReadonlySet<string> = new Set(),
): ClusterChange {
  const { paths } = control.store;
  const target = withMaster(group, addr, oldType, left);
  return {
    summary: `${addr} becomes master of group ${group.id}`,
    writes: (target.servers ?? []).map((server) => ({
      path: paths.server(group.id, server.addr),
      data: encodeServer(server),
    })),
    announcements: [{ type: "group_changed", target, mustConfirm: true }],
  };
}

/**
 * The same where the master so far is well, and is among those that cannot follow. Proxies fail what is in flight at
 * a server that is `offline`: so it is left out when they have the new master, or are known to miss it.
 */
export function masterChangeLeaving(
  control: Pick<Control, "store">,
  group: GroupRecord,
  addr: string,
  left: ReadonlySet<string>,
): ClusterChange {
  const addrs = [...left];
  const summary = `${addrs.join(", ")} of group ${group.id} offline`;
  const then = typeChange(control, withMaster(group, addr, "slave"), addrs, "offline", summary);
  return { ...masterChange(control, group, addr, "slave"), then };
}

function withMaster(
  group: GroupRecord,
  addr: string,
  oldType: ServerType,
  left: ReadonlySet<string> = new Set(),
): GroupRecord {
  const typeOf = (server: ServerRecord): ServerType =>
    server.addr === addr
      ? "master"
      : left.has(server.addr)
      ? "offline"
      : server.type === "master"
      ? oldType
      : server.type;
  const servers = (group.servers ?? []).map((server) => ({ ...server, type: typeOf(server) }));
  return { ...group, servers };
}

/**
 * The change after which servers of a group are its replicas again, or left out. Proxies need not confirm: at worst
 * they do not read there yet, or still where nothing new arrives, which they notice themselves.
 *
 * @param addrs Servers of the group, none of which is its master.
 */
export function typeChange(
  control: Pick<Control, "store">,
  group: GroupRecord,
  addrs: readonly string[],
  type: "slave" | "offline",
  summary: string,
): ClusterChange {
  const servers = (group.servers ?? []).map((server): ServerRecord =>
    addrs.includes(server.addr) ? { ...server, type } : server
  );
  return {
    summary,
    writes: servers.filter(({ addr }) => addrs.includes(addr)).map((server) => ({
      path: control.store.paths.server(group.id, server.addr),
      data: encodeServer(server),
    })),
    announcements: [{ type: "group_changed", target: { ...group, servers }, mustConfirm: false }],
  };
}
