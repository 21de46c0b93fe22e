/**
 * Options of the benches on the command line.
 *
 * @module
 */

/** Ends the program with a text. */
export function stop(message: string, code = 1): never {
  console.log(message);
  Deno.exit(code);
}

/**
 * Reads a whole number, or ends the program.
 *
 * @param name The option, without its dashes.
 */
export function wholeNumber(
  name: string,
  value: string | number | undefined,
  least: number,
  most: number,
): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  return stop(`--${name}: "${value}" is not a whole number from ${least} to ${most}`);
}

/** Reads a word, by default the first of these, or ends the program. */
export function oneOf<W extends string>(
  name: string,
  value: string | undefined,
  words: readonly W[],
): W {
  const given = value ?? words[0]!;
  return words.find((known) => known === given) ??
    stop(`--${name}: "${given}" is none of ${words.join(", ")}`);
}

/** Aborted when the user ends the program: it then stops what it has started. */
export function endedByUser(): AbortSignal {
  const over = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => over.abort(new Error(`ended by ${signal}`)));
  }
  return over.signal;
}
