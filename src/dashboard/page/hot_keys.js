/**
 * Hot and big keys: of all proxies, of one, or of one server.
 *
 * @module
 */

/// <reference lib="dom" />
import { useState } from "./preact_hooks.js";
import { Badge, Bar, Choice, Empty, ScrolledTable, Silent } from "./elements.js";
import { bytes, clockTime, counted, cut, short } from "./format.js";
import { html } from "./html.js";
import { usePolled } from "./polled.js";

/** @import { Heads } from "./elements.js" */
/** @import { BigKeyEntry, HotKeyEntry, HotKeysAnswer } from "../../api/hot_keys.ts" */

/** @typedef {HotKeysAnswer & { problems?: readonly { proxy_id: string, problem: string }[] }} Answer */

/** Keys of each kind that are shown. */
const SHOWN_MAX = 20;
/** Time between two questions, in milliseconds: all proxies work for the answer, which tells of tens of seconds. */
const PERIOD_MS = 5_000;
/** Characters of a key that are shown. */
const TEXT_MAX = 60;

/** @type {Heads} */
const HOT_HEADS = [
  ["Key"],
  ["Share of requests"],
  ["Reads/s", true],
  ["Writes/s", true],
  ["Slot", true],
  ["Server"],
];

/** @type {Heads} */
const BIG_HEADS = [
  ["Key"],
  ["Size", true],
  ["Of"],
  ["Seen"],
  ["Slot", true],
  ["Server"],
];

/**
 * A key's name, cut; in quotes where it begins or ends with blanks.
 *
 * @param {Pick<HotKeyEntry, "key" | "key_bytes">} entry
 */
export function shownKey({ key, key_bytes }) {
  if (key === "") return "(empty)";
  const text = key === key.trim() ? key : `"${key}"`;
  return text.length > TEXT_MAX ? `${cut(text, TEXT_MAX)} (${short(key_bytes)} bytes)` : text;
}

/**
 * @param {{ now: number, proxyId?: string, server?: string, servers?: readonly string[] }} props
 * `proxyId`, `server`: of that one only; `servers`: those between which can be chosen.
 */
export function KeyLists({ now, proxyId, server, servers = [] }) {
  const [chosen, setChosen] = useState("");
  const query = new URLSearchParams({ limit: `${SHOWN_MAX}` });
  if (proxyId !== undefined) query.set("proxy", proxyId);
  if ((server ?? chosen) !== "") query.set("server", server ?? chosen);
  const answer = /** @type {Answer | null} */ (usePolled(`api/hotkeys?${query}`, PERIOD_MS));
  if (answer === null) return null;
  // Of what somebody did not tell, it is not said that there is none.
  const isSilent = (answer.problems?.length ?? 0) > 0;
  return html`
    <section class="card keys">
      <div class="card-head">
        <h2>Hot and big keys</h2>
        ${servers.length < 2 ? null : html`
          <${Choice}
            name="keys-server"
            label="Server"
            value=${chosen}
            all="all servers"
            options=${servers.map((addr) => [addr, addr])}
            onChange=${setChosen}
          />
        `}
      </div>
      <${Silent} problems=${answer.problems} />
      ${answer.is_on
        ? html`
          ${answer.hot.length === 0 && isSilent
            ? null
            : html`<${Hot} hot=${answer.hot} requests=${answer.requests_per_second} />`}
          <${Big} big=${answer.big} now=${now} />
        `
        : html`<${Empty}>Keys are not looked at: hot_key_samples is 0.</${Empty}>`}
    </section>
  `;
}

/** @param {{ hot: readonly HotKeyEntry[], requests: number }} props */
function Hot({ hot, requests }) {
  if (hot.length === 0) return html`<${Empty}>No key was asked for lately.</${Empty}>`;
  return html`
    <h3>Most asked for</h3>
    <${ScrolledTable} label="Hot keys" heads=${HOT_HEADS}>
      ${hot.map((key) =>
        html`
          <tr key=${`${key.db} ${key.key_bytes} ${key.key}`}>
            <th scope="row">
              <${Name} of=${key} />
            </th>
            <td>
              <${Bar}
                share=${key.share}
                label=${`share of ${shownKey(key)}`}
                text=${`${(100 * key.share).toFixed(1)} %`}
              />
            </td>
            <td class="number">${short(Math.round(key.reads_per_second))}</td>
            <td class="number">${short(Math.round(key.writes_per_second))}</td>
            <td class="number">${key.slot}</td>
            <td>${key.server}</td>
          </tr>
        `
      )}
    </${ScrolledTable}>
    <p class="more">
      estimated from a sample of the last tens of seconds, when ${short(
        Math.round(requests),
      )} requests/s named a key
    </p>
  `;
}

/** @param {{ of: HotKeyEntry | BigKeyEntry }} props */
function Name({ of: key }) {
  return html`
    <code title=${key.key}>${shownKey(key)}</code>
    ${key.db === 0 ? null : html`${" "}<small>db ${key.db}</small>`}
  `;
}

/** @param {{ big: readonly BigKeyEntry[], now: number }} props */
function Big({ big, now }) {
  if (big.length === 0) return null;
  return html`
    <h3>Biggest</h3>
    <${ScrolledTable} label="Big keys" heads=${BIG_HEADS}>
      ${big.map((key) =>
        html`
          <tr key=${`${key.of} ${key.db} ${key.key_bytes} ${key.key}`}>
            <th scope="row">
              <${Name} of=${key} />
              ${key.has_more_keys
                ? html`${" "}<${Badge} tone="off">one of several</${Badge}>`
                : null}
            </th>
            <td class="number">${bytes(key.bytes)}</td>
            <td>${key.of} of ${key.command.toUpperCase()}</td>
            <td>${clockTime(key.at, now)}</td>
            <td class="number">${key.slot}</td>
            <td>${key.server}</td>
          </tr>
        `
      )}
    </${ScrolledTable}>
    <p class="more">largest requests and replies of the last day, ${counted(big.length, "key")}</p>
  `;
}
