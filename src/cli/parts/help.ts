/**
 * The texts of `--help`, made from the tables of commands.
 *
 * @module
 */

import {
  type Argument,
  type CommandGroup,
  type Flag,
  isGroup,
  isSwitch,
  spellFlag,
  type Subcommand,
} from "./subcommand.ts";

/** The name of the program in its texts. */
export const PROGRAM = "codis-proxy";

/** Left and right half of a line. */
type Row = readonly [left: string, right: string];

/** The help of the whole program; `first` is the command that runs without a word. */
export function formatHelp(root: CommandGroup, first: Subcommand): string {
  const commands = root.commands.map(({ name, summary }): Row => [name, summary]);
  return [
    `Usage: ${PROGRAM} [<command>] [<flags>]`,
    "",
    "Commands:",
    formatRows(commands),
    "",
    `Without a command, ${PROGRAM} runs ${first.name}. Its flags:`,
    formatFlags(first.flags),
    "",
    `${PROGRAM} <command> --help shows the flags of a command.`,
  ].join("\n");
}

/** The help of a group of commands: all of them, and the flags that they share. */
export function formatGroupHelp(
  words: readonly string[],
  group: CommandGroup,
  flags: readonly Flag[],
): string {
  const path = [PROGRAM, ...words].join(" ");
  return [
    `Usage: ${path} [<flags>] <command>`,
    "",
    group.summary,
    "",
    "Commands:",
    formatRows(commandsBelow(group, [])),
    "",
    "Flags:",
    formatFlags(flags),
    "",
    `${path} <command> --help shows the arguments and flags of a command.`,
  ].join("\n");
}

/** The help of one command. */
export function formatCommandHelp(
  words: readonly string[],
  command: Subcommand,
  outerFlags: readonly Flag[],
): string {
  const { summary, details, arguments: args = [], flags } = command;
  const usage = [PROGRAM, ...words, ...args.map(spellArgument), "[<flags>]"].join(" ");
  const argumentRows = args.map(({ name, help }): Row => [`<${name}>`, help]);
  return [
    `Usage: ${usage}`,
    "",
    summary,
    ...(details === undefined ? [] : ["", details]),
    ...(args.length === 0 ? [] : ["", "Arguments:", formatRows(argumentRows)]),
    "",
    "Flags:",
    formatFlags([
      ...flags,
      ...outerFlags.filter(({ name }) => !flags.some((own) => own.name === name)),
    ]),
  ].join("\n");
}

/** The words, arguments and own flags of a command, for its line in a list. */
export function spellCommand(words: readonly string[], command: Subcommand): string {
  const args = (command.arguments ?? []).map(spellArgument);
  const flags = command.flags.map((flag) => `[${spellFlagWithValue(flag)}]`);
  return [...words, ...args, ...flags].join(" ");
}

/** Flags with their defaults, one line each. */
function formatFlags(flags: readonly Flag[]): string {
  const rows = flags.map((flag): Row => {
    const initial = flag.default === "" ? "" : ` (default ${flag.default})`;
    return [spellFlagWithValue(flag), `${flag.help}${initial}`];
  });
  return formatRows([...rows, ["--help", "show this help"], ["--version", "show the version"]]);
}

function commandsBelow(group: CommandGroup, words: readonly string[]): Row[] {
  return group.commands.flatMap((command): Row[] => {
    const path = [...words, command.name];
    if (isGroup(command)) return commandsBelow(command, path);
    return [[spellCommand(path, command), command.summary]];
  });
}

function spellArgument({ name, isOptional }: Argument): string {
  return isOptional ? `[<${name}>]` : `<${name}>`;
}

/** A flag and what its value is, as the help shows it: `--addr=<host:port>`. */
export function spellFlagWithValue(flag: Flag): string {
  if (isSwitch(flag)) return spellFlag(flag.name);
  return `${spellFlag(flag.name)}${flag.name.length === 1 ? " " : "="}<${flag.value}>`;
}

/** Widest left half, in characters. After a wider one, the right half starts a new line. */
const LEFT_MAX = 46;

function formatRows(rows: readonly Row[]): string {
  const width = Math.min(LEFT_MAX, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => {
    const gap = left.length > width ? `\n${" ".repeat(4 + width)}` : "";
    return `    ${left.padEnd(width)}${gap}  ${right}`;
  }).join("\n");
}
