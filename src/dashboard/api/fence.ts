/**
 * The route that removes the fences of proxies which are gone.
 *
 * @module
 */

import { removeDeadFences } from "../../control/proxies.ts";
import { type ApiRoute, changeByGet } from "./route.ts";

/** See the header. */
export const FENCE_ROUTES: readonly ApiRoute[] = changeByGet(
  "/api/remove_fence",
  async ({ dashboard }) => void await removeDeadFences(dashboard),
  "admin",
);
