/**
 * The view of the activity: the running change, actions and who confirmed them, events.
 *
 * @module
 */

import { useState } from "./preact_hooks.js";
import { ActionButton } from "./action_dialog.js";
import { Badge, Empty, Switch, Unchanged } from "./elements.js";
import { ago, clockTime, counted, duration, millis } from "./format.js";
import { Audit } from "./audit.js";
import { html } from "./html.js";
import { OutageHistory } from "./outages.js";

/** @import { ActionView, ClusterView, EventView } from "../../api/cluster_view.ts" */

/** @type {Readonly<Record<EventView["level"], import("./elements.js").Tone>>} */
const EVENT_TONES = { info: "good", warning: "warning", error: "bad" };

/** @param {{ view: ClusterView }} props */
export function Activity({ view }) {
  return html`
    <div class="activity">
      <div class="view-head">
        <h1>Activity</h1>
        <div class="buttons">
          <${ActionButton} name="action_gc">Delete old actions …</${ActionButton}>
          <${ActionButton} name="remove_locks">Remove locks …</${ActionButton}>
          <${ActionButton} name="remove_fences">Remove fences …</${ActionButton}>
        </div>
      </div>
      <${UnderWay} view=${view} />
      <${OutageHistory} now=${view.at} />
      <div class="columns">
        <section class="card">
          <h2>Actions</h2>
          ${view.actions.length === 0 ? html`<${Empty}>There are no actions yet.</${Empty}>` : html`
            <ol class="actions">
              ${view.actions.map((action) =>
                html`<${ActionItem} key=${action.name} action=${action} now=${view.at} />`
              )}
            </ol>
          `}
        </section>
        <${Events} view=${view} />
      </div>
      <${Audit} now=${view.at} />
    </div>
  `;
}

/** @param {{ view: ClusterView }} props */
function UnderWay({ view: { change, at } }) {
  return html`
    <section class="card under-way" aria-live="polite">
      <h2>Running change</h2>
      ${change === null ? html`<${Empty}>No change is running.</${Empty}>` : html`
        <p><b>${change.summary}</b>, for ${duration((at - change.since) / 1000)}</p>
        <ul class="waits">
          ${change.waiting_for.map(({ proxy_id, reason }) =>
            html`
              <li key=${proxy_id}>
                <${Badge} tone="busy">
                  ${proxy_id}: ${reason === "" ? "has not confirmed yet" : reason}
                </${Badge}>
              </li>
            `
          )}
        </ul>
      `}
    </section>
  `;
}

/** @param {{ action: ActionView, now: number }} props */
function ActionItem({ action, now }) {
  const { name, type, summary, created_at, receivers, answers } = action;
  const silent = receivers.filter((id) => !answers.some(({ proxy_id }) => proxy_id === id));
  const slowest = answers.reduce(
    (worst, answer) => (answer.after_ms ?? -1) > (worst?.after_ms ?? -1) ? answer : worst,
    answers[0],
  );
  return html`
    <li>
      <details>
        <summary>
          <span class="what">${summary}</span>
          ${receivers.length === 0
            ? html`<${Badge} tone="off">no confirmation needed</${Badge}>`
            : silent.length === 0
            ? html`<${Badge} tone="good">${`all ${receivers.length} confirmed`}</${Badge}>`
            : html`<${Badge} tone="busy">${`${
              receivers.length - silent.length
            } of ${receivers.length} confirmed`}</${Badge}>`}
          <small>
            ${ago(created_at, now)}${slowest?.after_ms === null || slowest === undefined
              ? ""
              : `, slowest ${slowest.proxy_id} after ${millis(slowest.after_ms)}`}
          </small>
        </summary>
        <p class="record">${type}, <code>${name}</code>, ${clockTime(created_at, now)}</p>
        <ul class="answers">
          ${silent.map((id) => html`<li key=${id} class="silent">${id}: not confirmed yet</li>`)}
          ${answers.map(({ proxy_id, after_ms }) =>
            html`<li key=${proxy_id}>${proxy_id}: ${
              after_ms === null ? "confirmed" : millis(after_ms)
            }</li>`
          )}
        </ul>
      </details>
    </li>
  `;
}

/** @param {{ view: ClusterView }} props */
function Events({ view: { events, at } }) {
  const [level, setLevel] = useState("all");
  const shown = level === "all" ? events : events.filter((event) => event.level !== "info");
  return html`
    <section class="card events">
      <div class="card-head">
        <h2>Events</h2>
        <${Switch}
          label="Which events"
          value=${level}
          options=${[["all", "All"], ["problems", "Problems"]]}
          onChange=${setLevel}
        />
      </div>
      ${shown.length === 0 ? html`<${Empty}>There are no events yet.</${Empty}>` : html`
        <${Unchanged}
          of=${[shown, new Date(at).toDateString()]}
          draw=${() =>
            html`
              <ol tabindex="0" aria-label="List of events">
                ${shown.map((event) =>
                  html`
                    <li key=${`${event.at} ${event.text}`}>
                      <time>${clockTime(event.at, at)}</time>
                      <${Badge} tone=${EVENT_TONES[event.level]}>${event.text}</${Badge}>
                    </li>
                  `
                )}
              </ol>
            `}
        />
      `}
      <p class="more">${counted(shown.length, "event")}</p>
    </section>
  `;
}
