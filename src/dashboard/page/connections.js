/**
 * Connections to a server, and the clients of a proxy: a table that is sorted and searched.
 *
 * A server tells all of them at once. A proxy is asked for the first in an order, as it may have thousands.
 *
 * @module
 */

/// <reference lib="dom" />
import { useState } from "./preact_hooks.js";
import { Empty, Search, SortHead } from "./elements.js";
import { bytes, counted, duration, whole } from "./format.js";
import { html } from "./html.js";
import { useAnswer } from "./polled.js";

/** @import { ServerDetail } from "../../api/detail_view.ts" */
/** @import { ClientsAnswer, ClientsQuery } from "../../api/proxy_clients.ts" */

/** Connections that are shown. */
const SHOWN_MAX = 50;
/** Time between two questions to a proxy, in milliseconds. */
const PERIOD_MS = 3_000;

/** @typedef {ClientsQuery["by"]} Column */
/** @typedef {{ column: Column, isDown: boolean }} Order */
/** @typedef {Readonly<Record<string, string>>} Connection */

/** The columns: CLIENT LIST's field, title, whether it is a number. */
const COLUMNS = /** @type {const} */ ([
  ["addr", "From", false],
  ["name", "Name", false],
  ["user", "User", false],
  ["db", "DB", true],
  ["cmd", "Last command", false],
  ["idle", "Idle", true],
  ["age", "Age", true],
  ["tot-mem", "Memory", true],
]);
/** Columns in which the highest comes first at first, also at the proxy. */
const DOWN_FIRST = ["age", "tot-mem"];
/** What a search looks at. */
const SEARCHED = ["addr", "name", "user", "cmd", "lib-name"];

/** @type {() => Order} */
const BY_IDLE = () => ({ column: "idle", isDown: false });

/**
 * Those that a search finds, in an order.
 *
 * @param {readonly Connection[]} all
 * @param {string} search
 * @param {Order} order
 */
export function orderedConnections(all, search, { column, isDown }) {
  const text = search.trim().toLowerCase();
  const isNumber = COLUMNS.some(([name, , isNumber]) => name === column && isNumber);
  const value = (/** @type {Connection} */ each) => each[column] ?? "";
  return all.filter((each) =>
    SEARCHED.some((name) => (each[name] ?? "").toLowerCase().includes(text))
  ).toSorted((a, b) => {
    const rising = isNumber
      ? Number(value(a)) - Number(value(b))
      : value(a).localeCompare(value(b));
    return isDown ? -rising : rising;
  });
}

/** @param {{ detail: ServerDetail }} props */
export function ServerConnections({ detail: { connections, connection_count: count } }) {
  const [search, setSearch] = useState("");
  const [order, setOrder] = useState(BY_IDLE);
  const found = orderedConnections(connections, search, order);
  const most = connections.length < count ? `, of the ${connections.length} last used ones` : "";
  return html`
    <${Connections}
      title="Connections"
      ...${{ search, order }}
      onSearch=${setSearch}
      onOrder=${setOrder}
      shown=${found.slice(0, SHOWN_MAX)}
      words=${`${Math.min(SHOWN_MAX, found.length)} of ${counted(count, "connection")}${most}`}
    />
  `;
}

/**
 * The address of a proxy's clients.
 *
 * @param {string} id
 * @param {string} search
 * @param {Order} order
 */
export function clientsPath(id, search, { column, isDown }) {
  const query = new URLSearchParams({
    by: column,
    ...isDown === DOWN_FIRST.includes(column) ? {} : { reversed: "yes" },
    ...search.trim() === "" ? {} : { search: search.trim() },
    limit: String(SHOWN_MAX),
  });
  return `api/proxy/${encodeURIComponent(id)}/clients?${query}`;
}

/** @param {{ id: string }} props */
export function ProxyClients({ id }) {
  const [search, setSearch] = useState("");
  const [order, setOrder] = useState(BY_IDLE);
  const { answer, problem } = /** @type {{ answer: ClientsAnswer | null, problem: string }} */ (
    useAnswer(clientsPath(id, search, order), PERIOD_MS)
  );
  const { clients = [], matching = 0, total = 0 } = answer ?? {};
  const of = matching === total ? "" : `${whole(matching)} that match, of `;
  return html`
    <${Connections}
      title="Clients"
      ...${{ search, order, problem }}
      onSearch=${setSearch}
      onOrder=${setOrder}
      shown=${clients}
      words=${answer === null ? "" : `${clients.length} of ${of}${counted(total, "client")}`}
    />
  `;
}

/**
 * @param {{
 *   title: string,
 *   search: string,
 *   onSearch: (search: string) => void,
 *   order: Order,
 *   onOrder: (order: Order) => void,
 *   shown: readonly Connection[],
 *   words: string,
 *   problem?: string,
 * }} props `words`: how many there are.
 */
function Connections({ title, search, onSearch, order, onOrder, shown, words, problem = "" }) {
  return html`
    <section class="card">
      <div class="card-head">
        <h2>${title}</h2>
        <${Search} label=${`Find in ${title}`} value=${search} onInput=${onSearch} />
      </div>
      ${problem === "" ? null : html`<p class="problem">${problem}</p>`}
      <div class="scrolled" tabindex="0" role="region" aria-label=${title}>
        <table class="plain">
          <thead>
            <tr>
              ${COLUMNS.map(([name, heading, isNumber]) =>
                html`
                  <${SortHead}
                    key=${name}
                    name=${name}
                    title=${heading}
                    className=${isNumber ? "number" : ""}
                    isDownFirst=${DOWN_FIRST.includes(name)}
                    order=${order}
                    onOrder=${onOrder}
                  />
                `
              )}
            </tr>
          </thead>
          <tbody>
            ${shown.map((each) => html`<${Row} key=${each["id"] ?? each["addr"]} each=${each} />`)}
          </tbody>
        </table>
        ${shown.length === 0 && words !== "" ? html`<${Empty}>None.</${Empty}>` : null}
      </div>
      <p class="more">${words}</p>
    </section>
  `;
}

/** @param {{ each: Connection }} props */
function Row({ each }) {
  const { addr, name, user, db, cmd = "", idle, age, flags = "" } = each;
  const library = each["lib-name"] ?? "";
  const memory = Number(each["tot-mem"] ?? each["omem"] ?? 0);
  const buffers = `received and not yet read: ${bytes(Number(each["qbuf"] ?? 0))}, ` +
    `not yet sent: ${bytes(Number(each["obl"] ?? 0) + Number(each["omem"] ?? 0))}`;
  return html`
    <tr>
      <th scope="row"><code>${addr}</code></th>
      <td>${name}${library === "" ? null : html`<small>${library} ${each["lib-ver"]}</small>`}</td>
      <td>${user}</td>
      <td class="number">${db}</td>
      <td>${cmd === "NULL" ? "none yet" : cmd.replace("|", " ")}${WAITS.test(flags)
        ? html`<small>waits</small>`
        : null}</td>
      <td class="number">${duration(Number(idle ?? 0))}</td>
      <td class="number">${duration(Number(age ?? 0))}</td>
      <td class="number" title=${buffers}>${bytes(memory)}</td>
    </tr>
  `;
}

/** Flags of a client that a command blocks. */
const WAITS = /b/;
