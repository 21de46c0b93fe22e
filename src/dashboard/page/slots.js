/**
 * The view of the slots: the map, details of a slot, and actions for a range.
 *
 * @module
 */

/// <reference lib="dom" />
import { useState } from "./preact_hooks.js";
import { ActionButton } from "./action_dialog.js";
import { loadColour, ownerColour } from "./colour.js";
import { Bar, Empty, Switch, Unchanged } from "./elements.js";
import { counted, short, slotRange, whole } from "./format.js";
import { html } from "./html.js";
import { SlotRules } from "./rules.js";
import { SlotMap } from "./slot_map.js";
import { slotRanges } from "./slot_ranges.js";

/** @import { ClusterView, SlotsView } from "../../api/cluster_view.ts" */
/** @import { Range, Shade } from "./slot_painting.js" */

/** The meaning of the letters in `SlotsView.status`. */
const STATUS_WORDS = /** @type {Readonly<Record<string, string>>} */ ({
  o: "online",
  x: "offline",
  m: "migrating",
  p: "about to migrate",
  u: "unreadable",
  "-": "not stored",
});
/** Length of the list of busiest slots. */
const BUSIEST_MAX = 10;
/** Labels of the scale of loads: shares of the maximum. */
const SCALE_STEPS = [0, 0.04, 0.16, 0.36, 0.64, 1];

/** @param {{ view: ClusterView }} props */
export function Slots({ view }) {
  const { slots } = view;
  const [shade, setShade] = useState(/** @type {Shade} */ ("owner"));
  const [group, setGroup] = useState(/** @type {number | null} */ (null));
  const [chosen, setChosen] = useState(/** @type {Range | null} */ (null));
  const [pointed, setPointed] = useState(/** @type {number | null} */ (null));
  return html`
    <div class="slots">
      <div class="view-head">
        <h1>Slots</h1>
        <${Switch}
          label="Colour by"
          value=${shade}
          options=${[["owner", "By owner"], ["load", "By load"]]}
          onChange=${(/** @type {Shade} */ next) => setShade(next)}
        />
        <div class="buttons">
          <${ActionButton} name="migrate" preset=${presetOf(
            chosen,
          )} isPrimary>Migrate …</${ActionButton}>
          <${ActionButton} name="range_set" preset=${presetOf(chosen)}>Set owner …</${ActionButton}>
          <${ActionButton} name="rebalance">Rebalance …</${ActionButton}>
          <${ActionButton} name="init_slots">Initialize …</${ActionButton}>
        </div>
      </div>
      <section class="card">
        <p class="sr-only" id="slot-heard" aria-live="polite">
          ${pointed === null ? spokenRange(chosen) : spokenSlot(slots, pointed)}
        </p>
        <p class="told">
          <span>${pointed === null
            ? rangeDetails(slots, chosen)
            : slotDetails(view, pointed)}</span>
          ${chosen === null
            ? null
            : html`<button type="button" onClick=${() => setChosen(null)}>Clear</button>`}
        </p>
        <${SlotMap}
          slots=${slots}
          shade=${shade}
          group=${group}
          chosen=${chosen}
          pointed=${pointed}
          onPoint=${setPointed}
          onChoose=${setChosen}
        />
        ${shade === "owner"
          ? html`<${OwnerLegend} view=${view} group=${group} onGroup=${setGroup} />`
          : html`<${LoadLegend} slots=${slots} />`}
        <${StatusLegend} />
      </section>
      <div class="columns">
        <${Ranges} slots=${slots} onChoose=${setChosen} />
        <${Busiest} slots=${slots} onChoose=${setChosen} />
      </div>
      <${SlotRules} rules=${view.slot_rules} />
    </div>
  `;
}

/** @param {Range | null} chosen */
function presetOf(chosen) {
  return chosen === null ? {} : { from: String(chosen.from), to: String(chosen.to) };
}

/**
 * @param {ClusterView} view
 * @param {number} slot
 */
function slotDetails({ slots, migrations }, slot) {
  const status = slots.status[slot] ?? "-";
  const parts = [ownerName(slots.group[slot] ?? -1), STATUS_WORDS[status]];
  const from = slots.from[slot];
  if (from !== undefined) parts.push(`from group ${from}`);
  const task = migrations.find(({ slot_id }) => slot_id === slot);
  if (task !== undefined && status !== "m") parts.push(`will move to group ${task.to_group}`);
  parts.push(`${whole(slots.ops[slot] ?? 0)} requests/s`);
  return html`<b>Slot ${slot}</b> ${parts.join(", ")}`;
}

/**
 * @param {SlotsView} slots
 * @param {Range | null} chosen
 */
function rangeDetails(slots, chosen) {
  if (chosen === null) {
    return html`<span class="muted">
      Drag over slots to select them, or click the first one and shift-click the last one.
    </span>`;
  }
  const { from, to } = chosen;
  const owners = new Set(slots.group.slice(from, to + 1));
  const ops = slots.ops.slice(from, to + 1).reduce((sum, each) => sum + each, 0);
  return html`
    <b>Selected: ${slotRange(from, to)}</b>${" "}
    ${counted(to - from + 1, "slot")},${" "}
    ${owners.size === 1 ? ownerName([...owners][0] ?? -1) : `${owners.size} owners`},${" "}
    ${whole(ops)} requests/s
  `;
}

/**
 * The text for screen readers: without values that change every second.
 *
 * @param {SlotsView} slots
 * @param {number} slot
 */
function spokenSlot({ group, status }, slot) {
  return `slot ${slot}, ${ownerName(group[slot] ?? -1)}, ${STATUS_WORDS[status[slot] ?? "-"]}`;
}

/** @param {Range | null} chosen */
function spokenRange(chosen) {
  return chosen === null ? "" : `selected: ${slotRange(chosen.from, chosen.to)}`;
}

/** @param {number} group */
function ownerName(group) {
  return group < 0 ? "no group" : `group ${group}`;
}

/** @param {{ view: ClusterView, group: number | null, onGroup: (group: number | null) => void }} props */
function OwnerLegend({ view: { groups }, group, onGroup }) {
  return html`
    <${Unchanged}
      of=${[groups.map(({ id, slots }) => [id, slots]), group]}
      draw=${() =>
        html`
          <div class="owners" role="group" aria-label="Show one group only">
            ${groups.map(({ id, slots }) =>
              html`
                <button
                  key=${id}
                  type="button"
                  aria-pressed=${id === group}
                  onClick=${() => onGroup(id === group ? null : id)}
                >
                  <i style=${{ background: ownerColour(id) }}></i>
                  <span class="sr-only">group${" "}</span>${id}
                  <small>${slots}<span class="sr-only">${slots === 1
                    ? " slot"
                    : " slots"}</span></small>
                </button>
              `
            )}
          </div>
        `}
    />
  `;
}

/** @param {{ slots: SlotsView }} props */
function LoadLegend({ slots: { ops } }) {
  const most = Math.max(0, ...ops);
  return html`
    <div class="scale" aria-label="Scale of loads, in requests per second">
      ${SCALE_STEPS.map((share) =>
        html`
          <span key=${share}>
            <i style=${{ background: loadColour(share) }}></i>${short(most * share)}
          </span>
        `
      )}
      <span class="muted">requests/s</span>
    </div>
  `;
}

function StatusLegend() {
  return html`
    <ul class="marks" aria-label="Marks">
      <li><i class="mark-online"></i>online</li>
      <li><i class="mark-pre"></i>about to migrate</li>
      <li><i class="mark-migrate"></i>migrating, upper left: old group</li>
      <li><i class="mark-offline">✕</i>offline</li>
      <li><i class="mark-missing"></i>no owner, not stored or unreadable</li>
    </ul>
  `;
}

/** @param {{ slots: SlotsView, onChoose: (range: Range) => void }} props */
function Ranges({ slots, onChoose }) {
  const lookOf = (/** @type {number} */ slot) => ({
    owner: ownerName(slots.group[slot] ?? -1),
    ownerId: slots.group[slot] ?? -1,
    state: `${STATUS_WORDS[slots.status[slot] ?? "-"]}${
      slots.from[slot] === undefined ? "" : ` from group ${slots.from[slot]}`
    }`,
  });
  const isAlike = (/** @type {number} */ a, /** @type {number} */ b) =>
    JSON.stringify(lookOf(a)) === JSON.stringify(lookOf(b));
  const ranges = slotRanges(slots.group.keys(), isAlike)
    .map((range) => ({ ...range, ...lookOf(range.from) }));
  return html`
    <section class="card ranges">
      <h2>Ranges</h2>
      <${Unchanged}
        of=${ranges}
        draw=${() =>
          html`
            <ol>
              ${ranges.map(({ from, to, owner, ownerId, state }) =>
                html`
                  <li key=${from}>
                    <button type="button" onClick=${() => onChoose({ from, to })}>
                      <i style=${ownerId < 0 ? {} : { background: ownerColour(ownerId) }}></i>
                      <b>${from === to ? from : `${from}–${to}`}</b>
                      <span>${owner}</span>
                      <span>${state}</span>
                      <small>${counted(to - from + 1, "slot")}</small>
                    </button>
                  </li>
                `
              )}
            </ol>
          `}
      />
    </section>
  `;
}

/** @param {{ slots: SlotsView, onChoose: (range: Range) => void }} props */
function Busiest({ slots: { ops, group }, onChoose }) {
  const total = Math.max(1, ops.reduce((sum, each) => sum + each, 0));
  const busiest = ops.map((each, slot) => ({ slot, ops: each }))
    .filter((each) => each.ops > 0)
    .sort((a, b) => b.ops - a.ops)
    .slice(0, BUSIEST_MAX);
  const most = busiest[0]?.ops ?? 1;
  return html`
    <section class="card busiest">
      <h2>Busiest</h2>
      ${busiest.length === 0 ? html`<${Empty}>No slot gets requests.</${Empty}>` : html`
        <ol>
          ${busiest.map((each, place) =>
            html`
              <li key=${place}>
                <button
                  type="button"
                  onClick=${() => onChoose({ from: each.slot, to: each.slot })}
                >
                  <b>${each.slot}</b><span>${ownerName(group[each.slot] ?? -1)}</span>
                  <${Bar}
                    share=${each.ops / most}
                    label="share of the busiest"
                    text=${`${short(each.ops)}/s, ${(100 * each.ops / total).toFixed(1)} %`}
                  />
                </button>
              </li>
            `
          )}
        </ol>
      `}
    </section>
  `;
}
