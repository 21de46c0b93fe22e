/**
 * Writes the shipped config.ini and the README's table of keys from the table of keys.
 *
 * @module
 */

import { CONFIG_KEYS, type ConfigKey } from "./keys.ts";
import { describeConfigRule } from "./value.ts";

/** Where the README's table begins and ends. */
const TABLE_BEGIN = "<!-- config -->";
const TABLE_END = "<!-- /config -->";

/** Help lines of config.ini are broken before this column. */
const COLUMN_MAX = 100;

/** The whole text of the shipped config.ini: every key, its help, its rule and its default. */
export function formatSampleConfig(): string {
  const blocks = (CONFIG_KEYS as readonly ConfigKey[]).map((row) => {
    const initial = row.default === "" ? "not set" : row.default;
    const comment = wrap(`${row.help} (${describeConfigRule(row)}; default: ${initial})`);
    return `${comment}\n${formatSampleLine(row)}\n`;
  });
  const head = wrap(
    "Every setting of the proxy, the dashboard and the config commands, written from the table in " +
      "src/config/keys.ts by: deno task gen:config",
  );
  return `${head}\n\n${blocks.join("\n")}`;
}

/** The README's table of keys, without the markers. */
export function formatConfigTable(): string {
  const rows = (CONFIG_KEYS as readonly ConfigKey[]).map((row) => {
    const initial = row.default === "" ? "" : `\`${row.default}\``;
    const cells = [`\`${row.key}\``, initial, describeConfigRule(row), row.help];
    return `| ${cells.map((cell) => cell.replaceAll("<", "&lt;")).join(" | ")} |`;
  });
  return ["| key | default | value | meaning |", "|---|---|---|---|", ...rows].join("\n");
}

/**
 * Puts the table between the README's markers.
 *
 * @returns The whole new README.
 * @throws {Error} When the markers are missing or in the wrong order.
 */
export function replaceConfigTable(readme: string): string {
  const begin = readme.indexOf(TABLE_BEGIN);
  const end = readme.indexOf(TABLE_END);
  if (begin < 0 || end < begin) {
    throw new Error(`README has no "${TABLE_BEGIN}" followed by "${TABLE_END}"`);
  }
  const head = readme.slice(0, begin + TABLE_BEGIN.length);
  return `${head}\n\n${formatConfigTable()}\n\n${readme.slice(end)}`;
}

function formatSampleLine(row: ConfigKey): string {
  if (row.sample !== undefined) return `${row.key} = ${row.sample}`;
  if (row.default !== "") return `${row.key} = ${row.default}`;
  // A key without a default stays a comment: set but empty can mean something else than not set.
  return `# ${row.key} =${row.example === undefined ? "" : ` ${row.example}`}`;
}

function wrap(text: string): string {
  const lines: string[] = [];
  let line = "#";
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > COLUMN_MAX) {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  return [...lines, line].join("\n");
}

if (import.meta.main) {
  await Deno.writeTextFile("config.ini", formatSampleConfig());
  await Deno.writeTextFile("README.md", replaceConfigTable(await Deno.readTextFile("README.md")));
}
