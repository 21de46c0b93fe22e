/**
 * The view of the proxies: load, latency, and the state of the slot table.
 *
 * @module
 */

import { linkTo, useAddress } from "./address.js";
import { ActionButton } from "./action_dialog.js";
import { Badge, Empty, Unchanged } from "./elements.js";
import { bytes, counted, duration, millis, peerUrl, short, UNKNOWN, whole } from "./format.js";
import { KeyLists } from "./hot_keys.js";
import { html } from "./html.js";
import { ProxyPage } from "./proxy_detail.js";
import { AllowedCommands } from "./rules.js";
import { SlowRequests } from "./slow_log.js";
import { isOperator } from "./who.js";

/** @import { ClusterView, ProxyView } from "../../api/cluster_view.ts" */

/**
 * The addresses of all masters.
 *
 * @param {ClusterView} view
 */
function mastersOf({ groups }) {
  return groups.flatMap(({ servers }) =>
    servers.filter(({ type }) => type === "master").map(({ addr }) => addr)
  );
}

/** Age from which a slot table that is not updated gets a warning, in seconds. */
const STALE_WARNING_S = 5;

/** @param {{ view: ClusterView }} props */
export function Proxies({ view }) {
  const { of } = useAddress();
  return of === ""
    ? html`<${AllProxies} view=${view} />`
    : html`<${ProxyPage} key=${of} view=${view} id=${of} />`;
}

/** @param {{ view: ClusterView }} props */
function AllProxies({ view }) {
  const { proxies } = view;
  const online = proxies.filter(({ state }) => state === "online").length;
  return html`
    <div class="proxies">
      <div class="view-head">
        <h1>Proxies</h1>
        <p>${online} of ${counted(proxies.length, "proxy", "proxies")} online</p>
      </div>
      ${proxies.length === 0
        ? html`<${Empty}>No proxy is registered. Start a proxy with this product's name.</${Empty}>`
        : html`
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Proxy</th>
                <th scope="col">State</th>
                <th scope="col" class="number">Requests/s</th>
                <th scope="col" class="number">p50</th>
                <th scope="col" class="number">p99</th>
                <th scope="col" class="number">Clients</th>
                <th scope="col" class="number">Memory</th>
                <th scope="col">Slot table</th>
                <th scope="col">Version</th>
                <th scope="col"><span class="sr-only">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              ${proxies.map((proxy) =>
                html`
                  <${Unchanged}
                    key=${proxy.id}
                    of=${proxy}
                    draw=${() => html`<${Row} proxy=${proxy} />`}
                  />
                `
              )}
            </tbody>
          </table>
        `}
      ${isOperator()
        ? html`
          <${KeyLists} now=${view.at} servers=${mastersOf(view)} />
          <${SlowRequests} now=${view.at} />
        `
        : null}
      <${AllowedCommands} commands=${view.allowed_commands} />
    </div>
  `;
}

/** @param {{ proxy: ProxyView }} props */
function Row({ proxy }) {
  const { id, addr, state, is_reachable, problem, drain } = proxy;
  return html`
    <tr>
      <th scope="row">
        <a href=${linkTo("proxies", id)}><b>${id}</b></a>
        <code>${addr}</code>
        ${problem === "" ? null : html`<span class="problem">${problem}</span>`}
      </th>
      <td data-label="State">
        <${State} state=${state} isReachable=${is_reachable} drain=${drain} />
      </td>
      <td data-label="Requests/s" class="number">${whole(proxy.ops)}</td>
      <td data-label="p50" class="number">${millis(proxy.p50_ms)}</td>
      <td data-label="p99" class="number">${millis(proxy.p99_ms)}</td>
      <td data-label="Clients" class="number">${short(proxy.sessions)}</td>
      <td data-label="Memory" class="number">${bytes(proxy.memory_bytes)}</td>
      <td data-label="Slot table">
        <${Table} proxy=${proxy} />
      </td>
      <td data-label="Version">
        ${proxy.version ?? UNKNOWN}
        <small title=${`started ${proxy.start_at}`}>pid ${proxy.pid}</small>
      </td>
      <td class="does">
        <a class="button" href=${peerUrl(proxy.debug_var_addr, "/debug/vars")} rel="noreferrer">
          Counters
        </a>
        ${state === "online"
          ? html`
            <${ActionButton} name="proxy_offline" preset=${{ id }}>Take offline …</${ActionButton}>
          `
          : html`
            <${ActionButton} name="proxy_online" preset=${{ id }}>Set online …</${ActionButton}>
          `}
      </td>
    </tr>
  `;
}

/** @param {{ state: ProxyView["state"], isReachable: boolean, drain: ProxyView["drain"] }} props */
function State({ state, isReachable, drain }) {
  if (!isReachable) return html`<${Badge} tone="bad">${`${state}, not reachable`}</${Badge}>`;
  if (drain) return html`<${Badge} tone="warning">${drain}</${Badge}>`;
  if (state === "online") return html`<${Badge} tone="good">online</${Badge}>`;
  return state === "offline"
    ? html`<${Badge} tone="off">offline</${Badge}>`
    : html`<${Badge} tone="busy">going offline</${Badge}>`;
}

/** @param {{ proxy: ProxyView }} props */
function Table({ proxy: { table_version, stale_seconds, slots_offline } }) {
  if (table_version === null) return UNKNOWN;
  const version = html`<small>version ${table_version}</small>`;
  if ((stale_seconds ?? 0) >= STALE_WARNING_S) {
    return html`
      <${Badge} tone="warning">${`not updated for ${duration(stale_seconds)}`}</${Badge}>
      ${version}
    `;
  }
  return (slots_offline ?? 0) > 0
    ? html`
      <${Badge} tone="warning">${`${counted(slots_offline ?? 0, "slot")} not served`}</${Badge}>
      ${version}
    `
    : html`<${Badge} tone="good">up to date</${Badge}>${version}`;
}
