/**
 * The route of Codis 2.0's overview: requests per second, and INFO of every master.
 *
 * @module
 */

import type { OverviewAnswer } from "../../api/answers.ts";
import type { Dashboard } from "../dashboard.ts";
import { codis2Info } from "./redis.ts";
import { type ApiRoute, readMonitored } from "./route.ts";

/** See the header. */
export const OVERVIEW_ROUTES: readonly ApiRoute[] = [
  readMonitored("/api/overview", ({ dashboard }) => Promise.resolve(overview(dashboard))),
];

function overview({ monitor, store }: Dashboard): OverviewAnswer {
  const masters = monitor.tree.groups.flatMap(({ servers }) =>
    (servers ?? []).filter(({ type }) => type === "master")
  );
  const infos = masters.map(({ addr }) => {
    const info = monitor.servers.downMs(addr) > 0 ? undefined : monitor.servers.infoOf(addr);
    return info === undefined ? null : codis2Info(info);
  });
  return { ops: monitor.proxies.ops, product: store.product, redis_infos: infos };
}
