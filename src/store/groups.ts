/**
 * Groups and their servers in the store.
 *
 * @module
 */

import { GROUP_ID_MIN, type GroupRecord } from "../model/group.ts";
import { decodeServer, encodeServer, type ServerRecord } from "../model/server.ts";
import { numberedName } from "./paths.ts";
import {
  childrenIfThere,
  deleteIfThere,
  type ReadableStore,
  readIfThere,
  saveEntry,
  type Store,
  StoreError,
} from "./store.ts";
import { decodeAt, type OnUnreadable } from "./unreadable.ts";

/** The ids of every group, in order. */
export async function loadGroupIds(store: ReadableStore): Promise<number[]> {
  const names = await childrenIfThere(store, store.paths.servers);
  const ids = names.map((name) => numberedName(name, "group_")).filter((id) => id !== undefined);
  return ids.sort((a, b) => a - b);
}

/**
 * Reads a group and its servers, by address.
 *
 * @param onBad Takes servers that cannot be read, which are left out.
 * @throws {StoreError} When there is no such group.
 * @throws {RecordError} When a server cannot be read and there is no `onBad`.
 */
export async function loadGroup(
  store: ReadableStore,
  groupId: number,
  onBad?: OnUnreadable,
): Promise<GroupRecord> {
  const path = store.paths.group(groupId);
  if (await readIfThere(store, path) === undefined) {
    // Codis 2.0 text.
    throw new StoreError(`group ${groupId} is not found`);
  }
  const servers: ServerRecord[] = [];
  for (const addr of await childrenIfThere(store, path)) {
    const at = store.paths.server(groupId, addr);
    const json = await readIfThere(store, at);
    // A server may be removed between the listing and the reading.
    if (json === undefined) continue;
    const server = decodeAt(at, () => decodeServer(json), onBad);
    if (server !== undefined) servers.push(server);
  }
  return {
    id: groupId,
    product_name: store.product,
    servers: servers.length === 0 ? null : servers,
  };
}

/** Reads every group, by id; otherwise as {@linkcode loadGroup}. */
export async function loadGroups(
  store: ReadableStore,
  onBad?: OnUnreadable,
): Promise<GroupRecord[]> {
  const groups: GroupRecord[] = [];
  for (const id of await loadGroupIds(store)) groups.push(await loadGroup(store, id, onBad));
  return groups;
}

/**
 * Makes a group without servers.
 *
 * @throws {StoreError} When its id is below {@linkcode GROUP_ID_MIN}.
 * @throws {NodeExistsError} When it is there.
 */
export async function createGroup(store: Store, groupId: number): Promise<void> {
  // Codis 2.0 text.
  if (groupId < GROUP_ID_MIN) throw new StoreError(`invalid server group id ${groupId}`);
  await store.coordinator.create(store.paths.group(groupId), "");
}

/** Deletes a group and its servers. */
export async function deleteGroup(store: Store, groupId: number): Promise<void> {
  await store.coordinator.deleteTree(store.paths.group(groupId));
}

/** Writes a server of a group. */
export async function saveServer(store: Store, server: ServerRecord): Promise<void> {
  const path = store.paths.server(server.group_id, server.addr);
  await saveEntry(store, path, encodeServer(server));
}

/** Deletes a server of a group. */
export async function deleteServer(store: Store, groupId: number, addr: string): Promise<void> {
  await deleteIfThere(store, store.paths.server(groupId, addr));
}

/**
 * The one master of a group.
 *
 * @throws {StoreError} When it has none, or two.
 */
export function masterOf(group: GroupRecord): ServerRecord {
  const masters = (group.servers ?? []).filter((server) => server.type === "master");
  const [master] = masters;
  // Codis 2.0 texts.
  if (master === undefined) {
    throw new StoreError(`master not found: ${JSON.stringify(group.servers)}`);
  }
  if (masters.length > 1) {
    throw new StoreError(`two master not allowed: ${JSON.stringify(group.servers)}`);
  }
  return master;
}
