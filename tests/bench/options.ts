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

/** The options that a bench takes. */
export interface KnownOptions {
  /** Those with numbers: the default, several with commas, and the least and most allowed. */
  readonly numbers: Readonly<Record<string, readonly [number | string, number, number]>>;
  /** Those of them that need not be whole. */
  readonly fractions?: readonly string[];
  /** Those with words. */
  readonly words?: readonly string[];
  /** Those that may be given again and again. */
  readonly repeated?: readonly string[];
  /** Those without a value. */
  readonly switches?: readonly string[];
}

/** What was given on the command line, of options that are known. */
export class GivenOptions {
  readonly #known: KnownOptions;
  readonly #given: Readonly<Record<string, unknown>>;

  /** Ends the program with the help when it is asked for, or when an option is unknown. */
  constructor(help: string, known: KnownOptions) {
    const { numbers, words = [], repeated = [], switches = [] } = known;
    this.#known = known;
    this.#given = parseArgs(Deno.args, {
      boolean: ["help", ...switches],
      string: [...Object.keys(numbers), ...words, ...repeated],
      collect: [...repeated],
      unknown: (arg) => stop(`unknown option "${arg}"\n\n${help}`),
    });
    if (this.isOn("help")) stop(help, 0);
  }

  /** A number; ends the program when it is none that is allowed. */
  number(name: string): number {
    return this.#read(name, this.text(name) ?? `${this.#known.numbers[name]![0]}`);
  }

  /** Several numbers, with commas between them, as {@linkcode number}. */
  numbers(name: string): number[] {
    const text = this.text(name) ?? `${this.#known.numbers[name]![0]}`;
    return text.split(",").map((each) => this.#read(name, each));
  }

  #read(name: string, text: string): number {
    const { numbers, fractions = [] } = this.#known;
    const [, least, most] = numbers[name]!;
    const number = text.trim() === "" ? NaN : Number(text);
    const isWhole = !fractions.includes(name);
    if (number >= least && number <= most && (!isWhole || Number.isInteger(number))) return number;
    const kind = isWhole ? "whole number" : "number";
    return stop(`--${name}: "${text}" is not a ${kind} from ${least} to ${most}`);
  }

  /** One of these words, by default the first; ends the program when it is none of them. */
  word<W extends string>(name: string, words: readonly W[]): W {
    return oneOf(name, this.text(name) ?? words[0]!, words);
  }

  /** Some of these words, with commas between them, by default all; ends the program when one is none of them. */
  words<W extends string>(name: string, words: readonly W[], initial = words): readonly W[] {
    return this.text(name)?.split(",").map((each) => oneOf(name, each, words)) ?? initial;
  }

  /** As it was given, if it was. */
  text(name: string): string | undefined {
    return this.#given[name] as string | undefined;
  }

  /** All that was given of an option that may be repeated. */
  texts(name: string): readonly string[] {
    return this.#given[name] as string[];
  }

  /** Whether an option without a value was given. */
  isOn(name: string): boolean {
    return this.#given[name] === true;
  }
}

function oneOf<W extends string>(name: string, given: string, words: readonly W[]): W {
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
