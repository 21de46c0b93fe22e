/**
 * The route of everything that is known about the cluster at this moment, for the page.
 *
 * @module
 */

import { type ApiRoute, readMonitored } from "./route.ts";

/** See the header. */
export const CLUSTER_ROUTES: readonly ApiRoute[] = [
  readMonitored("/api/cluster", async ({ dashboard, who, url }) => ({
    ...await dashboard.view(url.searchParams.get("fresh") === "yes"),
    you: { name: who.name, role: who.role, kind: who.kind },
  })),
];
