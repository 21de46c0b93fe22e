/**
 * A count and what is counted, in one or in several.
 *
 * @module
 */

/** `1 slot`, `2 slots`. @param nouns What several are called, when that is not `noun` with an s. */
export function countOf(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`;
}
