/**
 * Small components that several views use.
 *
 * @module
 */

/// <reference lib="dom" />
import { Component } from "./preact.js";
import { html } from "./html.js";
import { bytes } from "./format.js";

/** @typedef {"good" | "busy" | "warning" | "bad" | "off"} Tone */

/** Marks, so that colour alone does not carry the tone. */
const MARKS = { good: "●", busy: "◐", warning: "▲", bad: "✕", off: "○" };
/** Shares of used memory from which a server gets a warning, and an alarm. */
const MEMORY_WARNING = 0.8;
const MEMORY_BAD = 0.95;

/**
 * A state in one word.
 *
 * @param {{ tone: Tone, children?: unknown, title?: string }} props
 */
export function Badge({ tone, children, title }) {
  return html`
    <span class="badge ${tone}" title=${title}>
      <span class="mark" aria-hidden="true">${MARKS[tone]}</span>${children}
    </span>
  `;
}

/**
 * A bar that is full to a share, with its figure beside it.
 *
 * @param {{ share: number, tone?: Tone, label: string, text: unknown }} props `share`: 0 to 1.
 */
export function Bar({ share, tone = "good", label, text }) {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return html`
    <span class="bar-cell">
      <span
        class="bar ${tone}"
        role="meter"
        aria-label=${label}
        aria-valuemin="0"
        aria-valuemax="100"
        aria-valuenow=${percent}
      ><span class="fill" style=${{ width: `${percent}%` }}></span></span>
      <span class="figure">${text}</span>
    </span>
  `;
}

/**
 * The memory of a server, against its limit or, without one, against the fullest server's.
 *
 * @param {{ used: number | null, limit: number | null, most: number, isShort?: boolean }} props All
 * in bytes. `isShort`: whether the limit is left out of the text.
 */
export function MemoryBar({ used, limit, most, isShort = false }) {
  const isLimited = limit !== null && limit > 0;
  const share = used === null ? 0 : used / (isLimited ? limit : Math.max(1, most));
  const tone = isLimited ? memoryTone(share) : "off";
  const text = isLimited && !isShort ? `${bytes(used)} of ${bytes(limit)}` : bytes(used);
  return html`<${Bar} share=${share} tone=${tone} label="memory used" text=${text} />`;
}

/**
 * @param {number} share
 * @returns {Tone}
 */
function memoryTone(share) {
  if (share >= MEMORY_BAD) return "bad";
  return share >= MEMORY_WARNING ? "warning" : "good";
}

/**
 * A switch between several options.
 *
 * @param {{
 *   label: string,
 *   value: string,
 *   options: readonly (readonly [value: string, text: string])[],
 *   onChange: (value: string) => void,
 * }} props
 */
export function Switch({ label, value, options, onChange }) {
  return html`
    <span class="switch" role="group" aria-label=${label}>
      ${options.map(([option, text]) =>
        html`
          <button
            key=${option}
            type="button"
            aria-pressed=${option === value}
            onClick=${() => onChange(option)}
          >${text}</button>
        `
      )}
    </span>
  `;
}

/**
 * A choice of one out of many, or of all.
 *
 * @param {{
 *   name: string,
 *   label: string,
 *   value: string,
 *   all: string,
 *   options: readonly (readonly [value: string, text: string])[],
 *   onChange: (value: string) => void,
 * }} props `value` is empty for all, and `all` the text for that.
 */
export function Choice({ name, label, value, all, options, onChange }) {
  return html`
    <select
      name=${name}
      aria-label=${label}
      value=${value}
      onChange=${(/** @type {Event} */ event) =>
        onChange(/** @type {HTMLSelectElement} */ (event.target).value)}
    >
      <option value="">${all}</option>
      ${options.map(([option, text]) =>
        html`<option key=${option} value=${option}>${text}</option>`
      )}
    </select>
  `;
}

/**
 * A field for a search.
 *
 * @param {{ label: string, value: string, onInput: (value: string) => void }} props
 */
export function Search({ label, value, onInput }) {
  return html`
    <input
      type="search"
      class="narrow"
      aria-label=${label}
      placeholder="Find"
      value=${value}
      onInput=${(/** @type {InputEvent} */ event) =>
        onInput(/** @type {HTMLInputElement} */ (event.target).value)}
    />
  `;
}

/**
 * The head of a column by which a table can be sorted.
 *
 * @template {string} Column
 * @param {{
 *   name: Column,
 *   title: string,
 *   className?: string,
 *   isDownFirst?: boolean,
 *   order: { column: Column, isDown: boolean },
 *   onOrder: (order: { column: Column, isDown: boolean }) => void,
 * }} props `isDownFirst`: whether the highest value comes first at first.
 */
export function SortHead({ name, title, className = "", isDownFirst = false, order, onOrder }) {
  const { column, isDown } = order;
  const isChosen = name === column;
  return html`
    <th
      scope="col"
      class=${className}
      aria-sort=${isChosen ? isDown ? "descending" : "ascending" : undefined}
    >
      <button
        type="button"
        class="sort"
        onClick=${() => onOrder({ column: name, isDown: isChosen ? !isDown : isDownFirst })}
      >
        ${title}<span aria-hidden="true">${isChosen ? isDown ? "▼" : "▲" : ""}</span>
      </button>
    </th>
  `;
}

/**
 * The text of an empty list.
 *
 * @param {{ children?: unknown }} props
 */
export function Empty({ children }) {
  return html`<p class="empty">${children}</p>`;
}

/**
 * Which proxies did not tell what is shown, and why.
 *
 * @param {{ problems?: readonly { proxy_id: string, problem: string }[] }} props
 */
export function Silent({ problems = [] }) {
  return problems.map(({ proxy_id, problem }) =>
    html`
      <p key=${proxy_id}>
        <${Badge} tone="warning">${proxy_id} does not tell: ${problem}</${Badge}>
      </p>
    `
  );
}

/**
 * Renders its child again only when `of` has changed: most of a large cluster does not change within a
 * second.
 *
 * @extends {Component<{ of: unknown, draw: () => unknown }, {}>}
 */
export class Unchanged extends Component {
  #shown = "";

  /**
   * @override
   * @param {{ of: unknown }} next
   */
  shouldComponentUpdate(next) {
    return JSON.stringify(next.of) !== this.#shown;
  }

  /** @override */
  render() {
    this.#shown = JSON.stringify(this.props.of);
    return /** @type {import("./html.js").Markup} */ (this.props.draw());
  }
}

/** @typedef {readonly (readonly [title: string, isNumber?: boolean])[]} Heads */

/**
 * A table that scrolls by itself where it is too wide.
 *
 * @param {{ label: string, heads: Heads, children?: unknown }} props `children`: its rows.
 */
export function ScrolledTable({ label, heads, children }) {
  return html`
    <div class="scrolled" tabindex="0" role="region" aria-label=${label}>
      <table class="plain">
        <thead>
          <tr>
            ${heads.map(([title, isNumber = false]) =>
              html`<th key=${title} scope="col" class=${isNumber ? "number" : null}>${title}</th>`
            )}
          </tr>
        </thead>
        <tbody>${children}</tbody>
      </table>
    </div>
  `;
}
