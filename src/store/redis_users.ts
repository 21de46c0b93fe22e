/**
 * The users in the store that Redis clients log in as, one entry for all of them. A Codis 2.0 dashboard
 * ignores it.
 *
 * @module
 */

import type { Entry } from "../coordinator/coordinator.ts";
import type { Watch } from "../coordinator/watch.ts";
import { decodeRedisUsers, type RedisUser } from "../model/redis_user.ts";
import { type ReadableStore, readIfThere, type Store } from "./store.ts";

/**
 * The users, by name.
 *
 * @throws {RecordError} When something else is stored there.
 */
export async function loadRedisUsers(store: ReadableStore): Promise<readonly RedisUser[]> {
  const json = await readIfThere(store, store.paths.redisUsers);
  return json === undefined ? [] : decodeRedisUsers(json);
}

/** Watches them. */
export function watchRedisUsers(store: Store): Watch<Entry | undefined> {
  return store.coordinator.watchData(store.paths.redisUsers);
}
