/**
 * What can stand behind each sequence of words of the command line, for the shells' scripts.
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
} from "../parts/subcommand.ts";

/** A word and what it means. */
export interface CompletionWord {
  readonly word: string;
  readonly help: string;
}

/** What a value can be: some words, the name of a file, or nothing that a shell could know. */
export interface CompletionValue {
  readonly words: readonly string[];
  readonly isFile: boolean;
}

/** A flag. */
export interface CompletionFlag extends CompletionWord, CompletionValue {
  /** Whether a value must follow. */
  readonly takesValue: boolean;
}

/** What can stand behind `words`. */
export interface CompletionPath {
  /** Without the program's name: `config slot`; `""`: nothing yet. */
  readonly words: string;
  readonly next: readonly CompletionWord[];
  readonly flags: readonly CompletionFlag[];
  /** By their place. */
  readonly arguments: readonly CompletionValue[];
}

const HELP: CompletionFlag = {
  word: "--help",
  help: "show the help",
  words: [],
  isFile: false,
  takesValue: false,
};

/** Every sequence of words that leads somewhere, shorter ones first. */
export function pathsOf(
  group: CommandGroup,
  words: readonly string[] = [],
  outerFlags: readonly Flag[] = [],
): CompletionPath[] {
  const flags = [...group.flags, ...outerFlags];
  const next = group.commands.map(({ name, summary }) => ({ word: name, help: summary }));
  const own = { words: words.join(" "), next, flags: flagsOf(flags), arguments: [] };
  const below = group.commands.flatMap((command) => {
    const path = [...words, command.name];
    return isGroup(command) ? pathsOf(command, path, flags) : [pathOf(command, path, flags)];
  });
  return [own, ...below];
}

function pathOf(
  command: Subcommand,
  words: readonly string[],
  outerFlags: readonly Flag[],
): CompletionPath {
  return {
    words: words.join(" "),
    next: [],
    flags: flagsOf([...command.flags, ...outerFlags]),
    arguments: (command.arguments ?? []).map(valueOf),
  };
}

function flagsOf(flags: readonly Flag[]): CompletionFlag[] {
  const rows = flags.map((flag): CompletionFlag => ({
    word: spellFlag(flag.name),
    help: flag.help,
    takesValue: !isSwitch(flag),
    ...valueOf(flag),
  }));
  return [...rows, HELP];
}

function valueOf({ words = [], isFile = false }: Argument | Flag): CompletionValue {
  return { words, isFile };
}
