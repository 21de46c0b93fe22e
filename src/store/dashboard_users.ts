/**
 * The dashboard's users in the store, one entry for all of them. A Codis 2.0 dashboard ignores it.
 *
 * @module
 */

import { type DashboardUser, decodeDashboardUsers } from "../model/dashboard_user.ts";
import { type ReadableStore, readIfThere } from "./store.ts";

/**
 * The users, by name.
 *
 * @throws {RecordError} When something else is stored there.
 */
export async function loadDashboardUsers(
  store: ReadableStore,
): Promise<readonly DashboardUser[]> {
  const json = await readIfThere(store, store.paths.dashboardUsers);
  return json === undefined ? [] : decodeDashboardUsers(json);
}
