/**
 * Whether a server may have big keys, by its memory and a sample: to ask for the size of every key costs a
 * third of what it costs to move them.
 *
 * The answer is a guess. A wrong one changes when a big key is listed, not how it moves: while keys move
 * each one's size is asked for.
 *
 * @module
 */

/** What is known of a server's keys. */
export interface KeySample {
  /** All its keys. */
  readonly keys: number;
  /** Memory of its keys and values, in bytes, as INFO's `used_memory_dataset` says. */
  readonly datasetBytes: number;
  /** Sizes of some keys, as MEMORY USAGE says. */
  readonly sizes: readonly number[];
}

/**
 * What MEMORY USAGE counts for each key and `used_memory_dataset` does not: its entry and the object's head, 40
 * bytes, less what the allocator rounds them up by.
 */
const KEY_OVERHEAD_BYTES = 32;
/** So many standard errors are taken for chance. */
const ERRORS = 3;

/** Whether the memory leaves room for a big key beside keys like those of the sample. */
export function mayHaveBigKeys(
  { keys, datasetBytes, sizes }: KeySample,
  bigKeyBytes: number,
): boolean {
  if (sizes.some((size) => size >= bigKeyBytes)) return true;
  // Keys may have come since they were counted: a sample of all of them says it for sure.
  if (sizes.length >= keys) return false;
  if (sizes.length === 0 || Number.isNaN(datasetBytes)) return true;
  const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  const variance = sizes.reduce((sum, size) => sum + (size - mean) ** 2, 0) / sizes.length;
  const expected = keys * (mean - KEY_OVERHEAD_BYTES);
  const error = keys * Math.sqrt(variance / sizes.length);
  return datasetBytes - expected >= bigKeyBytes + ERRORS * error;
}
