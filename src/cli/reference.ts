/**
 * Writes the tables of docs/command-line.md: every command and its flags. Run by `deno task gen:docs`.
 *
 * @module
 */

import { replaceGeneratedSection } from "../base/generated_section.ts";
import { ROOT } from "./commands.ts";
import { type CommandGroup, type Flag, isGroup, type Subcommand } from "./parts/subcommand.ts";
import { PROGRAM, spellCommand, spellFlagWithValue } from "./parts/help.ts";

/** The file with the tables, and the name of its generated part. */
const DOCUMENT = "docs/command-line.md";
const SECTION = "command-line";

/** A command and the words that lead to it, without the program's name. */
interface Leaf {
  readonly words: readonly string[];
  readonly command: Subcommand;
}

/** The tables of commands and of their flags, in Markdown: a section for each first word. */
export function formatCommandLine(): string {
  return ROOT.commands.map((command) => {
    const heading = [`## ${PROGRAM} ${command.name}`, "", command.summary, ""];
    const body = isGroup(command) ? groupBody(command) : commandBody(command);
    return [...heading, ...body].join("\n");
  }).join("\n\n");
}

/**
 * Puts the tables into their document.
 *
 * @param document The whole of docs/command-line.md.
 * @returns The whole new document.
 * @throws {Error} When it has no place for the tables.
 */
export function replaceCommandLine(document: string): string {
  return replaceGeneratedSection(document, SECTION, formatCommandLine());
}

function commandBody({ details, flags }: Subcommand): string[] {
  return [
    ...(details === undefined ? [] : ["```text", details, "```", ""]),
    ...(flags.length === 0
      ? []
      : table(["flag", "meaning"], flags.map((flag) => [spelled(flag), meaningOf(flag)]))),
  ];
}

function groupBody(group: CommandGroup): string[] {
  const leaves = leavesOf(group, [group.name]);
  // What is a first word as well has a section of its own.
  const own = leaves.filter(({ command }) => !ROOT.commands.includes(command));
  return [
    ...table(["command", "what it does"], leaves.map(commandRow)),
    "",
    ...table(["flag", "of", "meaning"], flagRows(group.flags, own)),
  ];
}

function leavesOf(group: CommandGroup, words: readonly string[]): Leaf[] {
  return group.commands.flatMap((command) => {
    const path = [...words, command.name];
    return isGroup(command) ? leavesOf(command, path) : [{ words: path, command }];
  });
}

function commandRow({ words, command }: Leaf): string[] {
  const { summary, details, arguments: args = [] } = command;
  const bare = spellCommand(words, { ...command, flags: [] });
  const explained = args.map(({ name, help }) => `\`<${name}>\`: ${help}.`);
  const texts = [summary, ...(details === undefined ? [] : [details]), ...explained];
  return [`\`${bare}\``, texts.join(" ")];
}

/** A row for each flag; commands whose flag is the same share one. */
function flagRows(shared: readonly Flag[], leaves: readonly Leaf[]): string[][] {
  const rows = [
    ...shared.map((flag) => ({ flag, of: "all" })),
    ...leaves.flatMap(({ words, command }) =>
      command.flags.map((flag) => ({ flag, of: `\`${words.slice(1).join(" ")}\`` }))
    ),
  ];
  const same = Map.groupBy(rows, ({ flag }) => `${spelled(flag)} ${meaningOf(flag)}`);
  return [...same.values()].map((of) => [
    spelled(of[0]!.flag),
    of.map((row) => row.of).join(", "),
    meaningOf(of[0]!.flag),
  ]);
}

function spelled(flag: Flag): string {
  return `\`${spellFlagWithValue(flag)}\``;
}

function meaningOf(flag: Flag): string {
  return flag.default === "" ? flag.help : `${flag.help} (default \`${flag.default}\`)`;
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const lines = rows.map((cells) => `| ${cells.map(escape).join(" | ")} |`);
  return [`| ${titles.join(" | ")} |`, `|${"---|".repeat(titles.length)}`, ...lines];
}

/** Text as it stands in a cell of a table: `<` is left alone only between backticks. */
function escape(cell: string): string {
  return cell.replaceAll("|", "\\|").replaceAll("\n", " ").split("`")
    .map((part, i) => i % 2 === 0 ? part.replaceAll("<", "&lt;") : part).join("`");
}

if (import.meta.main) {
  await Deno.writeTextFile(DOCUMENT, replaceCommandLine(await Deno.readTextFile(DOCUMENT)));
}
