/**
 * Plans of moves, as the dashboard tells them before anything moves, in words.
 *
 * @module
 */

import { counted, short } from "./format.js";

/** @import { RebalancePlanAnswer, RebalanceMove, GroupLoad } from "../../api/answers.ts" */
/** @import { Field } from "./actions.js" */

/** Longest pause between two moves that can be asked for, in milliseconds. */
const DELAY_MAX_MS = 600_000;

/** @type {Field} */
export const DELAY_FIELD = {
  name: "delay",
  label: "Pause between moves (ms)",
  kind: "number",
  least: 0,
  most: DELAY_MAX_MS,
  hint: "0 moves as fast as it goes; more spares the servers",
};

/**
 * A plan in words, one line each.
 *
 * @param {RebalancePlanAnswer} plan
 */
export function planWords({ moves, slots, loads }) {
  return [...moveWords(moves ?? [], slots), ...loadWords(loads ?? [])];
}

/**
 * A plan in words: what each group gives to which, then that all of it is.
 *
 * @param {readonly RebalanceMove[]} moves
 * @param {number} slots
 */
function moveWords(moves, slots) {
  if (slots === 0) return ["Nothing has to move."];
  /** @type {Map<string, { slots: number, ranges: string[] }>} */
  const ways = new Map();
  for (const { from_slot, to_slot, from_group, to_group } of moves) {
    const way = `group ${from_group} → group ${to_group}`;
    const entry = ways.get(way) ?? { slots: 0, ranges: [] };
    entry.slots += to_slot - from_slot + 1;
    entry.ranges.push(from_slot === to_slot ? `${from_slot}` : `${from_slot}–${to_slot}`);
    ways.set(way, entry);
  }
  return [
    `${counted(slots, "slot")} in all`,
    ...[...ways].map(([way, entry]) =>
      `${way}: ${counted(entry.slots, "slot")} (${entry.ranges.join(", ")})`
    ),
  ];
}

/**
 * What a plan by requests does to each group.
 *
 * @param {readonly GroupLoad[]} loads
 */
function loadWords(loads) {
  return loads.map(({ group_id, ops_before, ops_after }) =>
    `group ${group_id}: ${short(ops_before)} requests/s now, ${short(ops_after)} then`
  );
}
