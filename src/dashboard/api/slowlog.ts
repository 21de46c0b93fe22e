/**
 * The route of slow requests, of all proxies.
 *
 * @module
 */

import { askProxies, askSlowLog } from "../../control/proxy_detail.ts";
import { loadProxies } from "../../store/proxies.ts";
import { LEAVE_OUT } from "../../store/unreadable.ts";
import { integerOfText } from "../input.ts";
import { type ApiRoute, type Call, read } from "./route.ts";

/** Entries of an answer at most. */
const ENTRIES_MAX = 1_000;

/** See the header. What clients have sent is not for everybody who may look at the cluster. */
export const SLOWLOG_ROUTES: readonly ApiRoute[] = [read("/api/slowlog", slowLog, "operator")];

async function slowLog({ dashboard, url: { searchParams } }: Call): Promise<unknown> {
  const limit = integerOfText("limit", searchParams.get("limit") ?? "100", 1, ENTRIES_MAX);
  const proxies = await loadProxies(dashboard.store, LEAVE_OUT);
  const online = proxies.filter(({ state }) => state === "online");
  const { answers, problems } = await askProxies(
    online,
    (proxy) => askSlowLog(proxy, dashboard.proxyToken),
  );
  const entries = answers.flatMap(({ proxy_id, answer }) =>
    answer.entries.map((entry) => ({ proxy_id, ...entry }))
  ).sort((a, b) => b.at - a.at);
  const events = answers.flatMap(({ proxy_id, answer }) =>
    answer.events.map((event) => ({ proxy_id, ...event }))
  );
  return { entries: entries.slice(0, limit), events, problems };
}
