/**
 * The picture of the cluster: clients, proxies, groups, and what flows between them.
 *
 *     clients ══► proxies ══► slots ══► groups        as thick as the traffic; red where it is broken
 *
 * @module
 */

/// <reference lib="dom" />
import { useLayoutEffect, useRef, useState } from "./preact_hooks.js";
import { goTo, linkTo } from "./address.js";
import { Badge } from "./elements.js";
import { counted, short } from "./format.js";
import { groupFigures } from "./group_list.js";
import { html } from "./html.js";

/** @import { ClusterView } from "../../api/cluster_view.ts" */
/** @import { Tone } from "./elements.js" */

/** Proxies and groups that are drawn each; the others are one box. */
const NODES_MAX = 12;
/** Sizes in pixels: a row, a box, the widest and the thinnest line. */
const [ROW, BOX, WIDE, THIN] = [34, 26, 14, 1.5];
/** Width until the real one is known. */
const FIRST_WIDTH = 600;
/** Width of a box that has no room for its figure beside its name. */
const NARROW = 130;
const SLOTS_LABEL = "1024 slots";
/** Width of a character of a label, about. */
const LETTER = 7;

/**
 * A proxy or a group.
 *
 * @typedef {object} Node
 * @property {string} name
 * @property {string} link Where there is more of it, as in the address.
 * @property {number | null} ops Requests per second; null: not known.
 * @property {Tone} tone
 * @property {string} state In a few words.
 */

/**
 * What the picture shows: what is broken, what has most traffic, and the rest in one.
 *
 * @param {Pick<ClusterView, "proxies" | "groups" | "slots">} view
 * @returns {{ proxies: Node[], groups: Node[] }}
 */
export function topologyOf({ proxies, groups, slots }) {
  const opsByGroup = new Map(groups.map(({ id }) => [id, 0]));
  for (const [slot, group] of slots.group.entries()) {
    const before = opsByGroup.get(group);
    if (before !== undefined) opsByGroup.set(group, before + (slots.ops[slot] ?? 0));
  }
  return {
    proxies: gathered(
      proxies.map(({ id, state, is_reachable, problem, ops }) => ({
        name: id,
        link: linkTo("proxies", id),
        ops,
        ...!is_reachable
          ? { tone: "bad", state: problem === "" ? "not reachable" : problem }
          : state !== "online"
          ? { tone: "off", state: state === "offline" ? "offline" : "going offline" }
          : { tone: problem === "" ? "good" : "warning", state: problem || "online" },
      })),
      "proxies",
    ),
    groups: gathered(
      groups.map((group) => {
        const { tone, state } = groupFigures(group);
        const ops = opsByGroup.get(group.id) ?? 0;
        const link = linkTo("groups", String(group.id));
        return { name: `group ${group.id}`, link, ops, tone, state };
      }),
      "groups",
    ),
  };
}

/** @type {Readonly<Record<Tone, number>>} */
const ORDER = { bad: 0, warning: 1, off: 3, good: 3, busy: 3 };

/**
 * @param {Node[]} nodes
 * @param {string} things
 */
function gathered(nodes, things) {
  const byTone = (/** @type {Node} */ a, /** @type {Node} */ b) => ORDER[a.tone] - ORDER[b.tone];
  // In their own order, so that they do not change places from second to second.
  if (nodes.length <= NODES_MAX) return nodes.toSorted(byTone);
  const sorted = nodes.toSorted((a, b) => byTone(a, b) || (b.ops ?? 0) - (a.ops ?? 0));
  const rest = sorted.slice(NODES_MAX - 1);
  const worst = /** @type {Node} */ (rest[0]);
  const shown = new Set(sorted.slice(0, NODES_MAX - 1));
  return [...nodes.filter((node) => shown.has(node)).sort(byTone), {
    name: `${rest.length} other ${things}`,
    link: linkTo(things),
    ops: rest.reduce((sum, { ops }) => sum + (ops ?? 0), 0),
    tone: worst.tone,
    state: worst.tone === "good" ? "well" : "some have problems",
  }];
}

/**
 * How thick the line of a traffic is, of the highest.
 *
 * @param {number | null} ops
 * @param {number} most
 */
export function thickness(ops, most) {
  return most <= 0 ? THIN : THIN + (WIDE - THIN) * Math.sqrt((ops ?? 0) / most);
}

/**
 * The whole picture in one sentence.
 *
 * @param {{ proxies: readonly Node[], groups: readonly Node[] }} nodes
 * @param {Pick<ClusterView, "sessions" | "ops">} view
 */
export function topologyWords({ proxies, groups }, { sessions, ops }) {
  const broken = [...proxies, ...groups].filter(({ tone }) => tone === "bad");
  return `${counted(sessions, "client")} send ${
    short(Math.round(ops))
  } requests/s to the proxies, ` +
    "which send them by slot to the groups. " +
    (broken.length === 0
      ? "Nothing is broken."
      : `Broken: ${broken.map(({ name, state }) => `${name} (${state})`).join(", ")}.`);
}

/** @param {{ view: ClusterView }} props */
export function Topology({ view }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [width, setWidth] = useState(FIRST_WIDTH);
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) =>
      setWidth(Math.floor(entry?.contentRect.width ?? 0) || FIRST_WIDTH)
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const nodes = topologyOf(view);
  if (nodes.proxies.length === 0 && nodes.groups.length === 0) return null;
  return html`
    <section class="card topology">
      <h2>Topology</h2>
      <div ref=${place}>
        <${Drawing} nodes=${nodes} view=${view} width=${width} />
      </div>
      <details>
        <summary>The same as a list</summary>
        <div class="columns">
          <${NodeList} title="Proxies" nodes=${nodes.proxies} />
          <${NodeList} title="Groups" nodes=${nodes.groups} />
        </div>
      </details>
    </section>
  `;
}

/** @param {{ title: string, nodes: readonly Node[] }} props */
function NodeList({ title, nodes }) {
  return html`
    <div>
      <h3>${title}</h3>
      <ul>
        ${nodes.map(({ name, link, ops, tone, state }) =>
          html`
            <li key=${name}>
              <a href=${link}>${name}</a>${" "}<${Badge} tone=${tone}>${state}</${Badge}>
              <small>${short(ops === null ? null : Math.round(ops))} requests/s</small>
            </li>
          `
        )}
      </ul>
    </div>
  `;
}

/**
 * @param {{
 *   nodes: { proxies: readonly Node[], groups: readonly Node[] },
 *   view: ClusterView,
 *   width: number,
 * }} props
 */
function Drawing({ nodes, view, width }) {
  const { proxies, groups } = nodes;
  const height = Math.max(3, proxies.length, groups.length) * ROW + 8;
  const middle = height / 2;
  // Clients, proxies, the bar of slots, groups; a phone has room for shorter names.
  const boxWidth = Math.min(190, width * 0.3);
  const clientsWidth = Math.min(90, width * 0.17);
  const [proxyX, groupX] = [width * 0.28, width - boxWidth - 1];
  const slotsX = (proxyX + boxWidth + groupX) / 2;
  const y = (/** @type {number} */ i, /** @type {number} */ count) => (i + 0.5) * height / count;
  const most = (/** @type {readonly Node[]} */ all) =>
    Math.max(0, ...all.map(({ ops }) => ops ?? 0));
  const [mostProxy, mostGroup] = [most(proxies), most(groups)];
  const barBegin = Math.min(middle - ROW, y(0, Math.max(1, groups.length)));
  const barY = (/** @type {number} */ at) => middle + (at - middle) * 0.5;
  return html`
    <svg
      class="topology-drawing"
      viewBox=${`0 0 ${width} ${height}`}
      width=${width}
      height=${height}
      role="img"
      aria-label=${topologyWords(nodes, view)}
    >
      ${proxies.map((node, i) => {
        const at = y(i, proxies.length);
        const wide = thickness(node.ops, mostProxy);
        return html`
          <${Flow} key=${`c ${node.name}`} node=${node} wide=${wide}
            from=${[clientsWidth, middle]} to=${[proxyX, at]} />
          <${Flow} key=${`s ${node.name}`} node=${node} wide=${wide}
            from=${[proxyX + boxWidth, at]} to=${[slotsX, barY(at)]} />
        `;
      })}
      ${groups.map((node, i) => {
        const at = y(i, groups.length);
        return html`
          <${Flow} key=${node.name} node=${node} wide=${thickness(node.ops, mostGroup)}
            from=${[slotsX, barY(at)]} to=${[groupX, at]} />
        `;
      })}
      <rect class="slots" x=${slotsX - 5} y=${barY(barBegin) - 8} width="10"
        height=${2 * (middle - barY(barBegin)) + 16} rx="5" />
      ${groupX - proxyX - boxWidth < SLOTS_LABEL.length * LETTER * 2
        ? null
        : html`<text x=${slotsX} y=${barY(barBegin) - 15} class="middle">${SLOTS_LABEL}</text>`}
      <${Box} x=${0} y=${middle} width=${clientsWidth} lines=${[short(view.sessions), "clients"]} />
      ${proxies.map((node, i) =>
        html`
          <${NodeBox} key=${node.name} node=${node} x=${proxyX} y=${y(i, proxies.length)}
            width=${boxWidth} />
        `
      )}
      ${groups.map((node, i) =>
        html`
          <${NodeBox} key=${node.name} node=${node} x=${groupX} y=${y(i, groups.length)}
            width=${boxWidth} />
        `
      )}
    </svg>
  `;
}

/**
 * @param {{
 *   node: Node,
 *   wide: number,
 *   from: readonly [number, number],
 *   to: readonly [number, number],
 * }} props
 */
function Flow({ node: { tone }, wide, from: [x1, y1], to: [x2, y2] }) {
  const half = (x1 + x2) / 2;
  return html`
    <path
      class=${`flow ${tone}`}
      d=${`M${x1} ${y1}C${half} ${y1} ${half} ${y2} ${x2} ${y2}`}
      style=${{ strokeWidth: tone === "bad" ? 2.5 : wide.toFixed(1) }}
    />
  `;
}

/** @param {{ node: Node, x: number, y: number, width: number }} props */
function NodeBox({ node, x, y, width }) {
  const { name, link, ops, tone, state } = node;
  const figure = tone === "bad"
    ? "✕"
    : width < NARROW
    ? ""
    : short(ops === null ? null : Math.round(ops));
  const room = Math.floor((width - 18 - figure.length * LETTER) / LETTER);
  const [view = "", of = ""] = link.slice(1).split("/");
  return html`
    <g class=${`node ${tone}`} onClick=${() => goTo(view, decodeURIComponent(of))}>
      <title>${`${name}: ${state}`}</title>
      <rect x=${x} y=${y - BOX / 2} width=${width} height=${BOX} rx="6" />
      <text x=${x + 8} y=${y + 4}>${name.length > room
        ? `${name.slice(0, room - 1)}…`
        : name}</text>
      <text x=${x + width - 8} y=${y + 4} class="figure">${figure}</text>
    </g>
  `;
}

/** @param {{ x: number, y: number, width: number, lines: readonly string[] }} props */
function Box({ x, y, width, lines }) {
  return html`
    <g class="node">
      <rect x=${x + 1} y=${y - BOX} width=${width - 2} height=${2 * BOX} rx="6" />
      ${lines.map((line, i) =>
        html`<text key=${i} x=${x + width / 2} y=${y - 4 + i * 18} class="middle">${line}</text>`
      )}
    </g>
  `;
}
