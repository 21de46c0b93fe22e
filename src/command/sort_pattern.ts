/**
 * The patterns of SORT's BY and GET, which name keys that the request does not declare.
 *
 * @module
 */

import { slotIdOf } from "../hash/slot_id.ts";
import type { Arguments } from "../resp/arguments.ts";

const STAR = 42;
const OPEN = 123;
const CLOSE = 125;
/** Redis Cluster's text, byte for byte; `BY` or `GET` comes before it. */
const DENIED = "option of SORT denied in Cluster mode.";

type SlotOf = (bytes: Uint8Array, start: number, end: number) => number;

/**
 * Looks for patterns whose keys may belong to other slots than the list's. Borrows the arguments.
 *
 * @param args A request of SORT or SORT_RO.
 * @param slotOf The slot of a key.
 * @returns Redis Cluster's error text; empty when all keys are of the list's slot.
 */
export function refusedPattern(args: Arguments, slotOf: SlotOf = slotIdOf): string {
  for (let i = 2; i < args.count; i++) {
    const option = wordAt(args, i);
    const left = args.count - 1 - i;
    if (option === "limit" && left >= 2) i += 2;
    else if (option === "store" && left >= 1) i += 1;
    else if ((option === "by" || option === "get") && left >= 1) {
      i += 1;
      if (!staysInSlot(args, i, slotOf)) return `ERR ${option.toUpperCase()} ${DENIED}`;
    }
  }
  return "";
}

/** Whether the keys of pattern `i` share the slot of the list: it has no `*`, or a tag before it. */
function staysInSlot(args: Arguments, i: number, slotOf: SlotOf): boolean {
  const { bytes } = args;
  const [start, end] = [args.start(i), args.end(i)];
  let open = -1;
  for (let at = start; at < end; at++) {
    if (bytes[at] === STAR) return false;
    if (bytes[at] === OPEN && open < 0) open = at;
    else if (bytes[at] === CLOSE && open >= 0) {
      return slotOf(bytes, open, at + 1) === slotOf(bytes, args.start(1), args.end(1));
    }
  }
  return true;
}

/** Argument `i` in lower case. */
function wordAt(args: Arguments, i: number): string {
  const [start, end] = [args.start(i), args.end(i)];
  if (end - start > 8) return "";
  return new TextDecoder().decode(args.bytes.subarray(start, end)).toLowerCase();
}
