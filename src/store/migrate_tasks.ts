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

/** A task and the name it is stored under. */
export interface StoredMigrateTask {
  readonly name: string;
  readonly task: MigrateTaskRecord;
}

/** Reads every task, oldest first. */
export async function loadMigrateTasks(store: Store): Promise<StoredMigrateTask[]> {
  const names = sortSequence(await childrenIfThere(store, store.paths.migrateTasks));
  const read = await withPaths(names, async (name) => {
    const json = await readIfThere(store, store.paths.migrateTask(name));
    return json === undefined ? [] : [{ name, task: decodeMigrateTask(json) }];
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
