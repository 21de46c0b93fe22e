/**
 * Routes of proxies.
 *
 * @module
 */

import { proxyDetail, proxyVars, setProxyState } from "../../control/proxies.ts";
import { InputError } from "../../control/errors.ts";
import { PROXY_STATES } from "../../model/proxy.ts";
import { loadProxies, loadProxy } from "../../store/proxies.ts";
import { StoreError } from "../../store/store.ts";
import { nameIn, readBody, wordIn } from "../input.ts";
import { type ApiRoute, type Call, change, read } from "./route.ts";

/** See the header. */
export const PROXY_ROUTES: readonly ApiRoute[] = [
  read("/api/proxy/list", ({ dashboard }) => loadProxies(dashboard.store)),
  read("/api/proxy/debug/vars", getVars),
  read("/api/proxy/:id/detail", async ({ dashboard, words }) => {
    const proxy = await loadProxy(dashboard.store, words.id);
    if (proxy === undefined) throw new InputError("id", "the name of a proxy", words.id);
    return await proxyDetail(proxy);
  }),
  change("POST", "/api/proxy", async ({ dashboard, request }) => {
    const body = await readBody(request);
    const state = wordIn(body, "state", PROXY_STATES);
    await setProxyState(dashboard, nameIn(body, "id"), state);
  }),
];

async function getVars({ dashboard }: Call): Promise<Record<string, unknown>> {
  const proxies = await loadProxies(dashboard.store);
  try {
    const vars = await Promise.all(
      proxies.map(async (proxy) => [proxy.id, await proxyVars(proxy)]),
    );
    return Object.fromEntries(vars);
  } catch {
    throw new StoreError("Error getting proxy debug vars"); // Codis 2.0 text
  }
}
