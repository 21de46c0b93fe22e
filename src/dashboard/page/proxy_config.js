/**
 * The configuration that a proxy runs with: where each value is from, and which one waits for a restart.
 *
 * @module
 */

/// <reference lib="dom" />
import { useState } from "./preact_hooks.js";
import { Badge, Empty, ScrolledTable, Search, Switch } from "./elements.js";
import { clockTime, counted } from "./format.js";
import { html } from "./html.js";
import { useAnswer } from "./polled.js";

/** @import { Heads } from "./elements.js" */
/** @import { ConfigKeyView, ConfigView } from "../../config/config_view.ts" */

/** Time between two questions, in milliseconds. */
const PERIOD_MS = 10_000;
/** What an unset value is shown as. */
const NOTHING = "–";

/** @typedef {"set" | "waits" | "all"} Choice */

/** @type {Heads} */
const HEADS = [
  ["Key"],
  ["Value"],
  ["From"],
  ["Changes"],
];

/**
 * The keys that are to be seen.
 *
 * @param {readonly ConfigKeyView[]} keys
 * @param {Choice} choice
 * @param {string} search
 */
export function chosenKeys(keys, choice, search) {
  const text = search.trim().toLowerCase();
  return keys.filter(({ key, value, from, source, waits }) =>
    (choice === "all" || (choice === "set" && source !== "default") || waits !== undefined) &&
    `${key} ${value} ${from}`.toLowerCase().includes(text)
  );
}

/** @param {{ id: string, now: number }} props */
export function ProxyConfig({ id, now }) {
  const [choice, setChoice] = useState(/** @type {Choice} */ ("set"));
  const [search, setSearch] = useState("");
  const { answer, problem } = /** @type {{ answer: ConfigView | null, problem: string }} */ (
    useAnswer(`api/proxy/${encodeURIComponent(id)}/config`, PERIOD_MS)
  );
  const keys = answer?.keys ?? [];
  const shown = chosenKeys(keys, choice, search);
  const waiting = keys.filter(({ waits }) => waits !== undefined).length;
  return html`
    <section class="card">
      <div class="card-head">
        <h2>Configuration</h2>
        <${Search} label="Find in Configuration" value=${search} onInput=${setSearch} />
        <${Switch}
          label="Which keys"
          value=${choice}
          options=${[
            ["set", "Set"],
            ...waiting === 0 ? [] : [["waits", `Waiting ${waiting}`]],
            ["all", "All"],
          ]}
          onChange=${setChoice}
        />
      </div>
      ${problem === "" ? null : html`<p class="problem">${problem}</p>`}
      ${answer === null ? null : html`<${Head} config=${answer} now=${now} />`}
      <${ScrolledTable} label="Configuration" heads=${HEADS}>
        ${shown.map((row) => html`<${Row} key=${row.key} row=${row} />`)}
      </${ScrolledTable}>
      ${answer !== null && shown.length === 0 ? html`<${Empty}>None.</${Empty}>` : null}
      <p class="more">${answer === null
        ? ""
        : `${shown.length} of ${counted(keys.length, "key")}`}</p>
    </section>
  `;
}

/** @param {{ config: ConfigView, now: number }} props */
function Head({ config: { file, loaded_at, reload }, now }) {
  return html`
    <p>
      <code>${file}</code>, read ${clockTime(loaded_at, now)}
      ${reload === null
        ? ""
        : reload.ok
        ? html`, <${Badge} tone="good">${`reloaded ${
          clockTime(reload.at, now)
        } by ${reload.by}`}</${Badge}>`
        : html`, <${Badge} tone="bad">${`not reloaded ${
          clockTime(reload.at, now)
        } by ${reload.by}: ${reload.error}`}</${Badge}>`}
    </p>
  `;
}

/** @type {Readonly<Record<ConfigKeyView["reload"], string>>} */
const CHANGES = {
  live: "by a reload",
  while_set: "by a reload; on and off by a restart",
  restart: "by a restart",
};

/** @param {{ row: ConfigKeyView }} props */
function Row({ row }) {
  const { key, value, from, reload, help, rule, waits } = row;
  return html`
    <tr>
      <th scope="row" title=${`${help} (${rule})`}><code>${key}</code></th>
      <td>
        ${value === "" ? NOTHING : value}
        ${source(row) === "" ? null : html`<small>${source(row)}</small>`}
        ${waits === undefined ? null : html`
          <${Badge} tone="warning">${`${
            waits.value || NOTHING
          } after a restart, ${waits.from}`}</${Badge}>
        `}
      </td>
      <td>${from}</td>
      <td>${CHANGES[reload]}</td>
    </tr>
  `;
}

/** @param {ConfigKeyView} row */
function source({ source, value, is_secret, ...row }) {
  return source === "default" || is_secret || row.default === value
    ? ""
    : `default ${row.default || NOTHING}`;
}
