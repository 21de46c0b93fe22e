/**
 * The commands in the store that an operator lets through to the servers. A Codis 2.0 dashboard ignores them.
 *
 * @module
 */

import type { Entry } from "../coordinator/coordinator.ts";
import type { Watch } from "../coordinator/watch.ts";
import { type AllowedCommand, decodeAllowedCommands } from "../model/allowed_command.ts";
import { type ReadableStore, readIfThere, type Store } from "./store.ts";

/**
 * The commands that are allowed, by name.
 *
 * @throws {RecordError} When something else is stored there.
 */
export async function loadAllowedCommands(
  store: ReadableStore,
): Promise<readonly AllowedCommand[]> {
  const json = await readIfThere(store, store.paths.allowedCommands);
  return json === undefined ? [] : decodeAllowedCommands(json);
}

/** Watches them. */
export function watchAllowedCommands(store: Store): Watch<Entry | undefined> {
  return store.coordinator.watchData(store.paths.allowedCommands);
}
