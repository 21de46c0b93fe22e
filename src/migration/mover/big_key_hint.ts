/**
 * Whether a server may have big keys, by its memory and a sample: to ask for the size of a key costs the server
 * a seventh of what it costs to move it.
 *
 * The answer is a guess. A wrong one changes when a big key is listed, not how it moves: while keys move
 * each one's size is asked for, unless nobody uses the servers and a key that is hidden cannot be very big.
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

/** How far {@linkcode KEY_OVERHEAD_BYTES} may be wrong: allocators round, each in its own way. */
const OVERHEAD_ERROR_BYTES = 8;
/**
 * A key of this size may go unseen where nobody uses the servers: they stop for less than a second. It may be three
 * times as much among small integers: Redis shares them, but MEMORY USAGE counts 16 bytes for each.
 */
const HIDDEN_BYTES_MAX = 16 * 1024 ** 2;

/** Whether the memory leaves room for a big key beside keys like those of the sample. */
export function mayHaveBigKeys(
  { keys, datasetBytes, sizes }: KeySample,
  bigKeyBytes: number,
): boolean {
  if (sizes.some((size) => size >= bigKeyBytes)) return true;
  // Keys may have come since they were counted: a sample of all of them says it for sure.
  if (sizes.length >= keys) return false;
  if (sizes.length === 0 || Number.isNaN(datasetBytes)) return true;
  const expected = keys * (meanOf(sizes) - KEY_OVERHEAD_BYTES);
  return datasetBytes - expected >= bigKeyBytes + chanceBytes(keys, sizes);
}

/**
 * The size of a key, where all are alike: the memory leaves no room for a big key, as far as a sample can tell.
 *
 * @returns In bytes; undefined where a key may hide that is too big to be met by chance.
 */
export function usualSize(sample: KeySample, bigKeyBytes: number): number | undefined {
  const { keys, sizes } = sample;
  if (sizes.length === 0 || mayHaveBigKeys(sample, bigKeyBytes)) return undefined;
  const hidden = bigKeyBytes + chanceBytes(keys, sizes) + keys * OVERHEAD_ERROR_BYTES;
  return sizes.length >= keys || hidden <= HIDDEN_BYTES_MAX ? meanOf(sizes) : undefined;
}

/** By how much all keys together may differ from what a sample says. */
function chanceBytes(keys: number, sizes: readonly number[]): number {
  const mean = meanOf(sizes);
  const variance = meanOf(sizes.map((size) => (size - mean) ** 2));
  return ERRORS * keys * Math.sqrt(variance / sizes.length);
}

function meanOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
