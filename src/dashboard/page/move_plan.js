/**
 * Plans of the dashboard for moves, in words.
 *
 * @module
 */

import { counted, short } from "./format.js";

/** @import { RebalancePlanAnswer, RebalanceMove, GroupLoad } from "../../api/answers.ts" */
/** @import { Field } from "./actions.js" */

/** Longest pause between two moves, in milliseconds. */
const DELAY_MAX_MS = 600_000;

/** @type {Field} */
export const DELAY_FIELD = {
  name: "delay",
  label: "Pause between moves (ms)",
  kind: "number",
  least: 0,
  most: DELAY_MAX_MS,
  hint: "0: full speed; a pause spares the servers",
};

/**
 * A plan in words, one line each.
 *
 * @param {RebalancePlanAnswer} plan
 */
export function planWords({ moves, slots, loads, hot_keys }) {
  const hot = (hot_keys ?? []).map(({ group_id, key, percent }) =>
    `key ${key} alone makes ${percent} % of the requests of group ${group_id}: moving slots does not help`
  );
  return [...moveWords(moves ?? [], slots), ...loadWords(loads ?? []), ...hot];
}

/**
 * The moves in words: the number of slots, then the slots of each route.
 *
 * @param {readonly RebalanceMove[]} moves
 * @param {number} slots
 */
function moveWords(moves, slots) {
  if (slots === 0) return ["Nothing has to move."];
  /** @type {Map<string, { slots: number, ranges: string[] }>} */
  const routes = new Map();
  for (const { from_slot, to_slot, from_group, to_group } of moves) {
    const route = `group ${from_group} → group ${to_group}`;
    const entry = routes.get(route) ?? { slots: 0, ranges: [] };
    entry.slots += to_slot - from_slot + 1;
    entry.ranges.push(from_slot === to_slot ? `${from_slot}` : `${from_slot}–${to_slot}`);
    routes.set(route, entry);
  }
  return [
    `${counted(slots, "slot")} in all`,
    ...[...routes].map(([route, entry]) =>
      `${route}: ${counted(entry.slots, "slot")} (${entry.ranges.join(", ")})`
    ),
  ];
}

/**
 * What a plan by requests changes for each group.
 *
 * @param {readonly GroupLoad[]} loads
 */
function loadWords(loads) {
  return loads.map(({ group_id, ops_before, ops_after }) =>
    `group ${group_id}: ${short(ops_before)} requests/s now, ${short(ops_after)} after`
  );
}
