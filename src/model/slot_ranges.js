/**
 * Slots in a row, as `0-511`: how many slots are told of in few words.
 *
 * @module
 */

/** Slots `from` to `to`, both included. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
}

/** The fewest runs that hold these slots, in order. */
export function slotRanges(slotIds: Iterable<number>): SlotRange[] {
  const runs: { from: number; to: number }[] = [];
  for (const id of [...slotIds].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && id <= last.to + 1) last.to = id;
    else runs.push({ from: id, to: id });
  }
  return runs;
}

/** Runs that a text names before it only counts the rest. */
const RUNS_NAMED_MAX = 8;

/**
 * Slots in words.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(slotsText([7, 1, 2, 3]), "slots 1-3, 7");
 * ```
 */
export function slotsText(slotIds: Iterable<number>): string {
  const ids = [...slotIds];
  const runs = slotRanges(ids);
  const named = runs.slice(0, RUNS_NAMED_MAX)
    .map(({ from, to }) => from === to ? `${from}` : `${from}-${to}`).join(", ");
  const rest = runs.length - RUNS_NAMED_MAX;
  return `${ids.length === 1 ? "slot" : "slots"} ${named}${
    rest > 0 ? ` and ${rest} runs more` : ""
  }`;
}
