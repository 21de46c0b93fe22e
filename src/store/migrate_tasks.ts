/**
 * Migration tasks in the store.
 *
 * @module
 */

import { nameOf } from "../coordinator/path.ts";
import {
  decodeMigrateTask,
  encodeMigrateTask,
  type MigrateTaskRecord,
} from "../model/migrate_task.ts";
import { sortSequence } from "./sequence.ts";
import {
  childrenIfThere,
  deleteIfThere,
  LEAF,
  readIfThere,
  type Store,
  withPaths,
} from "./store.ts";
import { decodeAt, type OnUnreadable } from "./unreadable.ts";

/** A task and the name it is stored under. */
export interface StoredMigrateTask {
  readonly name: string;
  readonly task: MigrateTaskRecord;
}

/**
 * Reads every task, oldest first.
 *
 * @param onBad Takes those that cannot be read, which are left out.
 * @throws {RecordError} When one cannot be read and there is no `onBad`.
 */
export async function loadMigrateTasks(
  store: Store,
  onBad?: OnUnreadable,
): Promise<StoredMigrateTask[]> {
  const names = sortSequence(await childrenIfThere(store, store.paths.migrateTasks));
  const read = await withPaths(names, async (name) => {
    const path = store.paths.migrateTask(name);
    const json = await readIfThere(store, path);
    if (json === undefined) return [];
    const task = decodeAt(path, () => decodeMigrateTask(json), onBad);
    return task === undefined ? [] : [{ name, task }];
  });
  return read.flat();
}

/**
 * Stores a new task.
 *
 * @returns Its name.
 */
export async function createMigrateTask(store: Store, task: MigrateTaskRecord): Promise<string> {
  const prefix = `${store.paths.migrateTasks}/`;
  const json = encodeMigrateTask(task);
  return nameOf(await store.coordinator.create(prefix, json, "sequential", LEAF));
}

/** Deletes a task: it is done, or cancelled. */
export async function deleteMigrateTask(store: Store, name: string): Promise<void> {
  await deleteIfThere(store, store.paths.migrateTask(name));
}
