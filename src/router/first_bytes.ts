/**
 * Memory for the first bytes of requests that have few: all of it in one piece, used from its beginning, so that
 * it takes little of the processor's cache.
 *
 * @module
 */

/** Bytes of one place. */
export const SHORT_BYTES = 128;
/** Places: what has none left over has memory of its own. */
const PLACES = 4_096;

/** The memory; a place is SHORT_BYTES of it. */
export const shortBytes: Uint8Array = new Uint8Array(PLACES * SHORT_BYTES);
/** Free places, the one that is taken next last: free[0, freeCount). */
const free = Int32Array.from({ length: PLACES }, (_, i) => (PLACES - 1 - i) * SHORT_BYTES);
let freeCount = PLACES;

/** Takes a place, and returns where it begins; -1: there is none. */
export function takePlace(): number {
  return freeCount === 0 ? -1 : free[--freeCount]!;
}

/** Gives a place back. */
export function freePlace(at: number): void {
  free[freeCount++] = at;
}
