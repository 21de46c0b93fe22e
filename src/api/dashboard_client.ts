/**
 * What proxies ask of the dashboard.
 *
 * @module
 */

import { type Address, formatAddress } from "../base/address.ts";
import { encodeProxy, type ProxyState } from "../model/proxy.ts";

/** Longest piece of an error answer that a message quotes, in characters. */
const QUOTE_MAX = 200;

/**
 * Asks the dashboard to change a proxy's state, as Codis 2.0's proxies do: `POST /api/proxy` with a
 * proxy record of which only id and state are filled.
 *
 * @throws {Error} When the dashboard cannot be reached or answers with anything but 200; the message
 * quotes the answer.
 */
export async function postProxyState(
  dashboard: Address,
  proxyId: string,
  state: ProxyState,
  signal: AbortSignal,
): Promise<void> {
  const body = encodeProxy({
    id: proxyId,
    addr: "",
    last_event: "",
    last_event_ts: 0,
    state,
    description: "",
    debug_var_addr: "",
    pid: 0,
    start_at: "",
  });
  const response = await fetch(`http://${formatAddress(dashboard)}/api/proxy`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
    signal,
  });
  const answer = await response.text();
  if (response.status !== 200) {
    throw new Error(`dashboard answered ${response.status}: ${answer.slice(0, QUOTE_MAX)}`);
  }
}
