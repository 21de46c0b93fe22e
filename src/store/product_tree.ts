/**
 * All that is stored for one product, as text, for checks of the whole.
 *
 * @module
 */

import { childrenIfThere, folderIfThere, type ReadableStore, readIfThere } from "./store.ts";
import type { StorePaths } from "./paths.ts";

/** The entries below one path: their text by their name. */
export type TreeFolder = ReadonlyMap<string, string>;

/** See the header. Nothing of it is decoded: it may hold anything. */
export interface ProductTree {
  readonly product: string;
  readonly paths: StorePaths;
  /** Whether there is such a product at all. */
  readonly isThere: boolean;
  /** By name: `slot_12`. */
  readonly slots: TreeFolder;
  /** Servers by address, by the name of their group: `group_1`. */
  readonly groups: ReadonlyMap<string, TreeFolder>;
  readonly proxies: TreeFolder;
  /** Addresses. */
  readonly fences: readonly string[];
  readonly migrateTasks: TreeFolder;
  /** Names only. */
  readonly actions: readonly string[];
  /** Names only, of the places for answers. */
  readonly responses: readonly string[];
  readonly locks: TreeFolder;
  /** Since when migrations are paused; undefined: they are not. */
  readonly migratePause: string | undefined;
  /** Slot rules; undefined: there never were any. */
  readonly slotRules: string | undefined;
  /** Servers whose writes are held off, by address. */
  readonly writeHolds: TreeFolder;
  /** What else is stored that {@linkcode SINGLE_RECORDS} and {@linkcode RECORD_FOLDERS} name, by whole path. */
  readonly records: TreeFolder;
}

/** Entries that hold all of their kind. */
export const SINGLE_RECORDS = [
  "intent",
  "sentinels",
  "serverZones",
  "redisUsers",
  "allowedCommands",
  "dashboardUsers",
  "apiTokens",
  "dashboard",
  "dashboardStatus",
  "move",
  "actionsBefore",
] as const satisfies readonly (keyof StorePaths)[];

/** Folders with an entry for each record. */
export const RECORD_FOLDERS = [
  "actions",
  "failedMasters",
  "audit",
  "outages",
] as const satisfies readonly (keyof StorePaths)[];

/** The addresses of all servers in a tree. */
export function serverAddrs({ groups }: ProductTree): string[] {
  return [...groups.values()].flatMap((servers) => [...servers.keys()]);
}

/**
 * Reads the tree.
 *
 * Others may change it meanwhile; what depends on each other is read in an order in which a change
 * under way does not look like a mistake: a task is there before its slot migrates and until after,
 * the place for answers is there before its action.
 *
 * @throws {CoordinatorError} When the coordinator cannot be asked.
 */
export async function loadTree(store: ReadableStore): Promise<ProductTree> {
  const { paths, product } = store;
  const isThere = await readIfThere(store, paths.root) !== undefined;
  const groups = new Map<string, TreeFolder>();
  for (const name of await childrenIfThere(store, paths.servers)) {
    groups.set(name, await folderIfThere(store, `${paths.servers}/${name}`));
  }
  const tasksBefore = await folderIfThere(store, paths.migrateTasks);
  const slots = await folderIfThere(store, paths.slots);
  const tasksAfter = await folderIfThere(store, paths.migrateTasks);
  // Fences first: a proxy that ends takes its fence away before itself.
  const fences = await childrenIfThere(store, paths.fences);
  const proxies = await folderIfThere(store, paths.proxies);
  const actions = await childrenIfThere(store, paths.actions);
  const responses = await childrenIfThere(store, paths.responses);
  return {
    product,
    paths,
    isThere,
    slots,
    groups,
    proxies,
    fences,
    migrateTasks: new Map([...tasksBefore, ...tasksAfter]),
    actions,
    responses,
    locks: await folderIfThere(store, paths.lock),
    migratePause: await readIfThere(store, paths.migratePause),
    slotRules: await readIfThere(store, paths.slotRules),
    writeHolds: await folderIfThere(store, paths.writeHolds),
    records: await loadRecords(store),
  };
}

async function loadRecords(store: ReadableStore): Promise<TreeFolder> {
  const records = new Map<string, string>();
  for (const name of SINGLE_RECORDS) {
    const path = store.paths[name];
    const data = await readIfThere(store, path);
    if (data !== undefined) records.set(path, data);
  }
  for (const name of RECORD_FOLDERS) {
    const folder = store.paths[name];
    for (const [each, data] of await folderIfThere(store, folder)) {
      records.set(`${folder}/${each}`, data);
    }
  }
  return records;
}
