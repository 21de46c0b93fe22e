/**
 * Writes the shipped config.ini and docs/configuration.md from the table of keys: `deno task gen:config`.
 *
 * @module
 */

import { replaceGeneratedSection } from "../base/generated_section.ts";
import type { ConfigKey } from "./key.ts";
import { CONFIG_KEYS } from "./keys.ts";
import { isSecretKey, secretFileKey, secretVariable } from "./secrets.ts";
import { describeConfigRule } from "./value.ts";

/** The file with the table of keys, and the name of its generated part. */
const DOCUMENT = "docs/configuration.md";
const SECTION = "config";

/** Whether another value needs a restart, in the words of the table. */
const RESTARTS = { live: "no", while_set: "to set or unset it", restart: "yes" } as const;

/** Longest line of a comment in config.ini, in characters. */
const COLUMN_MAX = 100;

/** The whole text of the shipped config.ini: every key, its help, its rule and its default. */
export function formatSampleConfig(): string {
  const blocks = (CONFIG_KEYS as readonly ConfigKey[]).map((row) => {
    const initial = row.default === "" ? "not set" : row.default;
    const comment = wrap(`${helpOf(row)} (${describeConfigRule(row)}; default: ${initial})`);
    return `${comment}\n${formatSampleLine(row)}\n`;
  });
  const head = wrap(
    "All settings of the proxy, the dashboard and the config commands. Generated from " +
      "src/config/keys.ts by: deno task gen:config",
  );
  return `${head}\n\n${blocks.join("\n")}`;
}

/** The table of keys, in Markdown. */
export function formatConfigTable(): string {
  const rows = (CONFIG_KEYS as readonly ConfigKey[]).map((row) => {
    const initial = row.default === "" ? "" : `\`${row.default}\``;
    const cells = [
      ...[`\`${row.key}\``, initial, describeConfigRule(row)],
      RESTARTS[row.reload ?? "restart"],
      helpOf(row),
    ];
    return `| ${cells.map((cell) => cell.replaceAll("<", "&lt;")).join(" | ")} |`;
  });
  return [
    "| key | default | value | restart | meaning |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

/**
 * Puts the table of keys into its document.
 *
 * @param document The whole of docs/configuration.md.
 * @returns The whole new document.
 * @throws {Error} When it has no place for the table.
 */
export function replaceConfigTable(document: string): string {
  return replaceGeneratedSection(document, SECTION, formatConfigTable());
}

/** What a key is for; a secret may also be elsewhere. */
function helpOf(row: ConfigKey): string {
  if (!isSecretKey(row)) return row.help;
  return `${row.help} Elsewhere: ${secretFileKey(row)} names a file, ${secretVariable(row)} is a ` +
    "variable of the environment.";
}

function formatSampleLine(row: ConfigKey): string {
  if (row.sample !== undefined) return `${row.key} = ${row.sample}`;
  if (row.default !== "") return `${row.key} = ${row.default}`;
  // A key without a default stays a comment: an empty value may differ from a key that is not set.
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
  await Deno.writeTextFile(DOCUMENT, replaceConfigTable(await Deno.readTextFile(DOCUMENT)));
}
