/**
 * Outages, of the view of the activity: a time line for each subject over the last 24 hours, and a list.
 *
 * @module
 */

import { useState } from "./preact_hooks.js";
import { Badge, Choice, Empty, Switch, Unchanged } from "./elements.js";
import { clockTime, counted, duration } from "./format.js";
import { html } from "./html.js";
import { usePolled } from "./polled.js";

/** @import { OutageEvent, OutageKind } from "../../model/outage_event.ts" */

/** What the time lines show, in milliseconds. */
const SHOWN_MS = 24 * 3_600_000;
/** The start of what is asked for moves in such steps, in milliseconds. */
const STEP_MS = 3_600_000;
/** Events that are asked for: all that are kept. */
const EVENTS_MAX = 500;
/** Time lines that are shown. */
const LINES_MAX = 12;
/** Marks below the time lines, in hours before now. */
const HOURS = [24, 18, 12, 6, 0];

/** @type {Readonly<Record<OutageEvent["severity"], import("./elements.js").Tone>>} */
const TONES = { info: "good", warning: "warning", error: "bad" };

/**
 * An outage, or what happened at one moment.
 *
 * @typedef {object} Outage
 * @property {string} id
 * @property {OutageKind} kind
 * @property {string} subject
 * @property {OutageEvent["severity"]} severity
 * @property {number} from Unix milliseconds.
 * @property {number | null} to The same as `from`: it was one moment; null: it has not ended.
 * @property {string} text
 * @property {string} cause
 * @property {string} hint
 * @property {string} end What its end says; `""`: nothing.
 * @property {number} count
 */

/**
 * Puts begins and ends together, newest first. The begin of an old outage may not be there any more.
 *
 * @param {readonly OutageEvent[]} events
 * @param {readonly OutageEvent[]} open Begins without an end.
 * @returns {Outage[]}
 */
export function outagesOf(events, open) {
  /** @type {Map<string, Outage>} */
  const outages = new Map();
  const isOpen = new Set(open.map(({ outage }) => outage));
  for (const event of [...events, ...open].sort((a, b) => a.at - b.at)) {
    const { outage, phase, kind, subject, severity, at, text, cause, hint, count } = event;
    const known = outages.get(outage);
    if (phase === "end") {
      const { from } = known ?? { from: at - (event.duration_ms ?? 0) };
      const begun = known ??
        { ...{ id: outage, kind, subject, text, cause, hint: "" }, severity: "warning" };
      const ended = { ...begun, from, to: at, end: text, count };
      // An end that failed is as bad as it says.
      outages.set(outage, { ...ended, severity: severity === "info" ? begun.severity : severity });
      continue;
    }
    const to = phase === "once" || !isOpen.has(outage) ? at : null;
    const begun = {
      ...{ id: outage, kind, subject, severity, text, cause, hint, count },
      from: at,
    };
    if (known === undefined) outages.set(outage, { ...begun, to, end: "" });
  }
  return [...outages.values()].sort((a, b) => b.from - a.from);
}

/** @param {OutageKind} kind */
function kindText(kind) {
  return kind.replaceAll("_", " ");
}

/** @param {{ now: number }} props */
export function OutageHistory({ now }) {
  const [which, setWhich] = useState("all");
  const [kind, setKind] = useState("");
  const [subject, setSubject] = useState("");
  const since = Math.floor((now - SHOWN_MS) / STEP_MS) * STEP_MS;
  const answer =
    /** @type {{ events: readonly OutageEvent[], open: readonly OutageEvent[] } | null} */ (
      usePolled(`api/events?limit=${EVENTS_MAX}&since=${since}`)
    );
  const all = answer === null ? [] : outagesOf(answer.events, answer.open);
  const ofKind = all.filter((each) => kind === "" || each.kind === kind);
  const isGone = !ofKind.some((each) => each.subject === subject);
  const shown = ofKind.filter((each) =>
    (which === "all" || each.to === null) && (isGone || each.subject === subject)
  );
  const openNow = all.filter(({ to }) => to === null).length;
  const kinds = [...new Set(all.map((each) => each.kind))].sort();
  return html`
    <section class="card outages">
      <div class="card-head">
        <h2>Outages</h2>
        <${Badge} tone=${openNow === 0 ? "good" : "bad"}>
          ${openNow === 0 ? "none now" : `${openNow} now`}
        </${Badge}>
        <${Choice}
          name="kind"
          label="Which kind"
          value=${kind}
          all="all kinds"
          options=${kinds.map((each) => [each, kindText(each)])}
          onChange=${setKind}
        />
        <${Switch}
          label="Which outages"
          value=${which}
          options=${[["all", "All"], ["open", "Now"]]}
          onChange=${setWhich}
        />
      </div>
      ${all.length === 0
        ? html`<${Empty}>${
          answer === null ? "Loading …" : "Nothing was out within 24 hours."
        }</${Empty}>`
        : html`
          <${Lines} outages=${ofKind} now=${now} subject=${isGone
            ? ""
            : subject} choose=${setSubject} />
          <${Unchanged}
            of=${[shown, new Date(now).toDateString(), Math.round(now / (openNow > 0 ? 5e3 : 6e4))]}
            draw=${() =>
              html`<ol tabindex="0" aria-label="List of outages">${
                shown.map((each) => html`<${Item} key=${each.id} outage=${each} now=${now} />`)
              }</ol>`}
          />
        `}
      <p class="more">${counted(shown.length, "outage")}${isGone ? "" : ` of ${subject}`}</p>
    </section>
  `;
}

/**
 * @param {{
 *   outages: readonly Outage[],
 *   now: number,
 *   subject: string,
 *   choose: (subject: string) => void,
 * }} props
 */
function Lines({ outages, now, subject, choose }) {
  const subjects = [...new Set(outages.map((each) => each.subject))];
  const shown = subjects.slice(0, LINES_MAX);
  const more = subjects.length - shown.length;
  return html`
    <ul class="lines" aria-label="Outages of the last 24 hours, by what they happened to">
      ${shown.map((name) => {
        const own = outages.filter((each) => each.subject === name);
        const seconds = own.reduce((sum, { from, to }) => sum + ((to ?? now) - from) / 1000, 0);
        const isChosen = name === subject;
        return html`
          <li key=${name}>
            <button
              type="button"
              class="subject"
              aria-pressed=${isChosen}
              title=${isChosen ? "Show all again" : `Show only what happened to ${name}`}
              onClick=${() => choose(isChosen ? "" : name)}
            >${name}</button>
            <span class="line" aria-hidden="true">${own.map((each) =>
              html`<${Span} key=${each.id} outage=${each} now=${now} />`
            )}</span>
            <small>${counted(own.length, "time")}${seconds < 1
              ? ""
              : `, ${duration(seconds)}`}</small>
          </li>
        `;
      })}
    </ul>
    <div class="hours" aria-hidden="true">
      <span></span>
      <span>${HOURS.map((hours) =>
        html`<i key=${hours}>${hours === 0 ? "now" : `−${hours} h`}</i>`
      )}</span>
      <span></span>
    </div>
    ${more === 0 ? null : html`<p class="more">and ${counted(more, "other")}, in the list</p>`}
  `;
}

/** @param {{ outage: Outage, now: number }} props */
function Span({ outage: { severity, from, to, text }, now }) {
  const left = Math.max(0, (from - (now - SHOWN_MS)) / SHOWN_MS);
  const right = Math.min(1, ((to ?? now) - (now - SHOWN_MS)) / SHOWN_MS);
  if (right <= 0) return null;
  const style = { left: `${left * 100}%`, width: `${Math.max(0, right - left) * 100}%` };
  const length = to === from ? "" : `, ${duration(((to ?? now) - from) / 1000)}`;
  return html`
    <span
      class=${`${TONES[severity]}${to === null ? " open" : ""}${to === from ? " moment" : ""}`}
      style=${style}
      title=${`${clockTime(from, now)}: ${text}${length}`}
    ></span>
  `;
}

/** @param {{ outage: Outage, now: number }} props */
function Item({ outage, now }) {
  const { kind, severity, from, to, text, cause, hint, end, count } = outage;
  const seconds = ((to ?? now) - from) / 1000;
  const lasted = to === null
    ? `now, for ${duration(seconds)}`
    : to === from
    ? ""
    : `${duration(seconds)}, until ${clockTime(to, now)}`;
  const times = count === 1 ? "" : counted(count, "time");
  return html`
    <li>
      <time>${clockTime(from, now)}</time>
      <div>
        <${Badge} tone=${to === null || to === from ? TONES[severity] : "off"}>${text}</${Badge}>
        <small>
          ${[kindText(kind), lasted, times].filter((part) => part !== "").join(" · ")}
          ${cause === "" ? "" : html`<br />Cause: ${cause}`}
          ${hint === "" || (to !== null && to !== from) ? "" : html`<br />What to do: ${hint}`}
          ${end === "" || end === text ? "" : html`<br />End: ${end}`}
        </small>
      </div>
    </li>
  `;
}
