/**
 * The view of the groups: their Redis servers and the state of each.
 *
 * @module
 */

/// <reference lib="dom" />
import { useState } from "./preact_hooks.js";
import { ActionButton } from "./action_dialog.js";
import { linkTo, useAddress } from "./address.js";
import { ownerColour } from "./colour.js";
import { Badge, Empty, MemoryBar, Switch, Unchanged } from "./elements.js";
import { bytes, counted, duration, short, UNKNOWN, whole } from "./format.js";
import { GroupList } from "./group_list.js";
import { HistoryCharts } from "./history_charts.js";
import { html } from "./html.js";
import { ServerPage } from "./server_detail.js";
import { SentinelList } from "./sentinels.js";

/** @import { ClusterView, GroupView, ServerView } from "../../api/cluster_view.ts" */

/** The names of the stored roles. */
const ROLES = { master: "master", slave: "replica", offline: "offline" };

/** @param {{ view: ClusterView }} props */
export function Groups({ view }) {
  const { of } = useAddress();
  // Of a group there is its number in the address, of a server its address.
  return of.includes(":")
    ? html`<${ServerPage} key=${of} view=${view} addr=${of} />`
    : html`<${AllGroups} view=${view} open=${of} />`;
}

/** @param {{ view: ClusterView, open: string }} props */
function AllGroups({ view: { groups, sentinels }, open }) {
  const [search, setSearch] = useState("");
  const [which, setWhich] = useState("all");
  const shown = groups.filter((group) =>
    isFound(group, search.trim()) && (which === "all" || hasProblem(group))
  );
  const most = groups.flatMap(({ servers }) => servers)
    .reduce((max, { memory_bytes }) => Math.max(max, memory_bytes ?? 0), 0);
  return html`
    <div class="groups">
      <div class="view-head">
        <h1>Groups</h1>
        <div class="filters">
          <input
            type="search"
            name="search"
            aria-label="Find a group or server"
            placeholder="Number, address or zone"
            value=${search}
            onInput=${(/** @type {InputEvent} */ event) =>
              setSearch(/** @type {HTMLInputElement} */ (event.target).value)}
          />
          <${Switch}
            label="Which groups"
            value=${which}
            options=${[["all", "All"], ["problems", "Problems"]]}
            onChange=${setWhich}
          />
        </div>
        <div class="buttons">
          <${ActionButton} name="add_group" isPrimary>Add group …</${ActionButton}>
        </div>
      </div>
      ${shown.length === 0
        ? html`<${Empty}>
        ${groups.length === 0 ? "There is no group yet." : "No group matches."}
      </${Empty}>`
        : null}
      ${shown.length === 0 ? null : html`
        <${GroupList}
          groups=${shown}
          most=${most}
          open=${open}
          draw=${(/** @type {GroupView} */ group) =>
            html`
              <div class="opened-group">
                <${Unchanged}
                  key=${group.id}
                  of=${[group, most]}
                  draw=${() => html`<${Group} group=${group} most=${most} />`}
                />
                <${HistoryCharts}
                  key=${`history ${group.id}`}
                  of=${`group/${group.id}`}
                  name=${`group ${group.id}`}
                />
              </div>
            `}
        />
      `}
      <${SentinelList} of=${sentinels} />
    </div>
  `;
}

/** @param {{ group: GroupView, most: number }} props */
function Group({ group: { id, slots, servers }, most }) {
  return html`
    <section class="card group">
      <div class="card-head">
        <h2><i class="owner" style=${{ background: ownerColour(id) }}></i>Group ${id}</h2>
        <span class="muted">${counted(slots, "slot")}</span>
        <div class="buttons">
          <${ActionButton} name="add_server" preset=${{
            group: String(id),
          }}>Add server …</${ActionButton}>
          ${servers.length === 0 ? null : html`
            <${ActionButton} name="set_zone" preset=${{
              group: String(id),
              addr: servers[0]?.addr ?? "",
            }}>Zone …</${ActionButton}>
          `}
          ${servers.every(({ type }) => type !== "slave") ? null : html`
            <${ActionButton} name="switch_master" preset=${{
              group: String(id),
            }}>Switch master …</${ActionButton}>
          `}
          <${ActionButton} name="drain_group" preset=${{
            group: String(id),
          }}>Drain …</${ActionButton}>
          <${ActionButton} name="remove_group" preset=${{
            group: String(id),
          }}>Remove …</${ActionButton}>
        </div>
      </div>
      ${servers.length === 0
        ? html`<${Empty}>No server yet: the first one becomes the master.</${Empty}>`
        : html`
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Server</th>
                <th scope="col">Role</th>
                <th scope="col">State</th>
                <th scope="col">Memory</th>
                <th scope="col" class="number">Keys</th>
                <th scope="col" class="number">Ops/s</th>
                <th scope="col" class="number">Clients</th>
                <th scope="col">Redis</th>
                <th scope="col"><span class="sr-only">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              ${servers.map((server) =>
                html`<${Row} key=${server.addr} group=${id} server=${server} most=${most} />`
              )}
            </tbody>
          </table>
        `}
    </section>
  `;
}

/** @param {{ group: number, server: ServerView, most: number }} props */
function Row({ group, server, most }) {
  const { addr, type, problem, zone } = server;
  const refused = server.refused ?? null; // an older dashboard says nothing of it
  const preset = { group: String(group), addr };
  return html`
    <tr>
      <th scope="row">
        <a href=${linkTo("groups", addr)}><code>${addr}</code></a>
        ${(zone ?? "") === "" ? null : html`
          <small>zone ${zone}</small>
        `}
        ${problem === "" ? null : html`<span class="problem">${problem}</span>`}
        ${refused === null ? null : html`
          <span class="problem">requests are refused: ${refused.cause}</span>
        `}
      </th>
      <td data-label="Role"><span class=${`role ${type}`}>${ROLES[type]}</span></td>
      <td data-label="State">
        <${State} server=${server} />
      </td>
      <td data-label="Memory">
        <${MemoryBar}
          used=${server.memory_bytes}
          limit=${server.maxmemory_bytes}
          most=${most}
        />
      </td>
      <td data-label="Keys" class="number">${short(server.keys)}</td>
      <td data-label="Ops/s" class="number">
        ${whole(server.ops)}
        <${Reads} of=${server.reads} />
      </td>
      <td data-label="Clients" class="number">
        ${whole(server.clients)}
        <${PrivateConnections} of=${server.private_connections} />
      </td>
      <td data-label="Redis">
        ${server.version ?? UNKNOWN}
        <small>${server.uptime_seconds === null
          ? ""
          : `up ${uptime(server.uptime_seconds)}`}</small>
      </td>
      <td class="does">
        ${type === "master" ? null : html`
          <${ActionButton} name="promote" preset=${preset}>Promote …</${ActionButton}>
          <${ActionButton} name="remove_server" preset=${preset}>Remove …</${ActionButton}>
        `}
      </td>
    </tr>
  `;
}

/**
 * What part of its group's reads a server gets, where clients read from replicas.
 *
 * @param {{ of: ServerView["reads"] }} props
 */
function Reads({ of }) {
  if (of === null || of === undefined) return null;
  const { share, why_out } = of;
  if (why_out !== "") return html`<small title=${why_out}>no reads: ${why_out}</small>`;
  return share === null ? null : html`<small>${Math.round(share * 100)} % of reads</small>`;
}

/**
 * How many of the connections are one client's each: of those that block, watch, subscribe or track.
 *
 * @param {{ of: ServerView["private_connections"] }} props
 */
function PrivateConnections({ of }) {
  if (of === null) return null;
  return html`
    <small title="connections of the proxies that belong to one client each; private_connections_max">
      ${whole(of.in_use)} of ${whole(of.max)} private
    </small>
  `;
}

/**
 * In days or hours, so that it does not change every second.
 *
 * @param {number} seconds
 */
function uptime(seconds) {
  const hours = Math.floor(seconds / 3600);
  if (hours >= 48) return counted(Math.floor(hours / 24), "day");
  return hours >= 1 ? counted(hours, "hour") : "under an hour";
}

/** @param {{ server: ServerView }} props */
function State({ server: { type, is_reachable, down_seconds, replication } }) {
  if (!is_reachable) {
    return html`<${Badge} tone="bad">${`down for ${duration(down_seconds)}`}</${Badge}>`;
  }
  if (type === "master" || replication === null) {
    return html`<${Badge} tone=${type === "offline" ? "off" : "good"}>up</${Badge}>`;
  }
  const { is_up, lag_bytes, master } = replication;
  if (!is_up) {
    return html`
      <${Badge} tone="bad" title=${`follows ${master}`}>link down</${Badge}>
      <small>of ${master}</small>
    `;
  }
  return html`
    <${Badge} tone="good" title=${`follows ${master}`}>in sync</${Badge}>
    <small>${lag_bytes === null ? "" : `${bytes(lag_bytes)} behind`}</small>
  `;
}

/**
 * @param {GroupView} group
 * @param {string} search
 */
function isFound({ id, servers }, search) {
  return search === "" || String(id) === search ||
    servers.some(({ addr, zone }) => addr.includes(search) || zone === search);
}

/** @param {GroupView} group */
function hasProblem({ slots, servers }) {
  return (slots > 0 && !servers.some(({ type }) => type === "master")) ||
    servers.some(({ is_reachable, problem, replication }) =>
      !is_reachable || problem !== "" || replication?.is_up === false
    );
}
