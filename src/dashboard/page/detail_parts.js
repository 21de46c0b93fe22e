/**
 * Parts of the pages of one server and of one proxy.
 *
 * @module
 */

/// <reference lib="dom" />
import { useRef, useState } from "./preact_hooks.js";
import { Empty, ScrolledTable, Search } from "./elements.js";
import { counted, millis, short, UNKNOWN, whole } from "./format.js";
import { html } from "./html.js";

/** @import { Heads } from "./elements.js" */
/** @import { CommandFigures } from "../../api/detail_view.ts" */

/** From here on a time is shown in milliseconds. */
const MICROS_MAX = 1_000;
/** Commands that are shown. */
const COMMANDS_MAX = 40;

/** @typedef {{ at: number, commands: readonly CommandFigures[] }} Reading */

/** @type {Heads} */
const COMMAND_HEADS = [
  ["Command"],
  ["Per second", true],
  ["Mean", true],
  ["p50", true],
  ["p99", true],
  ["Calls", true],
  ["Errors", true],
];

/**
 * Commands with their rates between two readings, the most frequent first.
 *
 * @param {Reading | null} before
 * @param {Reading} now
 */
export function commandRates(before, now) {
  const earlier = new Map(before?.commands.map((command) => [command.name, command]));
  const seconds = before === null ? 0 : (now.at - before.at) / 1000;
  return now.commands.map((command) => {
    const calls = command.calls - (earlier.get(command.name)?.calls ?? 0);
    const usecs = command.usecs - (earlier.get(command.name)?.usecs ?? 0);
    const isNew = seconds > 0 && calls >= 0;
    return {
      ...command,
      rate: isNew ? calls / seconds : null,
      // Of now if there was any, else since the start.
      meanUs: isNew && calls > 0
        ? usecs / calls
        : command.calls === 0
        ? null
        : command.usecs / command.calls,
    };
  }).sort((a, b) => (b.rate ?? 0) - (a.rate ?? 0) || b.calls - a.calls);
}

/**
 * Microseconds as people read them: `3.1 µs`, `0.42 ms`.
 *
 * @param {number | null} usecs
 */
export function micros(usecs) {
  return usecs === null || usecs >= MICROS_MAX
    ? millis(usecs === null ? null : usecs / 1000)
    : `${usecs.toFixed(usecs < 10 ? 1 : 0)}\u202fµs`;
}

/** @param {{ reading: Reading }} props */
export function Commands({ reading }) {
  const readings = useRef(/** @type {Reading[]} */ ([]));
  if (readings.current.at(-1)?.at !== reading.at) {
    readings.current = [...readings.current.slice(-1), reading];
  }
  const [before, now] = readings.current.length < 2
    ? [null, reading]
    : /** @type {[Reading, Reading]} */ (readings.current);
  const rows = commandRates(before, now);
  const shown = rows.slice(0, COMMANDS_MAX);
  return html`
    <section class="card">
      <h2>Commands</h2>
      ${rows.length === 0 ? html`<${Empty}>None yet.</${Empty}>` : html`
        <${ScrolledTable} label="Commands by rate" heads=${COMMAND_HEADS}>
          ${shown.map(({ name, rate, meanUs, p50_usecs, p99_usecs, calls, failed }) =>
            html`
              <tr key=${name}>
                <th scope="row"><code>${name.toUpperCase()}</code></th>
                <td class="number">${rate === null ? UNKNOWN : short(Math.round(rate))}</td>
                <td class="number">${micros(meanUs)}</td>
                <td class="number">${micros(p50_usecs)}</td>
                <td class="number">${micros(p99_usecs)}</td>
                <td class="number">${short(calls)}</td>
                <td class="number">${whole(failed)}</td>
              </tr>
            `
          )}
        </${ScrolledTable}>
      `}
      ${rows.length <= COMMANDS_MAX ? null : html`
        <p class="more">and ${counted(rows.length - COMMANDS_MAX, "other")}</p>
      `}
    </section>
  `;
}

/**
 * Names and values, with a search.
 *
 * @param {{ title: string, pairs: Readonly<Record<string, string>> }} props
 */
export function Pairs({ title, pairs }) {
  const [search, setSearch] = useState("");
  const all = Object.entries(pairs);
  const text = search.trim().toLowerCase();
  const shown = all.filter(([name, value]) =>
    name.includes(text) || value.toLowerCase().includes(text)
  );
  return html`
    <section class="card">
      <div class="card-head">
        <h2>${title}</h2>
        <${Search} label=${`Find in ${title}`} value=${search} onInput=${setSearch} />
      </div>
      <div class="scrolled" tabindex="0" role="region" aria-label=${title}>
        <table class="plain">
          <tbody>
            ${shown.map(([name, value]) =>
              html`
                <tr key=${name}>
                  <th scope="row"><code>${name}</code></th>
                  <td>${value}</td>
                </tr>
              `
            )}
          </tbody>
        </table>
      </div>
      <p class="more">${shown.length} of ${counted(all.length, "line")}</p>
    </section>
  `;
}
