/**
 * The overview of the cluster: totals, charts, what needs attention, the control plane.
 *
 * @module
 */

import { ActionButton } from "./action_dialog.js";
import { concernsOf } from "./attention.js";
import { Chart } from "./chart.js";
import { Badge, Empty } from "./elements.js";
import { ago, bytes, counted, duration, millis, short, UNKNOWN, whole } from "./format.js";
import { Guide } from "./guide.js";
import { HistoryCharts } from "./history_charts.js";
import { html } from "./html.js";
import { Topology } from "./topology.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */

/** Longest list of concerns; the others are counted. */
const CONCERNS_MAX = 12;

/** @param {{ view: ClusterView }} props */
export function Overview({ view }) {
  return html`
    <div class="overview">
      <h1 class="sr-only">Overview</h1>
      ${view.dead_fences.length === 0 ? null : html`<${DeadFences} view=${view} />`}
      <${Guide} view=${view} />
      <${Tiles} view=${view} />
      <${HistoryCharts} of="cluster" name="the cluster" start=${html`<${LastMinutes} view=${view} />`} />
      <div class="columns">
        <${Concerns} view=${view} />
        <${Control} view=${view} />
      </div>
      <${Topology} view=${view} />
    </div>
  `;
}

/** @param {{ view: ClusterView }} props */
function LastMinutes({ view: { history } }) {
  return html`
    <div class="charts">
      <${Chart}
        title="Requests per second"
        at=${history.at}
        format=${short}
        isWhole
        lines=${[{
          label: "all proxies",
          colour: "--line-1",
          isFilled: true,
          values: history.ops,
        }]}
      />
      <${Chart}
        title="Latency"
        at=${history.at}
        format=${millis}
        lines=${[
          { label: "p50", colour: "--line-2", values: history.p50_ms },
          { label: "p99", colour: "--line-3", values: history.p99_ms },
        ]}
      />
      <${Chart}
        title="Connections"
        at=${history.at}
        format=${short}
        isWhole
        lines=${[{ label: "clients", colour: "--line-4", values: history.sessions }]}
      />
    </div>
  `;
}

/** @param {{ view: ClusterView }} props */
function Tiles({ view }) {
  const masters = view.groups.flatMap(({ servers }) =>
    servers.filter(({ type }) => type === "master")
  );
  const servers = view.groups.flatMap((group) => group.servers);
  const reachable = servers.filter(({ is_reachable }) => is_reachable);
  const limit = masters.every(({ maxmemory_bytes }) => (maxmemory_bytes ?? 0) > 0)
    ? masters.reduce((sum, { maxmemory_bytes }) => sum + (maxmemory_bytes ?? 0), 0)
    : 0;
  const online = view.proxies.filter(({ state }) => state === "online");
  const migrating = Object.keys(view.slots.from).length;
  return html`
    <section class="tiles" aria-label="Totals">
      <${Tile} label="Requests/s" value=${whole(view.ops)} of="all proxies" />
      <${Tile}
        label="p99 latency"
        value=${millis(view.history.p99_ms.at(-1))}
        of=${`p50 ${millis(view.history.p50_ms.at(-1))}`}
      />
      <${Tile} label="Keys" value=${short(view.keys)} of="on masters" />
      <${Tile}
        label="Memory"
        value=${bytes(view.memory_bytes)}
        of=${limit > 0 ? `of ${bytes(limit)}` : "on masters"}
      />
      <${Tile} label="Connections" value=${whole(view.sessions)} of="clients" />
      <${Tile}
        label="Slots served"
        value=${`${view.slots.served}/1024`}
        of=${migrating === 0 ? "none migrating" : `${migrating} migrating`}
        href="#slots"
      />
      <${Tile}
        label="Servers up"
        value=${`${reachable.length}/${servers.length}`}
        of=${`in ${counted(view.groups.length, "group")}`}
        href="#groups"
      />
      <${Tile}
        label="Proxies online"
        value=${`${online.length}/${view.proxies.length}`}
        of=${`version ${versionsOf(view)}`}
        href="#proxies"
      />
    </section>
  `;
}

/** @param {ClusterView} view */
function versionsOf({ proxies }) {
  const versions = new Set(proxies.map(({ version }) => version).filter((each) => each !== null));
  return versions.size === 0 ? UNKNOWN : [...versions].sort().join(", ");
}

/** @param {{ label: string, value: string, of: string, href?: string }} props */
function Tile({ label, value, of, href }) {
  const inside = html`
    <span class="label">${label}</span>
    <b>${value}</b>
    <small>${of}</small>
  `;
  return href === undefined
    ? html`<div class="tile">${inside}</div>`
    : html`<a class="tile" href=${href}>${inside}</a>`;
}

/** @param {{ view: ClusterView }} props */
function DeadFences({ view: { dead_fences } }) {
  return html`
    <section class="card alarm">
      <h2>${counted(dead_fences.length, "proxy", "proxies")} did not stop cleanly</h2>
      <ul class="addresses">${dead_fences.map((addr) => html`<li key=${addr}>${addr}</li>`)}</ul>
      <p>
        The coordinator has a fence for each of these addresses, but no proxy is online there. A proxy
        there may still serve with an old slot table. Therefore slots and masters cannot be changed: no
        migration, no promotion, no failover.
      </p>
      <p>
        Start the proxy again at its address, and it takes over the fence. If its process is gone for
        good, remove the fence.
      </p>
      <${ActionButton} name="remove_fences" isRisky>Remove fences …</${ActionButton}>
    </section>
  `;
}

/** @param {{ view: ClusterView }} props */
function Concerns({ view }) {
  const concerns = concernsOf(view);
  return html`
    <section class="card concerns">
      <h2>Needs attention</h2>
      ${concerns.length === 0
        ? html`<${Empty}>Nothing. All servers, proxies and slots are healthy.</${Empty}>`
        : html`
          <ul>
            ${concerns.slice(0, CONCERNS_MAX).map(({ tone, text, place }) =>
              html`
                <li key=${text.replace(/\d+/g, "")}>
                  <a href=${`#${place}`}><${Badge} tone=${tone}>${text}</${Badge}></a>
                </li>
              `
            )}
          </ul>
          ${concerns.length > CONCERNS_MAX
            ? html`<p class="more">and ${concerns.length - CONCERNS_MAX} more</p>`
            : null}
        `}
    </section>
  `;
}

/** @param {{ view: ClusterView }} props */
function Control({ view }) {
  const { dashboard, coordinator, change } = view;
  return html`
    <section class="card">
      <h2>Control plane</h2>
      <dl class="facts">
        <dt>Product</dt>
        <dd>${view.product}</dd>
        <dt>Dashboard</dt>
        <dd>
          <code>${dashboard.addr}</code>, pid ${dashboard.pid}, started${" "}
          ${ago(dashboard.started_at, view.at)}
        </dd>
        <dt>Coordinator</dt>
        <dd>
          ${coordinator.kind}${" "}
          <${Badge} tone=${coordinator.state === "connected" ? "good" : "bad"}>
            ${coordinator.state}
          </${Badge}>
        </dd>
        <dt>Failover</dt>
        <dd>
          ${dashboard.failover === "sentinel"
            ? "by Sentinel"
            : dashboard.failover === "auto"
            ? `automatic, after a master has been down for ${
              duration(dashboard.failover_after_seconds)
            }`
            : "off: promote replicas by hand"}
        </dd>
        <dt>Changes</dt>
        <dd>${dashboard.has_users
          ? "need a login or a token"
          : dashboard.needs_token
          ? "need a token"
          : "need no token: everybody with access can make them"}</dd>
        <dt>Running change</dt>
        <dd>${change === null ? "none" : change.summary}</dd>
        <dt>Version</dt>
        <dd>${view.version}</dd>
      </dl>
    </section>
  `;
}
