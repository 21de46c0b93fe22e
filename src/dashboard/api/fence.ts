/**
 * The route that removes the fences of proxies which are gone.
 *
 * @module
 */

import { removeDeadFences } from "../../control/proxies.ts";
import { changeByGet, type Route } from "./route.ts";

/** See the header. */
export const FENCE_ROUTES: readonly Route[] = changeByGet(
  "/api/remove_fence",
  async ({ dashboard }) => void await removeDeadFences(dashboard),
);
