/**
 * The commands of the command line, with their arguments and flags, and how a command line is read.
 *
 *     config  slot  migrate  0 511 2  --delay=10
 *     └─ groups ─┘  command  arguments  flags, anywhere after the group or command that has them
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { suggestion } from "../../base/nearest.ts";

/** The properties that arguments and flags share. */
interface Value<T> {
  /** Reads the text. Throws an error whose message quotes the text and names the rule. */
  readonly parse?: (text: string) => T;
  /** The possible words, for completion; `parse` refuses others. */
  readonly words?: readonly string[];
  /** Whether it is the name of a file, for completion. */
  readonly isFile?: boolean;
  readonly help: string;
}

/** A word that follows the words of a command. */
export interface Argument<T = unknown> extends Value<T> {
  /** Its name in the help: `slot_id`. */
  readonly name: string;
  readonly parse: (text: string) => T;
  /** Whether it may be omitted; only the last argument may. */
  readonly isOptional?: boolean;
  /** Whether it is all words that are left, one space between them, `-@all` too; only the last may be. */
  readonly isRest?: boolean;
}

/** A flag. */
export interface Flag<T = unknown> extends Value<T> {
  /** Without dashes: one letter (`-c`) or a word (`--addr`). */
  readonly name: string;
  /** The name of its value in the help; `""`: a switch, without a value. */
  readonly value: string;
  /** The value of a flag that is not given; `""`: none. */
  readonly default: string;
}

/** The texts of arguments and flags, by name; a switch is `on` or `""`. */
export type FlagValues = Readonly<Record<string, string>>;

/** A command. */
export interface Subcommand {
  /** Its word on the command line. */
  readonly name: string;
  /** One sentence for the help. */
  readonly summary: string;
  /** More sentences, for its own help. */
  readonly details?: string;
  readonly arguments?: readonly Argument[];
  readonly flags: readonly Flag[];
  /**
   * Runs the command.
   *
   * @returns The exit code.
   * @throws {Error} When it fails; the message is one line for the user.
   */
  run(values: FlagValues): Promise<number>;
}

/** A word with commands below it: `config`, `slot`. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  /** Flags of all its commands. */
  readonly flags: readonly Flag[];
  readonly commands: readonly (Subcommand | CommandGroup)[];
}

/** A command line that cannot be understood; the message is one line for the user. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What a command line asks for. */
export type Invocation =
  | { readonly kind: "help" | "version" }
  | { readonly kind: "run"; readonly values: FlagValues };

/** A command or group that a command line names. */
export interface ResolvedCommand {
  /** The words that led to it. */
  readonly words: readonly string[];
  readonly command: Subcommand | CommandGroup;
  /** Flags of the groups that it is in. */
  readonly flags: readonly Flag[];
  /** The rest of the command line. */
  readonly args: readonly string[];
}

/** Flags of every command. */
const COMMON_FLAGS = ["help", "h", "version"];

/** The value of a switch that is given. */
const ON = "on";

/** Marks a negative number, or a rule, while the command line is read, so that it is not read as flags. */
const NUMBER_MARK = "\u0001";

/** Whether it has commands below it. */
export function isGroup(command: Subcommand | CommandGroup): command is CommandGroup {
  return "commands" in command;
}

/**
 * Follows the words of a command line to the command that they name.
 *
 * @throws {UsageError} When one of these words, or a flag between them, is unknown.
 */
export function resolveCommand(group: CommandGroup, args: readonly string[]): ResolvedCommand {
  let command: Subcommand | CommandGroup = group;
  const words = [group.name];
  const flags: Flag[] = [...group.flags];
  const rest: string[] = [];
  for (let i = 0; i < args.length && isGroup(command); i++) {
    const arg = args[i]!;
    if (!arg.startsWith("-")) {
      command = findWord(command, words, arg);
      words.push(command.name);
      if (isGroup(command)) flags.push(...command.flags);
      else rest.push(...args.slice(i + 1));
      continue;
    }
    rest.push(separated(flags, arg));
    const flag = findFlag(flags, arg);
    if (flag !== undefined && takesNext(flag, arg) && i + 1 < args.length) rest.push(args[++i]!);
  }
  return { words, command, flags, args: rest };
}

function findWord(
  group: CommandGroup,
  words: readonly string[],
  word: string,
): Subcommand | CommandGroup {
  const command = group.commands.find((each) => each.name === word);
  if (command !== undefined) return command;
  const names = group.commands.map((each) => each.name);
  const full = [...words.slice(1), word].join(" ");
  throw new UsageError(`unknown command "${full}"${suggestion(word, names)}`);
}

/** @throws {UsageError} When none of the groups so far has the flag. */
function findFlag(flags: readonly Flag[], arg: string): Flag | undefined {
  const spelled = spellingOf(arg);
  if (COMMON_FLAGS.map(spellFlag).includes(spelled)) return undefined;
  const flag = spelledFlag(flags, arg) ?? attachedFlag(flags, arg);
  if (flag === undefined) throw unknownFlag(spelled, flags);
  return flag;
}

/**
 * The same command line with its first word in front: codis-config has its flags before its commands.
 *
 * @param flags Those that may stand before that word; with others, and without a word, it stays as it is.
 */
export function wordFirst(flags: readonly Flag[], args: readonly string[]): string[] {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (!arg.startsWith("-")) return [arg, ...args.slice(0, i), ...args.slice(i + 1)];
    if (COMMON_FLAGS.map(spellFlag).includes(arg)) continue;
    const flag = spelledFlag(flags, arg) ?? attachedFlag(flags, arg);
    if (flag === undefined) break;
    if (takesNext(flag, arg)) i++;
  }
  return [...args];
}

function spellingOf(arg: string): string {
  return arg.split("=")[0]!;
}

function spelledFlag(flags: readonly Flag[], arg: string): Flag | undefined {
  return flags.find(({ name }) => spellFlag(name) === spellingOf(arg));
}

/** The flag of one letter that has its value behind it: `-cconfig.ini`. */
function attachedFlag(flags: readonly Flag[], arg: string): Flag | undefined {
  if (!/^-[a-z][^=]/i.test(arg) || lacksDash(flags, arg)) return undefined;
  return flags.find((flag) => flag.name === arg[1] && !isSwitch(flag));
}

/** Whether it was to be a flag of two dashes: `-cpu=2`. */
function lacksDash(flags: readonly Flag[], arg: string): boolean {
  const word = /^-([a-z][\w-]+)/i.exec(arg)?.[1];
  return word !== undefined &&
    [...flags.map(({ name }) => name), ...COMMON_FLAGS].includes(word);
}

/**
 * `-cconfig.ini` as `-c=config.ini`; anything else as it is.
 *
 * @throws {UsageError} When a flag lacks a dash.
 */
function separated(flags: readonly Flag[], arg: string): string {
  if (lacksDash(flags, arg)) throw unknownFlag(spellingOf(arg), flags);
  return attachedFlag(flags, arg) === undefined ? arg : `${arg.slice(0, 2)}=${arg.slice(2)}`;
}

/** Whether the value of a flag is the next word. */
function takesNext(flag: Flag, arg: string): boolean {
  return !isSwitch(flag) && arg === spellFlag(flag.name);
}

/**
 * Reads the words after a command's name.
 *
 * @param outerFlags Flags of the groups that it is in.
 * @throws {UsageError} When a flag is unknown, has no value or is given twice, an argument is missing, there is a word too
 * many, or a value breaks its rule.
 */
export function parseCommandLine(
  command: Subcommand,
  args: readonly string[],
  outerFlags: readonly Flag[] = [],
): Invocation {
  const flags = [...command.flags, ...outerFlags];
  const [switches, others] = [flags.filter(isSwitch), flags.filter((flag) => !isSwitch(flag))];
  const mark = command.arguments?.at(-1)?.isRest ? markRule : markNumber;
  const parsed = parseArgs(args.map((arg) => separated(flags, mark(arg))), {
    string: [...others.map((flag) => flag.name), "_"],
    collect: others.map((flag) => flag.name),
    boolean: ["help", "version", ...switches.map((flag) => flag.name)],
    alias: { help: "h" },
    unknown: (arg, name) => {
      if (name === undefined) return true;
      throw unknownFlag(arg.split("=")[0]!, flags);
    },
  });
  if (parsed["help"]) return { kind: "help" };
  if (parsed["version"]) return { kind: "version" };
  const values: Record<string, string> = {};
  readArguments(command, parsed._.map((word) => unmarkNumber(`${word}`)), values);
  for (const flag of switches) values[flag.name] = parsed[flag.name] === true ? ON : "";
  for (const flag of others) {
    const given: readonly string[] = parsed[flag.name] ?? [];
    if (given.length > 1) throw new UsageError(`${spellFlag(flag.name)} is given twice`);
    const [value] = given;
    if (value === "") throw new UsageError(`${spellFlag(flag.name)} needs a value`);
    values[flag.name] = value === undefined ? flag.default : unmarkNumber(value);
    if (value !== undefined) readValue(values, flag);
  }
  return { kind: "run", values };
}

function readArguments(
  command: Subcommand,
  words: string[],
  values: Record<string, string>,
): void {
  const wanted = command.arguments ?? [];
  for (const [i, argument] of wanted.entries()) {
    const word = argument.isRest && i < words.length ? words.splice(i).join(" ") : words[i];
    if (word === undefined && argument.isOptional) continue;
    if (word === undefined) throw new UsageError(`<${argument.name}> is missing: ${argument.help}`);
    values[argument.name] = word;
    readValue(values, argument);
  }
  const extra = wanted.at(-1)?.isRest ? undefined : words[wanted.length];
  if (extra !== undefined) throw new UsageError(`unexpected word "${extra}"`);
}

/**
 * Reads an argument or flag with its parser.
 *
 * @throws {UsageError} When it breaks its rule.
 */
export function readValue<T>(values: FlagValues, row: Argument<T> | Flag<T>): T {
  const { name, parse } = row;
  if (parse === undefined) return values[name] as T;
  if (!("value" in row)) return readNamed(`<${name}>`, values[name]!, parse);
  return readNamed(spellFlag(name), values[name]!, parse);
}

/**
 * Reads a flag's value with a parser that does not know the flag.
 *
 * @throws {UsageError} With the name of the flag and the message of the parser.
 */
export function readFlag<T>(values: FlagValues, name: string, parse: (text: string) => T): T {
  return readNamed(spellFlag(name), values[name]!, parse);
}

/** Whether a flag or an optional argument is given. */
export function isGiven(values: FlagValues, row: Argument | Flag): boolean {
  return (values[row.name] ?? "") !== "";
}

/** Whether a flag takes no value. */
export function isSwitch(flag: Flag): boolean {
  return flag.value === "";
}

/** Spells a flag: `-c`, `--addr`. */
export function spellFlag(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

function readNamed<T>(spelled: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    throw new UsageError(`bad ${spelled}: ${(error as Error).message}`);
  }
}

function unknownFlag(spelled: string, flags: readonly Flag[]): UsageError {
  const known = [...flags.map((flag) => flag.name), ...COMMON_FLAGS].map(spellFlag);
  return new UsageError(`unknown flag "${spelled}"${suggestion(spelled, known)}`);
}

function markNumber(arg: string): string {
  return /^-\d/.test(arg) ? NUMBER_MARK + arg : arg;
}

/** Marks `-@all` and `-get` as well: flags of one dash have one letter. */
function markRule(arg: string): string {
  return /^-(@|[a-z]{2})/i.test(arg) ? NUMBER_MARK + arg : markNumber(arg);
}

function unmarkNumber(text: string): string {
  return text.startsWith(NUMBER_MARK) ? text.slice(NUMBER_MARK.length) : text;
}
