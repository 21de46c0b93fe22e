/**
 * Writes the tables of docs/commands.md: what the proxy does with each Redis command, and INFO's fields. Run by `deno task gen:docs`.
 *
 * @module
 */

import { replaceGeneratedSection } from "../base/generated_section.ts";
import type { Command } from "./command.ts";
import { COMMANDS } from "./command_table.ts";
import { groupOf } from "./describe.ts";
import { formatInfoTable } from "./info_fields.ts";

/** The file with the table, and the name of its generated part. */
const DOCUMENT = "docs/commands.md";
const SECTION = "commands";
const INFO_SECTION = "info";

/** Whether the slot of its keys, or of its channel, says where a command goes, or what it names. */
function isByKey({ handling, keyPlaces, channelIndex, merge }: Command): boolean {
  if (merge === "one_master") return true;
  return handling === "forward" && (keyPlaces !== "none" || channelIndex > 0);
}

/** The columns: a title and which rows it shows. */
const COLUMNS: readonly (readonly [title: string, shows: (command: Command) => boolean])[] = [
  ["by key", isByKey],
  ["split by server", ({ handling }) => handling === "split"],
  ["every master", (row) => row.handling === "fanout" && !isByKey(row)],
  ["any server", (row) => row.handling === "forward" && !isByKey(row)],
  ["the proxy itself", ({ handling }) => handling === "local"],
  ["transaction", ({ handling }) => handling === "transaction"],
  ["refused", ({ handling }) => handling === "refuse"],
];

/** The table of commands, in Markdown: a row for each group of Redis's manual. */
export function formatCommandTable(): string {
  const shown = COMMANDS.filter((row) =>
    row.origin !== "http" && (!row.isContainer || row.handling !== "refuse")
  );
  const groups = [...new Set(shown.map(groupOf))].sort();
  const rows = groups.map((group) => {
    const cells = COLUMNS.map(([, shows]) =>
      shown.filter((row) => groupOf(row) === group && shows(row)).map(nameOf).join(", ")
    );
    return `| ${[group, ...cells].join(" | ")} |`;
  });
  const titles = ["group", ...COLUMNS.map(([title]) => title)];
  return [`| ${titles.join(" | ")} |`, `|${"---|".repeat(titles.length)}`, ...rows].join("\n");
}

function nameOf(command: Command): string {
  return command.name.toUpperCase().replace("|", " ");
}

/**
 * Puts the tables of commands and of INFO's fields into their document.
 *
 * @param document The whole of docs/commands.md.
 * @returns The whole new document.
 * @throws {Error} When it has no place for the table.
 */
export function replaceCommandTable(document: string): string {
  const withCommands = replaceGeneratedSection(document, SECTION, formatCommandTable());
  return replaceGeneratedSection(withCommands, INFO_SECTION, formatInfoTable());
}

if (import.meta.main) {
  await Deno.writeTextFile(DOCUMENT, replaceCommandTable(await Deno.readTextFile(DOCUMENT)));
}
