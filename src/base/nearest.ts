/**
 * Finds the known name that a mistyped one most likely meant.
 *
 * @module
 */

import { levenshteinDistance } from "@std/text/levenshtein-distance";

/** At most this many edits, and never more than half of the name, still count as a typing slip. */
const EDITS_MAX = 3;

/**
 * The name in `names` nearest to `word`, ignoring letter case, or `undefined` when none is near
 * enough to be worth suggesting.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(nearestName("prodcut", ["product", "password"]), "product");
 * ```
 */
export function nearestName(word: string, names: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let nearestEdits = Infinity;
  for (const name of names) {
    if (Math.abs(word.length - name.length) > EDITS_MAX) continue;
    const edits: number = levenshteinDistance(word.toLowerCase(), name.toLowerCase());
    if (edits < nearestEdits) [nearest, nearestEdits] = [name, edits];
  }
  if (nearest === undefined) return undefined;
  const editsAllowed = Math.min(EDITS_MAX, Math.max(1, Math.floor(nearest.length / 2)));
  return nearestEdits <= editsAllowed ? nearest : undefined;
}

/** The tail of an error message: `, did you mean "product"?`, or nothing when no name is near. */
export function suggestion(word: string, names: Iterable<string>): string {
  const nearest = nearestName(word, names);
  return nearest === undefined ? "" : `, did you mean "${nearest}"?`;
}
