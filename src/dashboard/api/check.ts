/**
 * The route that lists what is wrong with the tree in the coordinator.
 *
 * @module
 */

import { askFacts, IDENTITY_MS } from "../../control/servers.ts";
import { checkTree } from "../../store/check.ts";
import { loadTree, serverAddrs } from "../../store/product_tree.ts";
import { type ApiRoute, read } from "./route.ts";

/** See the header. */
export const CHECK_ROUTES: readonly ApiRoute[] = [
  read("/api/check", async ({ dashboard }) => {
    const tree = await loadTree(dashboard.store);
    const open = (addr: string) => dashboard.redis(addr, IDENTITY_MS);
    return checkTree(tree, await askFacts(serverAddrs(tree), open));
  }),
];
