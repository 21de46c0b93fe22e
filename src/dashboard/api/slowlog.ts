/**
 * The route of slow requests, of all proxies.
 *
 * @module
 */

import type { SlowLogAnswer, SlowRequestEntry } from "../../api/slow_log.ts";
import { causeOfFetch } from "../../control/proxies.ts";
import { askSlowLog } from "../../control/proxy_detail.ts";
import { loadProxies } from "../../store/proxies.ts";
import { integerOfText } from "../input.ts";
import { type ApiRoute, type Call, read } from "./route.ts";

/** Entries of an answer at most. */
const ENTRIES_MAX = 1_000;

/** See the header. What clients have sent is not for everybody who may look at the cluster. */
export const SLOWLOG_ROUTES: readonly ApiRoute[] = [read("/api/slowlog", slowLog, "operator")];

async function slowLog({ dashboard, url: { searchParams } }: Call): Promise<unknown> {
  const limit = integerOfText("limit", searchParams.get("limit") ?? "100", 1, ENTRIES_MAX);
  const proxies = await loadProxies(dashboard.store);
  const online = proxies.filter(({ state }) => state === "online");
  const entries: (SlowRequestEntry & { readonly proxy_id: string })[] = [];
  const events: (SlowLogAnswer["events"][number] & { readonly proxy_id: string })[] = [];
  const problems: { readonly proxy_id: string; readonly problem: string }[] = [];
  await Promise.all(online.map(async (proxy) => {
    const { id: proxy_id } = proxy;
    try {
      const answer = await askSlowLog(proxy, dashboard.proxyToken);
      entries.push(...answer.entries.map((entry) => ({ proxy_id, ...entry })));
      events.push(...answer.events.map((event) => ({ proxy_id, ...event })));
    } catch (error) {
      problems.push({ proxy_id, problem: causeOfFetch(error) });
    }
  }));
  entries.sort((a, b) => b.at - a.at);
  return { entries: entries.slice(0, limit), events, problems };
}
