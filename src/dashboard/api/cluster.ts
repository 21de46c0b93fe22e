/**
 * The route of everything that is known about the cluster at this moment, for the page.
 *
 * @module
 */

import { readMonitored, type Route } from "./route.ts";

/** See the header. */
export const CLUSTER_ROUTES: readonly Route[] = [
  readMonitored("/api/cluster", ({ dashboard }) => dashboard.view()),
];
