/**
 * Slots put together where they are alike: fewer lines to read than 1024.
 *
 * @module
 */

import { counted } from "./format.js";

/** @import { SlotsView } from "../../api/cluster_view.ts" */

/**
 * @typedef {object} Run
 * @property {number} from The first slot.
 * @property {number} to The last one.
 * @property {number} group The owner of all; -1: nobody.
 * @property {string} status Of all, as in `SlotsView.status`.
 */

/**
 * Neighbours with the same owner and status, put together.
 *
 * @param {SlotsView} slots
 * @returns {readonly Run[]}
 */
export function runsOf({ group, status, from }) {
  /** @type {Run[]} */
  const runs = [];
  for (const [slot, owner] of group.entries()) {
    const last = runs.at(-1);
    const own = { group: owner, status: status[slot] ?? "-" };
    const isSame = last !== undefined && last.group === own.group && last.status === own.status &&
      from[slot] === from[last.from];
    if (isSame) runs[runs.length - 1] = { ...last, to: slot };
    else runs.push({ from: slot, to: slot, ...own });
  }
  return runs;
}

/** Most runs of slots that are named. */
const RUNS_MAX = 6;

/**
 * Slots in words, the first runs by number: a dialog has to fit the screen.
 *
 * @param {readonly number[]} slots
 */
export function slotsText(slots) {
  const runs = slotRuns([...slots].sort((a, b) => a - b));
  const named = runs.slice(0, RUNS_MAX).map(([first, last]) =>
    first === last ? String(first) : `${first}–${last}`
  );
  const rest = runs.length > RUNS_MAX ? ", …" : "";
  return `${counted(slots.length, "slot")} (${named.join(", ")}${rest})`;
}

/**
 * Neighbours together.
 *
 * @param {readonly number[]} slots In order.
 */
function slotRuns(slots) {
  /** @type {[first: number, last: number][]} */
  const runs = [];
  for (const slot of slots) {
    const run = runs.at(-1);
    if (run?.[1] === slot - 1) run[1] = slot;
    else runs.push([slot, slot]);
  }
  return runs;
}
