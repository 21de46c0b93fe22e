/**
 * Routes of proxies.
 *
 * @module
 */

import { proxyVars, setProxyState } from "../../control/proxies.ts";
import { proxyClients, proxyConfig, proxyDetail } from "../../control/proxy_detail.ts";
import { InputError } from "../../control/errors.ts";
import type { ListedProxy } from "../../api/answers.ts";
import { clientsQuery } from "../../api/proxy_clients.ts";
import { PROXY_STATES, type ProxyRecord } from "../../model/proxy.ts";
import { loadProxies, loadProxy } from "../../store/proxies.ts";
import { StoreError } from "../../store/store.ts";
import { LEAVE_OUT } from "../../store/unreadable.ts";
import { nameIn, onlyFields, readBody, wordIn } from "../input.ts";
import { type ApiRoute, type Call, change, read } from "./route.ts";

/** See the header. */
export const PROXY_ROUTES: readonly ApiRoute[] = [
  read("/api/proxy/list", listProxies),
  read("/api/proxy/debug/vars", getVars),
  read("/api/proxy/:id/detail", async (call) => await proxyDetail(await proxyOf(call))),
  read(
    "/api/proxy/:id/config",
    async (call) => await proxyConfig(await proxyOf(call), call.dashboard.proxyToken),
    "operator",
  ),
  // By a proxy whose configuration has changed: the request itself is what is noted.
  change("POST", "/api/proxy/:id/config", async (call) => {
    await proxyOf(call);
    const body = onlyFields(await readBody(call.request), "by", "changes", "error");
    const isText = Object.values(body).every((each) => typeof each === "string");
    if (!isText) throw new InputError("body", "texts by, changes and error", body);
  }),
  // Who its clients are, and what they send, is not for everybody who may look at the cluster.
  read("/api/proxy/:id/clients", async (call) => {
    const query = clientsQuery(call.url.searchParams);
    if ("rule" in query) throw new InputError(query.field, query.rule, query.value);
    return await proxyClients(await proxyOf(call), query, call.dashboard.proxyToken);
  }, "operator"),
  change("POST", "/api/proxy", async ({ dashboard, request }) => {
    const body = await readBody(request);
    const state = wordIn(body, "state", PROXY_STATES);
    await setProxyState(dashboard, nameIn(body, "id"), state);
  }),
];

/** As they are stored; of one that lets its clients go, what the page says of it. */
async function listProxies({ dashboard }: Call): Promise<ListedProxy[]> {
  const proxies = await loadProxies(dashboard.store, LEAVE_OUT);
  // Only the dashboard that leads asks them.
  if (!dashboard.isLeading) return proxies;
  return proxies.map((proxy) => {
    const drain = dashboard.monitor.proxies.drainOf(proxy);
    return drain === undefined ? proxy : { ...proxy, drain };
  });
}

async function proxyOf({ dashboard, words }: Call<"id">): Promise<ProxyRecord> {
  const proxy = await loadProxy(dashboard.store, words.id);
  if (proxy === undefined) throw new InputError("id", "the name of a proxy", words.id);
  return proxy;
}

async function getVars({ dashboard }: Call): Promise<Record<string, unknown>> {
  const proxies = await loadProxies(dashboard.store, LEAVE_OUT);
  try {
    const vars = await Promise.all(
      proxies.map(async (proxy) => [proxy.id, await proxyVars(proxy)]),
    );
    return Object.fromEntries(vars);
  } catch {
    throw new StoreError("Error getting proxy debug vars"); // Codis 2.0 text
  }
}
