/**
 * Where a program of a test runs: on this machine like the test itself, or in a network of its own.
 *
 * @module
 */

/** A place for programs. */
export interface Place {
  /** The address at which a program there listens, and is reached. */
  readonly host: string;
  /** The words before those of a program that start it there. */
  readonly enter: readonly string[];
}

/** The place of tests. */
export const HERE: Place = { host: "127.0.0.1", enter: [] };

/** The program that starts `words` in a place, and its words. */
export function commandIn({ enter }: Place, words: readonly string[]): [string, string[]] {
  const [program, ...args] = [...enter, ...words];
  return [program!, args];
}
