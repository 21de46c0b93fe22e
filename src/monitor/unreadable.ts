/**
 * Finds the records that cannot be read among those of which a monitor keeps nothing else.
 *
 * @module
 */

import { loadIntent } from "../control/intent.ts";
import { loadAction, loadActionNames } from "../store/actions.ts";
import { loadApiTokens } from "../store/api_tokens.ts";
import { loadDashboardUsers } from "../store/dashboard_users.ts";
import { loadFailedMasters } from "../store/failed_masters.ts";
import { loadMigrateTasks } from "../store/migrate_tasks.ts";
import { loadRedisUsers } from "../store/redis_users.ts";
import { loadSentinels } from "../store/sentinels.ts";
import { type Store, StoreError } from "../store/store.ts";
import type { UnreadableRecord } from "../store/unreadable.ts";
import type { StorePaths } from "../store/paths.ts";

/** The newest actions are looked at: older ones were followed, or never will be. */
const ACTIONS_READ = 20;

/** Entries that hold all of their kind, and how they are read. */
const ENTRIES: readonly (readonly [keyof StorePaths, (store: Store) => Promise<unknown>])[] = [
  ["intent", loadIntent],
  ["sentinels", loadSentinels],
  ["redisUsers", loadRedisUsers],
  ["dashboardUsers", loadDashboardUsers],
  ["apiTokens", loadApiTokens],
];

/**
 * Reads them.
 *
 * @returns Why each cannot be read, by path.
 * @throws {CoordinatorError} When the store cannot be asked.
 */
export async function findUnreadable(store: Store): Promise<Map<string, string>> {
  const { paths } = store;
  const found = new Map<string, string>();
  const read = async (path: string, load: () => Promise<unknown>) => {
    try {
      await load();
    } catch (error) {
      if (error instanceof StoreError) return; // it was deleted since
      if (!(error instanceof SyntaxError)) throw error;
      found.set(path, error.message);
    }
  };
  const onBad = ({ path, reason }: UnreadableRecord) => void found.set(path, reason);
  const actions = (await loadActionNames(store)).slice(-ACTIONS_READ);
  await Promise.all([
    ...ENTRIES.map(([name, load]) => read(`${paths[name]}`, () => load(store))),
    ...actions.map((name) => read(paths.action(name), () => loadAction(store, name))),
    loadMigrateTasks(store, onBad),
    loadFailedMasters(store, onBad),
  ]);
  return found;
}
