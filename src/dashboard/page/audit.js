/**
 * Who did what, of the view of the activity: changes and refusals, with a filter.
 *
 * @module
 */

import { useState } from "./preact_hooks.js";
import { Badge, Choice, Empty, Switch, Unchanged } from "./elements.js";
import { clockTime, counted } from "./format.js";
import { html } from "./html.js";
import { usePolled } from "./polled.js";

/** @import { AuditEntry } from "../../model/audit_entry.ts" */

/** Entries that are shown. */
const SHOWN_MAX = 200;

/** HTTP statuses from which something went wrong, and those of a refusal. */
const WRONG = 400;
const REFUSED = [401, 403, 415, 429];

/** @param {{ now: number }} props */
export function Audit({ now }) {
  const [which, setWhich] = useState("all");
  const [who, setWho] = useState("");
  const path = `api/audit?limit=${SHOWN_MAX}${which === "refused" ? "&refused=true" : ""}`;
  const answer = /** @type {{ entries: readonly AuditEntry[] } | null} */ (usePolled(path));
  const entries = answer?.entries ?? [];
  const names = [...new Set(entries.map((entry) => entry.who))].sort();
  const shown = entries.filter((entry) => who === "" || entry.who === who);
  return html`
    <section class="card audit">
      <div class="card-head">
        <h2>Who did what</h2>
        <${Choice}
          name="who"
          label="Whose"
          value=${who}
          all="everybody"
          options=${names.map((name) => [name, name])}
          onChange=${setWho}
        />
        <${Switch}
          label="Which entries"
          value=${which}
          options=${[["all", "All"], ["refused", "Refused"]]}
          onChange=${setWhich}
        />
      </div>
      ${shown.length === 0 ? html`<${Empty}>Nothing was noted.</${Empty}>` : html`
        <${Unchanged}
          of=${[shown, new Date(now).toDateString()]}
          draw=${() =>
            html`<ol tabindex="0" aria-label="List of who did what">${
              shown.map((entry) => html`<${Entry} entry=${entry} now=${now} />`)
            }</ol>`}
        />
      `}
      <p class="more">${counted(shown.length, "entry", "entries")}</p>
    </section>
  `;
}

/** @param {{ entry: AuditEntry, now: number }} props */
function Entry({ entry, now }) {
  const tone = REFUSED.includes(entry.status) ? "warning" : entry.status >= WRONG ? "bad" : "good";
  const times = entry.count === 1 ? "" : `, ${counted(entry.count, "time")}`;
  return html`
    <li>
      <time>${clockTime(entry.at, now)}</time>
      <div>
        <${Badge} tone=${tone}>
          <b>${entry.who}</b> <code>${entry.request}</code> ${entry.arguments}
        </${Badge}>
        <small>
          by ${entry.by}${entry.address === "" ? "" : ` from ${entry.address}`}${times}
          ${entry.end === "ok" ? "" : html`: <span class="end">${entry.end}</span>`}
        </small>
      </div>
    </li>
  `;
}
