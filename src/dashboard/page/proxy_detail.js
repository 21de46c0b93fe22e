/**
 * The page of one proxy: figures over time, commands, its connections to servers, slow requests.
 *
 * @module
 */

import { ProxyClients } from "./connections.js";
import { Commands } from "./detail_parts.js";
import { Badge, Empty, ScrolledTable } from "./elements.js";
import { bytes, counted, millis, short, whole } from "./format.js";
import { HistoryCharts } from "./history_charts.js";
import { KeyLists } from "./hot_keys.js";
import { html } from "./html.js";
import { usePolled } from "./polled.js";
import { ProxyConfig } from "./proxy_config.js";
import { SlowRequests } from "./slow_log.js";
import { isOperator } from "./who.js";

/** @import { Heads } from "./elements.js" */
/** @import { ClusterView } from "../../api/cluster_view.ts" */
/** @import { ProxyDetail as Detail } from "../../api/detail_view.ts" */

/** Time between two questions, in milliseconds. */
const PERIOD_MS = 2_000;

/** @type {Heads} */
const SERVER_HEADS = [
  ["Server"],
  ["State"],
  ["In flight", true],
  ["Private", true],
];

/** @param {{ view: ClusterView, id: string }} props */
export function ProxyPage({ view, id }) {
  const proxy = view.proxies.find((each) => each.id === id);
  if (proxy === undefined) {
    return html`
      <div class="proxies detail">
        <h1>${id}</h1>
        <${Empty}>No proxy has this name. <a href="#proxies">All proxies</a></${Empty}>
      </div>
    `;
  }
  const { addr, state, is_reachable, problem, ops, p99_ms, sessions, memory_bytes } = proxy;
  return html`
    <div class="proxies detail">
      <div class="view-head">
        <h1>${id}</h1>
        <${Badge} tone=${!is_reachable ? "bad" : problem !== "" ? "warning" : "good"}>
          ${is_reachable ? problem || state : `${state}, not reachable: ${problem}`}
        </${Badge}>
        <p>
          <code>${addr}</code>, pid ${proxy.pid}, version ${proxy.version ?? "–"},${" "}
          ${short(ops)} requests/s, p99 ${millis(p99_ms)}, ${counted(
            sessions ?? 0,
            "client",
          )},${" "}
          ${bytes(memory_bytes)}, <a href="#proxies">all proxies</a>
        </p>
      </div>
      <${HistoryCharts} of=${`proxy/${id}`} name=${id} />
      ${is_reachable ? html`<${Inside} key=${id} id=${id} />` : html`
        <${Empty}>It does not answer, so nothing more is known.</${Empty}>
      `}
      ${isOperator() && is_reachable
        ? html`<${ProxyClients} key=${`clients ${id}`} id=${id} />`
        : null}
      ${isOperator() && is_reachable
        ? html`<${ProxyConfig} key=${`config ${id}`} id=${id} now=${view.at} />`
        : null}
      ${isOperator()
        ? html`
          <${KeyLists} now=${view.at} proxyId=${id} />
          <${SlowRequests} now=${view.at} proxyId=${id} />
        `
        : null}
    </div>
  `;
}

/** @param {{ id: string }} props */
function Inside({ id }) {
  const path = `api/proxy/${encodeURIComponent(id)}/detail`;
  const detail = /** @type {Detail | null} */ (usePolled(path, PERIOD_MS));
  if (detail === null) return html`<${Empty}>Loading …</${Empty}>`;
  const { backends, command_line } = detail;
  return html`
    <${Commands} reading=${detail} />
    <section class="card">
      <h2>Connections to servers</h2>
      <${ScrolledTable} label="Connections to servers" heads=${SERVER_HEADS}>
        ${backends.map(({ addr, state, in_flight, refused_for = "", ...more }) =>
          html`
            <tr key=${addr}>
              <th scope="row">
                <a href=${`#groups/${encodeURIComponent(addr)}`}><code>${addr}</code></a>
              </th>
              <td>
                <${Badge} tone=${refused_for !== "" || state === "down"
                  ? "bad"
                  : state === "up"
                  ? "good"
                  : "off"}>${refused_for === "" ? state : `refused: ${refused_for}`}</${Badge}>
              </td>
              <td class="number">${whole(in_flight)}</td>
              <td class="number">${whole(more.private_connections ?? null)}</td>
            </tr>
          `
        )}
      </${ScrolledTable}>
      <p class="more">Started as <code>${command_line.join(" ")}</code></p>
    </section>
  `;
}
