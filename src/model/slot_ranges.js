/**
 * Slots put together to ranges, as `0-511`: fewer lines to read than 1024.
 *
 * The program and the page use this one file, so it is what a browser runs as it stands.
 *
 * @module
 */

/**
 * Slots `from` to `to`, both included.
 *
 * @typedef {object} SlotRange
 * @property {number} from
 * @property {number} to
 */

/** Most ranges that a text names; of the others it says how many there are. */
const RANGES_NAMED_MAX = 8;

/**
 * The fewest ranges that hold these slots, in order.
 *
 * @param {Iterable<number>} slotIds In any order.
 * @param {(a: number, b: number) => boolean} isAlike Whether two neighbours may be in one range.
 * @returns {SlotRange[]}
 */
export function slotRanges(slotIds, isAlike = () => true) {
  /** @type {SlotRange[]} */
  const ranges = [];
  for (const id of [...slotIds].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && id <= last.to + 1 && isAlike(last.to, id)) last.to = id;
    else ranges.push({ from: id, to: id });
  }
  return ranges;
}

/**
 * The numbers of slots in few words: `1-3, 7`.
 *
 * @param {Iterable<number>} slotIds In any order.
 * @param {string} dash What stands between the first and the last slot of a range.
 */
export function rangesText(slotIds, dash = "-") {
  const ranges = slotRanges(slotIds);
  const named = ranges.slice(0, RANGES_NAMED_MAX)
    .map(({ from, to }) => from === to ? `${from}` : `${from}${dash}${to}`).join(", ");
  const more = ranges.length - RANGES_NAMED_MAX;
  return more > 0 ? `${named} and ${more} more ${more === 1 ? "range" : "ranges"}` : named;
}

/**
 * Slots in words: `slot 5`, `slots 1-3, 7`.
 *
 * @param {Iterable<number>} slotIds In any order.
 */
export function slotsText(slotIds) {
  const ids = [...slotIds];
  return `${ids.length === 1 ? "slot" : "slots"} ${rangesText(ids)}`;
}
