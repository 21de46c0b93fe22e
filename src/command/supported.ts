/**
 * Writes the README's table of commands: what the proxy does with each.
 *
 * Run by `deno task gen:readme`; a test holds the README equal to the table.
 *
 * @module
 */

import type { Command } from "./command.ts";
import { COMMANDS } from "./command_table.ts";
import { groupOf } from "./describe.ts";

/** Where the README's table begins and ends. */
const TABLE_BEGIN = "<!-- commands -->";
const TABLE_END = "<!-- /commands -->";

/** The columns: a title and which rows it shows. */
const COLUMNS: readonly (readonly [title: string, shows: (command: Command) => boolean])[] = [
  ["by key", ({ handling, keyPlaces }) => handling === "forward" && keyPlaces !== "none"],
  ["split by server", ({ handling }) => handling === "split"],
  ["every master", ({ handling }) => handling === "fanout"],
  ["any server", ({ handling, keyPlaces }) => handling === "forward" && keyPlaces === "none"],
  ["the proxy itself", ({ handling }) => handling === "local"],
  ["refused", ({ handling }) => handling === "refuse"],
];

/** The README's table of commands, without the markers: a row for each group of Redis's manual. */
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
  const name = command.name.toUpperCase().replace("|", " ");
  return command.blockingOption === "" ? name : `${name} (without ${command.blockingOption})`;
}

/**
 * Puts the table between the README's markers.
 *
 * @returns The whole new README.
 * @throws {Error} When the markers are missing or in the wrong order.
 */
export function replaceCommandTable(readme: string): string {
  const begin = readme.indexOf(TABLE_BEGIN);
  const end = readme.indexOf(TABLE_END);
  if (begin < 0 || end < begin) {
    throw new Error(`README has no "${TABLE_BEGIN}" followed by "${TABLE_END}"`);
  }
  const head = readme.slice(0, begin + TABLE_BEGIN.length);
  return `${head}\n\n${formatCommandTable()}\n\n${readme.slice(end)}`;
}

if (import.meta.main) {
  await Deno.writeTextFile("README.md", replaceCommandTable(await Deno.readTextFile("README.md")));
}
