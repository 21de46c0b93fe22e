/**
 * The view of the migrations: slots that move to another group.
 *
 * @module
 */

/// <reference lib="dom" />
import { useState } from "./preact_hooks.js";
import { ActionButton } from "./action_dialog.js";
import { Badge, Bar, Empty } from "./elements.js";
import { ago, bytes, counted, duration, millis, short, UNKNOWN, whole } from "./format.js";
import { html } from "./html.js";
import { MigrationCards } from "./migration_cards.js";

/** @import { ClusterView, MigrationView } from "../../api/cluster_view.ts" */

/** Longest list of tasks until the user asks for all. */
const TASKS_MAX = 50;

/** @param {{ view: ClusterView }} props */
export function Migrations({ view }) {
  const [isWhole, setWhole] = useState(false);
  const { migrations, migrations_paused_since: since } = view;
  const pending = migrations.filter(({ status }) => status === "pending").length;
  const sorted = migrations.toSorted((a, b) =>
    Number(a.status === "pending") - Number(b.status === "pending")
  );
  const shown = isWhole ? sorted : sorted.slice(0, TASKS_MAX);
  return html`
    <div class="migrations">
      <div class="view-head">
        <h1>Migrations</h1>
        <p>
          ${migrations.length === 0
            ? "none"
            : `${counted(migrations.length, "slot")}, ${pending} of them waiting`}
          ${since === null ? null : html`
            ${" "}<${Badge} tone="warning">
              paused${since === 0 ? "" : ` for ${duration((view.at - since) / 1000)}`}
            </${Badge}>
          `}
        </p>
        <${Totals} totals=${view.migration_totals} />
        <${Buttons} isPaused=${since !== null} isEmpty=${migrations.length === 0} />
      </div>
      ${migrations.length === 0 ? html`<${Empty}>No slot is migrating.</${Empty}>` : html`
        <${MigrationCards} migrations=${migrations} isPaused=${since !== null} now=${view.at} />
        <table class="list">
          <thead>
            <tr>
              <th scope="col">Slot</th>
              <th scope="col">From → to</th>
              <th scope="col">State</th>
              <th scope="col">Progress</th>
              <th scope="col" class="number">Keys/s</th>
              <th scope="col" class="number">Time left</th>
              <th scope="col">Queued</th>
              <th scope="col"><span class="sr-only">Actions</span></th>
            </tr>
          </thead>
          <tbody>
            ${shown.map((task) => html`<${Row} key=${task.name} task=${task} now=${view.at} />`)}
          </tbody>
        </table>
      `}
      ${shown.length === sorted.length ? null : html`
        <p class="more">
          and ${counted(sorted.length - shown.length, "slot")} more${" "}
          <button type="button" onClick=${() => setWhole(true)}>Show all</button>
        </p>
      `}
    </div>
  `;
}

/** @param {{ isPaused: boolean, isEmpty: boolean }} props */
function Buttons({ isPaused, isEmpty }) {
  return html`
    <div class="buttons">
      <${ActionButton} name="migrate" isPrimary>Migrate slots …</${ActionButton}>
      <${ActionButton} name="rebalance">Rebalance …</${ActionButton}>
      ${!isPaused
        ? html`<${ActionButton} name="pause_migrations">Pause …</${ActionButton}>`
        : html`<${ActionButton} name="resume_migrations">Resume …</${ActionButton}>`}
      <${ActionButton} name="cancel_migrations" isDisabled=${isEmpty}>Cancel all …</${ActionButton}>
    </div>
  `;
}

/**
 * The badge of each phase.
 *
 * @type {Readonly<Record<MigrationView["phase"], readonly [tone: string, text: string]>>}
 */
const PHASES = {
  waiting: ["off", "waiting"],
  moving: ["busy", "moving"],
  "moving back": ["busy", "going back: it was cancelled"],
  paused: ["off", "paused"],
  failed: ["bad", "failed, retrying"],
  stuck: ["warning", "stuck"],
  finished: ["good", "finished"],
};

/** @param {{ totals: ClusterView["migration_totals"] }} props */
function Totals({ totals }) {
  if (totals === null) return null;
  const { keys_moved, keys_left, bytes_moved, keys_per_second, bytes_per_second } = totals;
  const all = keys_left === null ? null : keys_moved + keys_left;
  const parts = [
    `${whole(keys_moved)}${all === null ? "" : ` of ${whole(all)}`} keys moved`,
    ...bytes_moved === null ? [] : [bytes(bytes_moved)],
    ...keys_per_second === null ? [] : [`${short(keys_per_second)} keys/s`],
    ...bytes_per_second === null ? [] : [`${bytes(bytes_per_second)}/s`],
    ...totals.eta_seconds === null ? [] : [`${duration(totals.eta_seconds)} left`],
  ];
  return html`<p class="totals">${parts.join(", ")}</p>`;
}

/** @param {{ task: MigrationView, now: number }} props */
function Row({ task, now }) {
  const { name, slot_id, from_group, to_group, delay_ms, created_at, problem, note } = task;
  return html`
    <tr>
      <th scope="row">
        <b>Slot ${slot_id}</b>
        ${problem === "" ? null : html`
          <span class="problem">
            ${problem}${task.problem_since === null
              ? ""
              : `, for ${duration((now - task.problem_since) / 1000)}`}
          </span>
        `}
        ${note === "" ? null : html`<span class="note">${note}</span>`}
        <${BigKeys} keys=${task.big_keys} />
      </th>
      <td data-label="From → to">
        ${from_group === null ? UNKNOWN : `group ${from_group}`} → group ${to_group}
      </td>
      <td data-label="State">
        <${State} task=${task} />
      </td>
      <td data-label="Progress">
        <${Progress} task=${task} />
      </td>
      <td data-label="Keys/s" class="number">
        ${short(task.keys_per_second)}
        ${task.bytes_per_second === null ? null : html`
          <small>${bytes(task.bytes_per_second)}/s</small>
        `}
      </td>
      <td data-label="Time left" class="number">${duration(task.eta_seconds)}</td>
      <td data-label="Queued">
        ${ago(created_at, now)}
        <small>${delay_ms === 0 ? "" : `pauses ${whole(delay_ms)} ms between moves`}</small>
      </td>
      <td class="does">
        <${ActionButton} name="cancel_migration" preset=${{
          name,
          slot: String(slot_id),
        }}>Cancel …</${ActionButton}>
      </td>
    </tr>
  `;
}

/** @param {{ keys: MigrationView["big_keys"] }} props */
function BigKeys({ keys }) {
  if (keys.length === 0) return null;
  return html`
    <details class="big-keys">
      <summary>${counted(keys.length, "big key")}</summary>
      <ul>
        ${keys.map(({ key, database, bytes: size, stop_ms, stays }) =>
          html`
            <li key=${`${database} ${key}`}>
              <code>${key}</code>${database === 0 ? "" : ` of database ${database}`}: ${bytes(
                size,
              )},${" "}
              ${stays ? "not moved: would stop" : "stops"} both servers for about ${millis(stop_ms)}
            </li>
          `
        )}
      </ul>
    </details>
  `;
}

/** @param {{ task: MigrationView }} props */
function State({ task: { phase } }) {
  // A dashboard newer than the loaded page may know more phases.
  const [tone, text] = PHASES[phase] ?? ["off", phase];
  return html`<${Badge} tone=${tone}>${text}</${Badge}>`;
}

/** @param {{ task: MigrationView }} props */
function Progress({ task: { status, keys_moved, keys_left, bytes_moved } }) {
  if (status === "pending" && keys_moved === 0) return UNKNOWN;
  const size = bytes_moved === null ? "" : `, ${bytes(bytes_moved)}`;
  if (keys_left === null) return `${whole(keys_moved)} moved${size}`;
  const all = keys_moved + keys_left;
  return html`
    <${Bar}
      share=${all === 0 ? 1 : keys_moved / all}
      label="keys moved"
      text=${`${short(keys_moved)} of ${short(all)}${size}`}
    />
  `;
}
