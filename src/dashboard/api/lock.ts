/**
 * The route that removes locks which a process left behind.
 *
 * @module
 */

import { removeLocks } from "../../store/lock.ts";
import { type ApiRoute, changeByGet } from "./route.ts";

/** See the header. */
export const LOCK_ROUTES: readonly ApiRoute[] = changeByGet(
  "/api/force_remove_locks",
  ({ dashboard }) => removeLocks(dashboard.store),
  "admin",
);
