/**
 * The page of one Redis server: figures over time, INFO, settings, connections, commands.
 *
 * @module
 */

import { ServerConnections } from "./connections.js";
import { Commands, Pairs } from "./detail_parts.js";
import { Badge, Empty } from "./elements.js";
import { bytes, clockTime, cut, duration, millis, short } from "./format.js";
import { HistoryCharts } from "./history_charts.js";
import { KeyLists } from "./hot_keys.js";
import { html } from "./html.js";
import { usePolled } from "./polled.js";
import { isOperator } from "./who.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */
/** @import { ServerDetail as Detail, SlowCommand } from "../../api/detail_view.ts" */

/** Time between two questions, in milliseconds: the server works for the answer. */
const PERIOD_MS = 5_000;
/** Characters of a command that are shown. */
const TEXT_MAX = 120;

/** @param {{ view: ClusterView, addr: string }} props */
export function ServerPage({ view, addr }) {
  const group = view.groups.find(({ servers }) => servers.some((each) => each.addr === addr));
  const server = group?.servers.find((each) => each.addr === addr);
  if (group === undefined || server === undefined) {
    return html`
      <div class="groups detail">
        <h1>${addr}</h1>
        <${Empty}>No group has this server. <a href="#groups">All groups</a></${Empty}>
      </div>
    `;
  }
  const { type, is_reachable, down_seconds, problem } = server;
  return html`
    <div class="groups detail">
      <div class="view-head">
        <h1>${addr}</h1>
        <${Badge} tone=${is_reachable ? problem === "" ? "good" : "warning" : "bad"}>
          ${is_reachable ? problem || "up" : `down for ${duration(down_seconds)}: ${problem}`}
        </${Badge}>
        <p>
          ${type === "slave" ? "replica" : type} of${" "}
          <a href=${`#groups/${group.id}`}>group ${group.id}</a>,${" "}
          ${short(server.ops)} requests/s, ${short(server.keys)} ${server.keys === 1
            ? "key"
            : "keys"},${" "}
          ${bytes(server.memory_bytes)}, Redis ${server.version ?? "–"}
        </p>
      </div>
      <${HistoryCharts} of=${`server/${addr}`} name=${addr} />
      ${!isOperator()
        ? html`<${Empty}>INFO, settings and connections are for the role operator.</${Empty}>`
        : !is_reachable
        ? html`<${Empty}>It does not answer, so nothing more is known.</${Empty}>`
        : html`<${Inside} key=${addr} addr=${addr} now=${view.at} />`}
    </div>
  `;
}

/** @param {{ addr: string, now: number }} props */
function Inside({ addr, now }) {
  const path = `api/redis/${encodeURIComponent(addr)}/detail`;
  const detail = /** @type {Detail | null} */ (usePolled(path, PERIOD_MS));
  if (detail === null) return html`<${Empty}>Loading …</${Empty}>`;
  return html`
    ${detail.problems.map((problem) => html`<p key=${problem} class="problem">${problem}</p>`)}
    <${Commands} reading=${detail} />
    <${KeyLists} now=${now} server=${addr} />
    <${SlowCommands} slow=${detail.slow} now=${now} />
    <${ServerConnections} detail=${detail} />
    <div class="columns">
      <${Pairs} title="Replication" pairs=${replicationOf(detail.info)} />
      <${Pairs} title="Settings" pairs=${detail.settings} />
    </div>
    <${Pairs} title="INFO" pairs=${detail.info} />
  `;
}

/** INFO's fields about replication. */
const REPLICATION = /^(role$|master_|slave|repl_|second_repl|connected_slaves|min_slaves|sync_)/;

/** @param {Detail["info"]} info */
function replicationOf(info) {
  return Object.fromEntries(Object.entries(info).filter(([name]) => REPLICATION.test(name)));
}

/** @param {{ slow: readonly SlowCommand[], now: number }} props */
function SlowCommands({ slow, now }) {
  return html`
    <section class="card audit">
      <h2>Slow commands</h2>
      ${slow.length === 0 ? html`<${Empty}>Its SLOWLOG is empty.</${Empty}>` : html`
        <ol tabindex="0" aria-label="List of slow commands">
          ${slow.map(({ id, at, usecs, args, client }) => {
            const text = args.join(" ");
            return html`
              <li key=${id}>
                <time>${clockTime(at, now)}</time>
                <div>
                  <b>${millis(usecs / 1000)}</b>${" "}
                  <code>${cut(text, TEXT_MAX)}</code>
                  <small>${client === "" ? "" : `from ${client}`}</small>
                </div>
              </li>
            `;
          })}
        </ol>
      `}
    </section>
  `;
}
