/**
 * The route that lists what is wrong with the tree in the coordinator.
 *
 * @module
 */

import { IDENTITY_MS } from "../../control/fit_server.ts";
import { checkWithServers } from "../../control/servers.ts";
import { loadTree } from "../../store/product_tree.ts";
import { type ApiRoute, read } from "./route.ts";

/** See the header. */
export const CHECK_ROUTES: readonly ApiRoute[] = [
  read("/api/check", async ({ dashboard }) => {
    const tree = await loadTree(dashboard.store);
    return checkWithServers(tree, (addr) => dashboard.redis(addr, IDENTITY_MS), dashboard.auth);
  }),
];
