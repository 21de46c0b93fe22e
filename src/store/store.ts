/**
 * The store of one product: a coordinator, and where the product's tree lies in it.
 *
 * @module
 */

import type { Coordinator, CreateOptions, ReadableTree } from "../coordinator/coordinator.ts";
import type { Logger } from "../base/log.ts";
import { NodeExistsError, NoNodeError } from "../coordinator/errors.ts";
import { readFolder, READS_MAX } from "../coordinator/read_folder.ts";
import { type StorePaths, storePaths } from "./paths.ts";

/** What every function here works with that only reads. */
export interface ReadableStore {
  readonly coordinator: ReadableTree;
  readonly product: string;
  readonly paths: StorePaths;
}

/** What every other function here works with. */
export interface Store extends ReadableStore {
  readonly coordinator: Coordinator;
}

/** Of an entry that never has children. */
export const LEAF: CreateOptions = { isLeaf: true };

/** What the store holds breaks a rule of Codis 2.0, or would; the message is Codis 2.0's own. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

/** The store of `product` in `coordinator`, whose closing stays the caller's. */
export function storeOf(coordinator: Coordinator, product: string): Store {
  return { coordinator, product, paths: storePaths(product) };
}

/**
 * Logs that a call has failed which is made again soon: as a warning, or for those who look for it, while the
 * coordinator is away, which is said once where it is noticed.
 */
export function logFailure(
  { coordinator }: Store,
  log: Logger,
  text: string,
  error: unknown,
): void {
  const say = coordinator.state === "connected" ? log.warn.bind(log) : log.debug.bind(log);
  say(`${text}: {error}`, { error });
}

/** Creates every folder of the tree that is missing: a transaction creates no parents. */
export async function createFolders(store: Store): Promise<void> {
  const { paths } = store;
  for (
    const path of [
      ...[paths.slots, paths.servers, paths.proxies, paths.fences],
      ...[paths.actions, paths.responses, paths.lock, paths.migrateTasks, paths.writeHolds],
      ...[paths.audit, paths.outages, paths.failedMasters],
    ]
  ) await createIfMissing(store, path, "");
}

/** Reads an entry's text; `undefined` when it is not there. */
export async function readIfThere(
  store: Pick<ReadableStore, "coordinator">,
  path: string,
): Promise<string | undefined> {
  try {
    return (await store.coordinator.read(path)).data;
  } catch (error) {
    if (error instanceof NoNodeError) return undefined;
    throw error;
  }
}

/** Does something with every path, with many of them at once. */
export async function withPaths<T>(
  paths: readonly string[],
  read: (path: string) => Promise<T>,
): Promise<T[]> {
  const all: T[] = [];
  for (let i = 0; i < paths.length; i += READS_MAX) {
    all.push(...await Promise.all(paths.slice(i, i + READS_MAX).map(read)));
  }
  return all;
}

/** The names of an entry's children; none when it is not there. */
export async function childrenIfThere(
  store: Pick<ReadableStore, "coordinator">,
  path: string,
): Promise<string[]> {
  try {
    return await store.coordinator.children(path);
  } catch (error) {
    if (error instanceof NoNodeError) return [];
    throw error;
  }
}

/** What an entry's children hold, by name; nothing when it is not there. */
export async function folderIfThere(
  store: Pick<ReadableStore, "coordinator">,
  path: string,
): Promise<ReadonlyMap<string, string>> {
  try {
    return await readFolder(store.coordinator, path);
  } catch (error) {
    if (error instanceof NoNodeError) return new Map();
    throw error;
  }
}

/**
 * Creates a persistent entry, or leaves the one that is there as it is.
 *
 * @returns Whether it was created.
 */
export async function createIfMissing(
  store: Store,
  path: string,
  data: string,
  options: CreateOptions = {},
): Promise<boolean> {
  try {
    await store.coordinator.create(path, data, "persistent", options);
    return true;
  } catch (error) {
    if (!(error instanceof NodeExistsError)) throw error;
    return false;
  }
}

/** Writes an entry that has no children, and creates it when it is not there. */
export async function saveEntry(store: Store, path: string, data: string): Promise<void> {
  try {
    await store.coordinator.write(path, data);
  } catch (error) {
    if (!(error instanceof NoNodeError)) throw error;
    await store.coordinator.create(path, data, "persistent", LEAF);
  }
}

/** Deletes an entry; nothing happens when it is not there. */
export async function deleteIfThere(store: Store, path: string): Promise<void> {
  try {
    await store.coordinator.delete(path);
  } catch (error) {
    if (!(error instanceof NoNodeError)) throw error;
  }
}
