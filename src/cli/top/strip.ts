/**
 * The 1024 slots on one line: a character for some slots each, which says whose they are.
 *
 *     111111111122222222223333>>3333!!
 *              group 1 ┘       └ moving └ offline
 *
 * @module
 */

import type { ClusterView, SlotsView } from "../../api/cluster_view.ts";
import { levelsOf, type Line, type Piece, type Style } from "./text.ts";

/** Signs of groups, in the order of their numbers; the rest share one. */
const SIGNS = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const OTHER_SIGN = "*";
/** Styles of groups, in turns. */
const GROUP_STYLES: readonly Style[] = [
  ...["group0", "group1", "group2", "group3", "group4", "group5"] as const,
];

/** The states of slots that are more important than whose they are, the worst first. */
const STATE_SIGNS: readonly (readonly [letters: string, sign: string, style: Style])[] = [
  ["xu", "!", "bad"],
  ["mp", ">", "warning"],
  ["-", ".", "dim"],
];

/** How groups are shown: the sign and the style of each. */
export function signsOf({ groups }: ClusterView): ReadonlyMap<number, readonly [string, Style]> {
  const ids = groups.map(({ id }) => id).sort((a, b) => a - b);
  return new Map(
    ids.map((id, i) => [
      id,
      [SIGNS[i] ?? OTHER_SIGN, GROUP_STYLES[i % GROUP_STYLES.length]!],
    ]),
  );
}

/** Whose slots are whose, in `width` characters. */
export function stripOf(view: ClusterView, width: number): Line {
  const signs = signsOf(view);
  const pieces: Piece[] = [];
  for (const slots of cellsOf(view.slots, width)) {
    const [sign, style] = cellOf(view.slots, slots, signs);
    const last = pieces.at(-1);
    if (last !== undefined && last[1] === style) {
      pieces[pieces.length - 1] = [last[0] + sign, style];
    } else pieces.push([sign, style]);
  }
  return pieces;
}

/** Requests per second of the same slots. */
export function loadOf({ slots }: ClusterView, width: number): Line {
  const sums = [...cellsOf(slots, width)].map((cell) =>
    cell.reduce((sum, slot) => sum + (slots.ops[slot] ?? 0), 0)
  );
  return [[levelsOf(sums), "line"]];
}

function cellOf(
  { group, status }: SlotsView,
  slots: readonly number[],
  signs: ReadonlyMap<number, readonly [string, Style]>,
): readonly [string, Style | undefined] {
  for (const [letters, sign, style] of STATE_SIGNS) {
    if (slots.some((slot) => letters.includes(status[slot] ?? "-"))) return [sign, style];
  }
  // The owner of most of them, or of the first.
  const counts = new Map<number, number>();
  for (const slot of slots) counts.set(group[slot]!, (counts.get(group[slot]!) ?? 0) + 1);
  const [owner] = [...counts].reduce((most, each) => each[1] > most[1] ? each : most);
  return signs.get(owner) ?? [OTHER_SIGN, undefined];
}

/** The slots of each character. */
function* cellsOf({ status }: SlotsView, width: number): Generator<readonly number[]> {
  const count = Math.min(status.length, Math.max(1, width));
  for (let i = 0; i < count; i++) {
    const from = Math.floor(i * status.length / count);
    const to = Math.floor((i + 1) * status.length / count);
    yield Array.from({ length: to - from }, (_, place) => from + place);
  }
}
