/**
 * Routes that fence the address of a proxy, and remove the fences of proxies which are gone.
 *
 * @module
 */

import { addFence, removeDeadFences } from "../../control/proxies.ts";
import { addrIn, onlyFields, readBody } from "../input.ts";
import { type ApiRoute, change, changeByGet } from "./route.ts";

/** See the header. */
export const FENCE_ROUTES: readonly ApiRoute[] = [
  change("PUT", "/api/fence", async ({ dashboard, request }) => {
    await addFence(dashboard, addrIn(onlyFields(await readBody(request), "addr"), "addr"));
  }),
  ...changeByGet(
    "/api/remove_fence",
    async ({ dashboard }) => void await removeDeadFences(dashboard),
    "admin",
  ),
];
