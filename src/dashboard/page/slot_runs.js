/**
 * Slots put together where they are alike: fewer lines to read than 1024.
 *
 * @module
 */

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
