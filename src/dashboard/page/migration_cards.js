/**
 * Migrations as cards: one for all slots that move from one group to another.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useState } from "./preact_hooks.js";
import { ownerColour } from "./colour.js";
import { Badge, Bar } from "./elements.js";
import { bytes, clockTime, counted, duration, short, UNKNOWN, whole } from "./format.js";
import { html } from "./html.js";
import { rangesText } from "./slot_ranges.js";

/** @import { MigrationView } from "../../api/cluster_view.ts" */
/** @import { Tone } from "./elements.js" */

/** Cards that are shown; the other routes are in the list of slots only. */
const CARDS_MAX = 12;
/** Rates of a route that are kept for its line. */
const RATES_MAX = 300;
/** The size of a rate line's drawing. */
const [LINE_WIDTH, LINE_HEIGHT] = [300, 36];

/**
 * All slots on one route.
 *
 * @typedef {object} Route
 * @property {string} key
 * @property {number | null} from null: not known.
 * @property {number} to
 * @property {boolean} isBack Whether the slots were cancelled and go back.
 * @property {readonly number[]} slots
 * @property {number} waiting Slots of these that wait.
 * @property {Tone} tone
 * @property {string} state In a few words.
 * @property {string} problem The first one; `""`: none.
 * @property {number} moved Keys.
 * @property {number | null} left Keys; slots that were not counted yet count as those that were.
 * @property {number | null} bytes Moved.
 * @property {number | null} rate Keys per second; null: nothing moves.
 * @property {number | null} byteRate Bytes per second.
 * @property {number | null} seconds Until the end.
 */

/**
 * The routes: those that move first, then the others in the order of their tasks.
 *
 * @param {readonly MigrationView[]} migrations
 * @param {boolean} isPaused
 * @returns {Route[]}
 */
export function slotRoutes(migrations, isPaused) {
  const isBack = (/** @type {MigrationView} */ { phase }) => phase === "moving back";
  const byRoute = Map.groupBy(
    migrations,
    (task) => `${task.from_group} ${task.to_group}${isBack(task) ? " back" : ""}`,
  );
  const routes = [...byRoute].map(([key, tasks]) => routeOf(key, tasks, isPaused));
  return routes.sort((a, b) => Number(a.rate === null) - Number(b.rate === null));
}

/**
 * @param {string} key
 * @param {readonly MigrationView[]} tasks At least one.
 * @param {boolean} isPaused
 * @returns {Route}
 */
function routeOf(key, tasks, isPaused) {
  const sum = (/** @type {(task: MigrationView) => number | null} */ value) => {
    const known = tasks.map(value).filter((each) => each !== null);
    return known.length === 0 ? null : known.reduce((total, each) => total + each, 0);
  };
  const waiting = tasks.filter(({ phase }) => phase === "waiting").length;
  const known = tasks.filter(({ keys_left }) => keys_left !== null);
  const moved = sum(({ keys_moved }) => keys_moved) ?? 0;
  const seen = sum(({ keys_left, keys_moved }) =>
    keys_left === null ? null : keys_left + keys_moved
  );
  const all = seen === null ? null : Math.round(seen / known.length * tasks.length);
  const left = all === null ? null : Math.max(0, all - moved);
  const rate = sum(({ keys_per_second }) => keys_per_second);
  const { from_group, to_group, phase } = /** @type {MigrationView} */ (tasks[0]);
  const isBack = phase === "moving back";
  const { problem = "" } = tasks.find((task) => task.problem !== "") ?? {};
  return {
    ...{ key, from: from_group, to: to_group, isBack, waiting, problem, moved, left, rate },
    slots: tasks.map(({ slot_id }) => slot_id),
    ...stateOf(tasks, isBack, isPaused),
    bytes: sum(({ bytes_moved }) => bytes_moved),
    byteRate: sum(({ bytes_per_second }) => bytes_per_second),
    seconds: left === null || rate === null || rate <= 0 ? null : Math.ceil(left / rate),
  };
}

/**
 * @param {readonly MigrationView[]} tasks
 * @param {boolean} isBack
 * @param {boolean} isPaused
 * @returns {{ tone: Tone, state: string }}
 */
function stateOf(tasks, isBack, isPaused) {
  const has = (/** @type {MigrationView["phase"]} */ wanted) =>
    tasks.some(({ phase }) => phase === wanted);
  const back = isBack ? "going back: it was cancelled" : "";
  if (isPaused || has("paused")) {
    const moves = has("moving") || isBack ? ", but what has begun ends first" : "";
    return { tone: "off", state: isBack ? `${back}, paused` : `paused${moves}` };
  }
  if (has("stuck")) return { tone: "warning", state: "stuck" };
  if (has("failed")) {
    const failed = tasks.filter((task) => task.phase === "failed").length;
    return {
      tone: "bad",
      state: has("moving")
        ? `moving; ${counted(failed, "slot has", "slots have")} failed and will be tried again`
        : "failed, retrying",
    };
  }
  if (isBack) return { tone: "busy", state: back };
  if (has("moving")) return { tone: "busy", state: "moving" };
  return { tone: "off", state: "waiting" };
}

/**
 * The points of a line of rates, the newest at the right; `""`: fewer than two.
 *
 * @param {readonly number[]} rates
 * @param {number} width
 * @param {number} height
 */
export function linePoints(rates, width, height) {
  if (rates.length < 2) return "";
  const most = Math.max(1, ...rates);
  const step = width / (rates.length - 1);
  return rates.map((rate, i) =>
    `${(i * step).toFixed(1)},${(height - 1 - rate / most * (height - 2)).toFixed(1)}`
  ).join(" ");
}

/**
 * @param {{ migrations: readonly MigrationView[], isPaused: boolean, now: number }} props
 */
export function MigrationCards({ migrations, isPaused, now }) {
  const routes = slotRoutes(migrations, isPaused);
  const [rates, setRates] = useState(
    /** @type {ReadonlyMap<string, readonly number[]>} */ (new Map()),
  );
  useEffect(() => {
    setRates((before) =>
      new Map(routes.map(({ key, rate }) => [
        key,
        [...before.get(key) ?? [], rate ?? 0].slice(-RATES_MAX),
      ]))
    );
  }, [now]);
  return html`
    <ul class="routes" aria-label="Migrations by groups">
      ${routes.slice(0, CARDS_MAX).map((route) =>
        html`<${Card} key=${route.key} route=${route} rates=${
          rates.get(route.key) ?? []
        } now=${now} />`
      )}
    </ul>
    ${routes.length <= CARDS_MAX ? null : html`
      <p class="more">and ${counted(
        routes.length - CARDS_MAX,
        "other pair of groups",
        "other pairs of groups",
      )}</p>
    `}
  `;
}

/** @param {{ route: Route, rates: readonly number[], now: number }} props */
function Card({ route, rates, now }) {
  const { from, to, slots, waiting, tone, state, problem, moved, left, rate, seconds } = route;
  const all = left === null ? null : moved + left;
  const isMoving = rate !== null && rate > 0;
  const hasMoved = isMoving || rates.some((each) => each > 0);
  return html`
    <li class="card">
      <h2>
        <${Place} group=${from} /><span aria-label="to">→</span><${Place} group=${to} />
      </h2>
      <p>
        <${Badge} tone=${tone}>${state}</${Badge}>
        <small title=${rangesText(slots, "–")}>
          ${counted(slots.length, "slot")}${waiting === 0 ? "" : `, ${whole(waiting)} waiting`}
        </small>
      </p>
      ${problem === "" ? null : html`<p class="problem">${problem}</p>`}
      <${Bar}
        share=${all === null || all === 0 ? 0 : moved / all}
        label="keys moved"
        text=${all === null
          ? "not counted yet"
          : `${short(moved)} of ${waiting === 0 ? "" : "about "}${short(all)} keys`}
      />
      ${!hasMoved ? null : html`
        <div class="rate">
          <svg
            viewBox=${`0 0 ${LINE_WIDTH} ${LINE_HEIGHT}`}
            preserveAspectRatio="none"
            role="img"
            aria-label=${isMoving ? `Rate: ${short(rate)} keys/s` : "Nothing moves now"}
          >
            <polyline points=${linePoints(rates, LINE_WIDTH, LINE_HEIGHT)} />
          </svg>
          <span>
                  ${isMoving ? `${short(rate)} keys/s` : UNKNOWN}
                  <small>${route.byteRate === null || !isMoving
                    ? ""
                    : `${bytes(route.byteRate)}/s`}</small>
                </span>
        </div>
      `}
      <p class="end">
        ${seconds === null
          ? "End not known yet"
          : `Ends about ${clockTime(now + seconds * 1000, now)}, in ${duration(seconds)}`}
      </p>
    </li>
  `;
}

/** @param {{ group: number | null }} props */
function Place({ group }) {
  return group === null ? UNKNOWN : html`
    <a href=${`#groups/${group}`}>
      <i class="owner" style=${{ background: ownerColour(group) }}></i>Group ${group}
    </a>
  `;
}
