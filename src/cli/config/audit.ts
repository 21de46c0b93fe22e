/**
 * The command `config audit`: who did what through the dashboard.
 *
 * @module
 */

import { type AuditEntry, isRefused } from "../../model/audit_entry.ts";
import { parseWhole } from "../parts/arguments.ts";
import { configCommand } from "../parts/config_command.ts";
import { type Flag, isGiven, readValue } from "../parts/subcommand.ts";
import { formatTable, maskControls } from "../parts/table.ts";

/** Most entries that are kept. */
const ENTRIES_MAX = 1_200;

const LIMIT: Flag<number> = {
  name: "n",
  value: "num",
  default: "50",
  help: "show the newest <num> entries",
  parse: (text) => parseWhole(text, "a number of entries", 1, ENTRIES_MAX),
};

const WHO: Flag<string> = {
  name: "who",
  value: "name",
  default: "",
  help: 'show only what one user or token did, such as alice or "token ci"',
  parse: (text) => text,
};

const REFUSED: Flag = {
  name: "refused",
  value: "",
  default: "",
  help: "show only what was refused: wrong logins, and what a role may not do",
};

/** See the header. */
export const auditCommand = configCommand({
  name: "audit",
  summary: "Show who changed what through the dashboard, and what was refused.",
  details:
    "The newest 1000 changes and 200 refusals are kept. audit_log keeps all of them in a file.",
  flags: [LIMIT, WHO, REFUSED],
  run: async (values, context) => {
    const { entries } = await (await context.client()).audit({
      limit: readValue(values, LIMIT),
      ...isGiven(values, WHO) ? { who: readValue(values, WHO) } : {},
      refused: isGiven(values, REFUSED),
    });
    const json = entries ?? [];
    return { json, text: json.length === 0 ? "nothing was noted" : auditTable(json) };
  },
});

function auditTable(entries: readonly AuditEntry[]): string {
  return formatTable(
    ["WHEN", "WHO", "FROM", "BY", "WHAT", "END"],
    entries.map((entry) => [
      new Date(entry.at).toISOString(),
      maskControls(entry.who),
      maskControls(entry.address),
      maskControls(entry.by),
      maskControls(`${entry.request} ${entry.arguments}`.trim()),
      `${isRefused(entry) ? `${entry.status}: ` : ""}${maskControls(entry.end)}${
        entry.count === 1 ? "" : ` (${entry.count} times)`
      }`,
    ]),
  );
}
