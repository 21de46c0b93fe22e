/**
 * Options of the benches on the command line.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";

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

/** The options that a bench takes. */
export interface KnownOptions {
  /** Those with whole numbers: the default, and the least and most allowed. */
  readonly numbers: Readonly<Record<string, readonly [number, number, number]>>;
  /** Those with words. */
  readonly words?: readonly string[];
  /** Those without a value. */
  readonly switches?: readonly string[];
}

/** What was given on the command line, of options that are known. */
export class GivenOptions {
  readonly #numbers: KnownOptions["numbers"];
  readonly #given: Readonly<Record<string, unknown>>;

  /** Ends the program with the help when it is asked for, or when an option is unknown. */
  constructor(help: string, { numbers, words = [], switches = [] }: KnownOptions) {
    this.#numbers = numbers;
    this.#given = parseArgs(Deno.args, {
      boolean: ["help", ...switches],
      string: [...Object.keys(numbers), ...words],
      unknown: (arg) => stop(`unknown option "${arg}"\n\n${help}`),
    });
    if (this.isOn("help")) stop(help, 0);
  }

  /** A whole number; ends the program when it is none that is allowed. */
  number(name: string): number {
    const [initial, least, most] = this.#numbers[name]!;
    return wholeNumber(name, this.text(name) ?? initial, least, most);
  }

  /** One of these words, by default the first; ends the program when it is none of them. */
  word<W extends string>(name: string, words: readonly W[]): W {
    return oneOf(name, this.text(name), words);
  }

  /** As it was given, if it was. */
  text(name: string): string | undefined {
    return this.#given[name] as string | undefined;
  }

  /** Whether an option without a value was given. */
  isOn(name: string): boolean {
    return this.#given[name] === true;
  }
}

/** Aborted when the user ends the program: it then stops what it has started. */
export function endedByUser(): AbortSignal {
  const over = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => over.abort(new Error(`ended by ${signal}`)));
  }
  return over.signal;
}
