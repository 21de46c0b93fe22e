/**
 * The keys of a script or function: those that it declares; where it declares none, the arguments that slot
 * rules match, and by which it can be placed. Django channels pass their keys in this way.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { type KeyIndexes, keyIndexes } from "../../command/key.ts";
import type { Placement } from "../../hash/placement.ts";
import type { Arguments } from "../../resp/arguments.ts";

/** The first argument behind the number of keys. */
const FIRST_ARGUMENT = 3;

/** As `keyIndexes`; for a script without keys, the arguments that slot rules match. */
export function keyIndexesByRules(
  command: Command,
  args: Arguments,
  placement: Placement,
  out: KeyIndexes,
): number {
  const count = keyIndexes(command, args, out);
  const isScript = command.caution === "script" || command.caution === "function";
  if (count !== 0 || !isScript || placement.rules.length === 0) return count;
  out.reserve(args.count);
  let found = 0;
  for (let i = FIRST_ARGUMENT; i < args.count; i++) {
    if (isMatched(placement, args, i)) out.values[found++] = i;
  }
  return found;
}

/** Whether a script or function that declares no keys is placed by its arguments. Borrows them. */
export function isPlacedByArguments(placement: Placement, args: Arguments): boolean {
  if (placement.rules.length === 0) return false;
  for (let i = FIRST_ARGUMENT; i < args.count; i++) {
    if (isMatched(placement, args, i)) return true;
  }
  return false;
}

function isMatched(placement: Placement, args: Arguments, i: number): boolean {
  return placement.explain(args.bytes, args.start(i), args.end(i)) !== null;
}
