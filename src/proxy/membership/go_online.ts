/**
 * How a proxy comes to be set online.
 *
 * @module
 */

import { DashboardClient } from "../../api/dashboard_client.ts";
import type { DashboardAccess } from "../../api/dashboard_requests.ts";
import { changeProxyState } from "../../store/proxies.ts";
import type { Store } from "../../store/store.ts";

/** Longest time that the dashboard may take to answer, in milliseconds. */
const DASHBOARD_TIMEOUT_MS = 10_000;

/**
 * Sets a proxy online: asks the dashboard to, or, where there is none, writes it to the store.
 *
 * @throws {StoreError} When a slot is not fit to be served.
 * @throws {Error} When the dashboard cannot be reached, or refuses; the message says what it said.
 */
export async function goOnline(
  store: Store,
  proxyId: string,
  dashboard: DashboardAccess | undefined,
): Promise<void> {
  if (dashboard === undefined) return await changeProxyState(store, proxyId, "online");
  const client = new DashboardClient({ ...dashboard, changeMs: DASHBOARD_TIMEOUT_MS });
  await client.setProxyState(proxyId, "online");
}
