/**
 * What a command of the command line is: its words, its flags, its help.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { suggestion } from "../base/nearest.ts";

/** One flag; all flags take a value. */
export interface Flag {
  /** Without dashes: one letter (`-c`) or a word (`--addr`). */
  readonly name: string;
  /** What the value is, as the help shows it. */
  readonly value: string;
  /** What it is when it is not given; `""` for nothing. */
  readonly default: string;
  readonly help: string;
}

/** The values of a command's flags, by name. */
export type FlagValues = Readonly<Record<string, string>>;

/** One command. */
export interface Command {
  /** The word that names it. */
  readonly name: string;
  /** One sentence for the help. */
  readonly summary: string;
  readonly flags: readonly Flag[];
  /**
   * Does it.
   *
   * @returns The exit code.
   * @throws {Error} What goes wrong, in one line for the user.
   */
  run(values: FlagValues): Promise<number>;
}

/** A command line that cannot be understood; the message is one line for the user. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What a command line asks for. */
export type Request =
  | { readonly kind: "help" | "version" }
  | { readonly kind: "run"; readonly values: FlagValues };

/** Flags that every command knows besides its own. */
const COMMON_FLAGS = ["help", "h", "version"];

/**
 * Reads the words behind a command's name.
 *
 * @throws {UsageError} When a flag is unknown or has no value, or a word is left over.
 */
export function parseCommandLine(command: Command, args: readonly string[]): Request {
  const names = command.flags.map((flag) => flag.name);
  const parsed = parseArgs(args, {
    string: [...names, "_"],
    boolean: ["help", "version"],
    alias: { help: "h" },
    unknown: (arg, name) => {
      if (name === undefined) return true;
      const [spelled] = arg.split("=");
      const known = [...names, ...COMMON_FLAGS].map(spellFlag);
      throw new UsageError(`unknown flag "${spelled}"${suggestion(spelled!, known)}`);
    },
  });
  if (parsed["help"]) return { kind: "help" };
  if (parsed["version"]) return { kind: "version" };
  const [extra] = parsed._;
  if (extra !== undefined) throw new UsageError(`unexpected word "${extra}"`);
  const values: Record<string, string> = {};
  for (const flag of command.flags) {
    const value: string | undefined = parsed[flag.name];
    if (value === "") throw new UsageError(`${spellFlag(flag.name)} needs a value`);
    values[flag.name] = value ?? flag.default;
  }
  return { kind: "run", values };
}

/** A command's flags with their defaults, one line each. */
export function formatFlags(command: Command): string {
  const rows = command.flags.map((flag): [string, string] => {
    const initial = flag.default === "" ? "" : ` (default ${flag.default})`;
    const separator = flag.name.length === 1 ? " " : "=";
    return [`${spellFlag(flag.name)}${separator}<${flag.value}>`, `${flag.help}${initial}`];
  });
  rows.push(["--help", "show this help"], ["--version", "show the version"]);
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `    ${left.padEnd(width)}  ${right}`).join("\n");
}

/**
 * Reads a flag's value by a parser whose errors do not know the flag.
 *
 * @throws {UsageError} What the parser complains of, with the flag's name.
 */
export function readFlag<T>(values: FlagValues, name: string, parse: (text: string) => T): T {
  try {
    return parse(values[name]!);
  } catch (error) {
    throw new UsageError(`bad ${spellFlag(name)}: ${(error as Error).message}`);
  }
}

function spellFlag(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
