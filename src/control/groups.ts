/**
 * Operations on groups and their servers, but for promotion.
 *
 * @module
 */

import type { GroupRecord } from "../model/group.ts";
import { RecordError } from "../model/record.ts";
import { encodeServer, type ServerRecord, type ServerType } from "../model/server.ts";
import { loadGroup, loadGroupIds, loadGroups } from "../store/groups.ts";
import { withLock } from "../store/lock.ts";
import { loadServerZones, zonesWith } from "../store/server_zones.ts";
import { type Store, StoreError } from "../store/store.ts";
import type { Control, EntryWrite } from "./control.ts";
import { checkServesClients } from "./client_login.ts";
import { checkNothingElse } from "./fit_server.ts";
import { checkCanFollow } from "./mixed_groups.ts";
import {
  checkFitMaster,
  checkStoredOnce,
  findUnderOtherName,
  makeReplica,
  type ServerAuth,
} from "./servers.ts";
import { checkNoSlotOf } from "./slots.ts";

/** A server that will be added. */
export interface NewServer {
  readonly groupId: number;
  /** `host:port`. */
  readonly addr: string;
  readonly type: ServerType;
  /** Adds a replica that has keys of its own, which it loses, and a master that does not answer. */
  readonly isForced: boolean;
  /** Whether a group that is missing is refused, and not made. @default false, as in Codis 2.0 */
  readonly isGroupKnown?: boolean;
  /** The zone that it is in, empty for none; left out: as before. */
  readonly zone?: string | undefined;
}

/**
 * Makes a group without servers.
 *
 * @throws {StoreError} When it is there.
 */
export async function addGroup(control: Control, groupId: number): Promise<void> {
  const { store } = control;
  await withLock(store, `add group ${groupId}`, async () => {
    await checkNoGroup(store, groupId);
    await control.change({
      summary: `group ${groupId} added`,
      writes: [{ path: store.paths.group(groupId), data: "" }],
      announcements: [{
        type: "group_changed",
        target: { id: groupId, product_name: store.product, servers: null },
        mustConfirm: false,
      }],
    });
  });
}

async function checkNoGroup(store: Store, groupId: number): Promise<void> {
  // Codis 2.0 text, byte for byte.
  if ((await loadGroupIds(store)).includes(groupId)) throw new StoreError("group already exists");
}

/**
 * Removes a group and the servers in it.
 *
 * @throws {StoreError} When a slot is its own, or has keys left there.
 */
export async function removeGroup(control: Control, groupId: number): Promise<void> {
  const { store } = control;
  await withLock(store, `remove group ${groupId}`, async () => {
    const group = await loadGroup(store, groupId);
    await checkNoSlotOf(control, groupId);
    await control.change({
      summary: `group ${groupId} removed`,
      writes: [
        ...(group.servers ?? []).map(({ addr }): EntryWrite => ({
          path: store.paths.server(groupId, addr),
          data: null,
        })),
        { path: store.paths.group(groupId), data: null },
        ...await zonesGone(store, (group.servers ?? []).map(({ addr }) => addr)),
      ],
      announcements: [{ type: "group_remove", target: group, mustConfirm: false }],
    });
  });
}

/**
 * Adds a server to a group, which is made when it is missing, unless it is known to be there. The first one
 * becomes its master, whatever type was asked for; a replica gets the command to follow the master.
 *
 * @throws {StoreError} When the group is missing and must not be, or has a master; when the server is in another
 * group, is not fit, or is stored under another address.
 */
export async function addServer(
  control: Control,
  server: NewServer,
  auth: ServerAuth,
): Promise<void> {
  const { store } = control;
  const { groupId, addr } = server;
  await withLock(store, `add server ${addr} to group ${groupId}`, async () => {
    const groups = await loadGroups(store);
    const other = groups.find(({ id, servers }) =>
      id !== groupId && servers?.some((each) => each.addr === addr)
    );
    if (other !== undefined) throw new StoreError(`${addr} is in group ${other.id} already`);
    const group = groups.find(({ id }) => id === groupId);
    if (group === undefined && server.isGroupKnown === true) {
      throw new StoreError(`group ${groupId} is not found`);
    }
    const servers = group?.servers ?? [];
    const master = servers.find(({ type }) => type === "master");
    const type = servers.length === 0 ? "master" : server.type;
    if (type === "master" && master !== undefined && master.addr !== addr) {
      throw new StoreError("node already exists"); // Codis 2.0 text
    }
    if (type !== "master" && master?.addr === addr) {
      throw new StoreError("can not slave of itself"); // Codis 2.0 text
    }
    await checkNothingElse(control, addr);
    await checkStoredOnce(control, addr, groups);
    if (type === "master" && !server.isForced) await checkFitMaster(control, addr);
    if (!server.isForced) await checkServesClients(auth, addr);
    if (type === "slave" && master !== undefined) {
      await makeReplica(
        ...[control, addr, master.addr, auth, server.isForced] as const,
        (redis) => checkCanFollow(control, redis, addr, master.addr, groupId),
      );
    }
    const added: ServerRecord = { type, group_id: groupId, addr };
    await control.change({
      summary: `${addr} is ${type} in group ${groupId}`,
      writes: [
        ...(group === undefined ? [{ path: store.paths.group(groupId), data: "" }] : []),
        { path: store.paths.server(groupId, addr), data: encodeServer(added) },
        ...await zoneWrites(store, [addr], server.zone),
      ],
      // Where slots are does not depend on replicas.
      announcements: [{
        type: "group_changed",
        target: withServer(store, groupId, servers, added),
        mustConfirm: type === "master",
      }],
    });
  });
}

/**
 * Removes a server from a group.
 *
 * @throws {StoreError} When it is the master, or not there.
 */
export async function removeServer(
  control: Control,
  groupId: number,
  addr: string,
): Promise<void> {
  const { store } = control;
  await withLock(store, `remove server ${addr} of group ${groupId}`, async () => {
    const group = await loadGroup(store, groupId);
    const server = await serverOf(control, group, addr);
    // Codis 2.0 text, byte for byte.
    if (server.type === "master") throw new StoreError("cannot remove master, use promote first");
    const left = (group.servers ?? []).filter((each) => each.addr !== addr);
    await control.change({
      summary: `${addr} removed from group ${groupId}`,
      writes: [
        { path: store.paths.server(groupId, addr), data: null },
        ...await zonesGone(store, [addr]),
      ],
      announcements: [{
        type: "group_changed",
        target: { ...group, servers: left.length === 0 ? null : left },
        mustConfirm: false,
      }],
    });
  });
}

/**
 * Says which zone a server is in, for proxies that read from the nearest.
 *
 * @param zone Empty for none.
 * @throws {StoreError} When the group has no such server.
 */
export async function setServerZone(
  control: Control,
  groupId: number,
  addr: string,
  zone: string,
): Promise<void> {
  const { store } = control;
  await withLock(store, `set zone of ${addr}`, async () => {
    const group = await loadGroup(store, groupId);
    await serverOf(control, group, addr);
    const writes = await zoneWrites(store, [addr], zone);
    if (writes.length === 0) return;
    await control.change({
      summary: zone === "" ? `${addr} is in no zone` : `${addr} is in zone ${zone}`,
      writes,
      // Where slots are does not depend on it.
      announcements: [{ type: "group_changed", target: group, mustConfirm: false }],
    });
  });
}

/**
 * A server of a group.
 *
 * @throws {StoreError} When it has none of this address.
 */
export async function serverOf(
  control: Control,
  group: GroupRecord,
  addr: string,
): Promise<ServerRecord> {
  const server = group.servers?.find((each) => each.addr === addr);
  if (server !== undefined) return server;
  const same = await findUnderOtherName(control, addr, [group]);
  const hint = same === undefined ? "" : `: in group ${group.id} that server is ${same.addr}`;
  throw new StoreError(`no such addr ${addr}${hint}`); // begins with Codis 2.0's text
}

/** What to write so that servers are in a zone; nothing where they are. */
async function zoneWrites(
  store: Store,
  addrs: readonly string[],
  zone: string | undefined,
): Promise<EntryWrite[]> {
  if (zone === undefined) return [];
  const before = await loadServerZones(store);
  const isSame = addrs.every((addr) =>
    (before.find((each) => each.addr === addr)?.zone ?? "") === zone
  );
  if (isSame) return [];
  return [{ path: store.paths.serverZones, data: zonesWith(before, addrs, zone) }];
}

/** What to write when servers go. Zones that cannot be read hold nobody up: `config check` tells of them. */
function zonesGone(store: Store, addrs: readonly string[]): Promise<EntryWrite[]> {
  return zoneWrites(store, addrs, "").catch((error) => {
    if (error instanceof RecordError) return [];
    throw error;
  });
}

function withServer(
  store: Store,
  groupId: number,
  servers: readonly ServerRecord[],
  added: ServerRecord,
): GroupRecord {
  const others = servers.filter(({ addr }) => addr !== added.addr);
  return { id: groupId, product_name: store.product, servers: [...others, added] };
}
