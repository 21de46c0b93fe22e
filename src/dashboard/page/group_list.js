/**
 * The groups as a compact table: a row for each, sorted by any column; one is open, with its servers.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useRef, useState } from "./preact_hooks.js";
import { goTo } from "./address.js";
import { ownerColour } from "./colour.js";
import { Badge, MemoryBar, SortHead, Unchanged } from "./elements.js";
import { bytes, short, UNKNOWN, whole } from "./format.js";
import { html } from "./html.js";

/** @import { GroupView } from "../../api/cluster_view.ts" */
/** @import { Tone } from "./elements.js" */
/** @import { Markup } from "./html.js" */

/**
 * The figures of a group in one row; null: not known.
 *
 * @typedef {object} GroupFigures
 * @property {number} id
 * @property {number} slots
 * @property {string} master Its address; `""`: it has none.
 * @property {number} up Servers that answer.
 * @property {number} servers
 * @property {Tone} tone
 * @property {string} state In a few words.
 * @property {number | null} memory Of the master, in bytes.
 * @property {number | null} limit Of the master, in bytes.
 * @property {number | null} keys
 * @property {number | null} ops Of all servers, per second.
 * @property {number | null} clients Of all servers.
 * @property {number | null} lag Of the replica that is farthest behind, in bytes.
 */

/** @typedef {"id" | "slots" | "state" | "memory" | "keys" | "ops" | "clients" | "lag"} Column */

/**
 * The columns: name, title, whether it is a number, whether the highest value comes first at first.
 *
 * @type {readonly (readonly [name: Column, title: string, isNumber: boolean, isDown: boolean])[]}
 */
const COLUMNS = [
  ["id", "Group", false, false],
  ["state", "State", false, true],
  ["slots", "Slots", true, true],
  ["memory", "Memory", false, true],
  ["keys", "Keys", true, true],
  ["ops", "Ops/s", true, true],
  ["clients", "Clients", true, true],
  ["lag", "Lag", true, true],
];

/** @type {Readonly<Record<Tone, number>>} */
const BADNESS = { good: 0, off: 1, busy: 2, warning: 3, bad: 4 };

/**
 * @param {GroupView} group
 * @returns {GroupFigures}
 */
export function groupFigures({ id, slots, servers }) {
  const master = servers.find(({ type }) => type === "master");
  const lags = servers.map(({ replication }) => replication?.lag_bytes ?? null);
  return {
    ...{ id, slots, servers: servers.length },
    master: master?.addr ?? "",
    up: servers.filter(({ is_reachable }) => is_reachable).length,
    ...stateOf({ id, slots, servers }),
    memory: master?.memory_bytes ?? null,
    limit: master?.maxmemory_bytes ?? null,
    keys: master?.keys ?? null,
    ops: sumOf(servers.map(({ ops }) => ops)),
    clients: sumOf(servers.map(({ clients }) => clients)),
    lag: lags.reduce((most, lag) => lag === null ? most : Math.max(most ?? 0, lag), null),
  };
}

/** @param {readonly (number | null)[]} values */
function sumOf(values) {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

/**
 * The worst of a group.
 *
 * @param {GroupView} group
 * @returns {{ tone: Tone, state: string }}
 */
function stateOf({ slots, servers }) {
  const master = servers.find(({ type }) => type === "master");
  if (servers.length === 0) return { tone: "off", state: "no server" };
  if (master === undefined) {
    return { tone: slots > 0 ? "bad" : "warning", state: "no master" };
  }
  const why = (/** @type {string} */ problem) => problem === "" ? "" : `: ${problem}`;
  if (!master.is_reachable) return { tone: "bad", state: `master down${why(master.problem)}` };
  const refused = servers.find((server) => (server.refused ?? null) !== null);
  if (refused !== undefined) {
    return { tone: "bad", state: `requests are refused: ${refused.refused?.cause}` };
  }
  const down = servers.find(({ is_reachable }) => !is_reachable);
  if (down !== undefined) {
    return { tone: "warning", state: `${down.addr} down${why(down.problem)}` };
  }
  const unlinked = servers.find(({ replication }) => replication?.is_up === false);
  if (unlinked !== undefined) {
    return { tone: "warning", state: `link down: ${unlinked.addr}` };
  }
  const odd = servers.find(({ problem }) => problem !== "");
  if (odd !== undefined) return { tone: "warning", state: `${odd.addr}: ${odd.problem}` };
  return servers.some(({ type }) => type === "slave")
    ? { tone: "good", state: "in sync" }
    : { tone: "good", state: "up, no replica" };
}

/**
 * Sorted by a column; what is not known comes last, and equal ones are sorted by number.
 *
 * @param {readonly GroupFigures[]} rows
 * @param {Column} column
 * @param {boolean} isDown Whether the highest comes first.
 */
export function sortedGroups(rows, column, isDown) {
  const value = (/** @type {GroupFigures} */ row) =>
    column === "state" ? BADNESS[row.tone] : row[column];
  return rows.toSorted((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === y) return a.id - b.id;
    if (x === null || y === null) return x === null ? 1 : -1;
    return isDown ? y - x : x - y;
  });
}

/**
 * @param {{
 *   groups: readonly GroupView[],
 *   most: number,
 *   open: string,
 *   draw: (group: GroupView) => Markup,
 * }} props `most`: the memory of the fullest server, in bytes. `open`: the number of the group that is.
 */
export function GroupList({ groups, most, open, draw }) {
  const [order, setOrder] = useState(
    /** @type {() => { column: Column, isDown: boolean }} */ (() => ({
      column: "id",
      isDown: false,
    })),
  );
  const byId = new Map(groups.map((group) => [group.id, group]));
  const rows = sortedGroups(groups.map(groupFigures), order.column, order.isDown);
  return html`
    <table class="compact">
      <thead>
        <tr>
          ${COLUMNS.map(([name, title, isNumber, isDownFirst]) =>
            html`
              <${SortHead}
                key=${name}
                ...${{ name, title, isDownFirst, order }}
                className=${`${name}${isNumber ? " number" : ""}`}
                onOrder=${setOrder}
              />
            `
          )}
        </tr>
      </thead>
      <tbody>
        ${rows.flatMap((row) => {
          const group = byId.get(row.id);
          const isOpen = String(row.id) === open;
          const line = html`
            <${Unchanged}
              key=${row.id}
              of=${[row, isOpen, most]}
              draw=${() => html`<${Line} row=${row} isOpen=${isOpen} most=${most} />`}
            />
          `;
          if (!isOpen || group === undefined) return [line];
          return [
            line,
            html`
              <tr key=${`${row.id} open`} class="opened" id="open-group">
                <td colspan=${COLUMNS.length}>${draw(group)}</td>
              </tr>
            `,
          ];
        })}
      </tbody>
    </table>
  `;
}

/** @param {{ row: GroupFigures, isOpen: boolean, most: number }} props */
function Line({ row, isOpen, most }) {
  const line = useRef(/** @type {HTMLTableRowElement | null} */ (null));
  // A link from elsewhere opens a group that may be far down; one that was pressed is in sight.
  useEffect(() => {
    if (!isOpen) return;
    const frame = requestAnimationFrame(() => { // another view first starts at its top
      const { top = 0, bottom = 0 } = line.current?.getBoundingClientRect() ?? {};
      if (top < 0 || bottom > innerHeight) line.current?.scrollIntoView({ block: "start" });
    });
    return () => cancelAnimationFrame(frame);
  }, [isOpen]);
  const { id, slots, master, up, servers, tone, state, memory, limit, keys, ops, clients } = row;
  return html`
    <tr ref=${line} class=${isOpen ? "open" : undefined}>
      <th scope="row" class="id">
        <button
          type="button"
          aria-expanded=${isOpen ? "true" : "false"}
          aria-controls=${isOpen ? "open-group" : undefined}
          onClick=${() => goTo("groups", isOpen ? "" : String(id))}
        >
          <i class="owner" style=${{ background: ownerColour(id) }}></i>Group ${id}
        </button>
        <code title=${master}>${master === "" ? "" : master}</code>
      </th>
      <td class="state" title=${state}>
        <${Badge} tone=${tone}>${state}</${Badge}>
        <small>${servers < 2 && up === servers ? "" : `${up}/${servers} up`}</small>
      </td>
      <td class="slots number">${whole(slots)}</td>
      <td class="memory">
        <${MemoryBar} used=${memory} limit=${limit} most=${most} isShort />
      </td>
      <td class="keys number">${short(keys)}</td>
      <td class="ops number">${short(ops)}</td>
      <td class="clients number">${short(clients)}</td>
      <td class="lag number">${row.lag === null ? UNKNOWN : bytes(row.lag)}</td>
    </tr>
  `;
}
