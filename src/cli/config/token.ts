/**
 * The commands `config token …`: tokens of programs that use the dashboard.
 *
 * @module
 */

import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import { TOKEN_VARIABLE } from "../parts/context.ts";
import { type CommandGroup, type Flag, isGiven, readValue } from "../parts/subcommand.ts";
import { formatTable } from "../parts/table.ts";
import { ACCESS_NAME, ROLE } from "./user.ts";

/** Seconds of the units of `--expires`. */
const UNITS: Readonly<Record<string, number>> = { h: 3_600, d: 86_400, y: 31_536_000 };
/** Longest life, in years. */
const YEARS_MAX = 10;

const EXPIRES: Flag<number> = {
  name: "expires",
  value: "time",
  default: "",
  help: "how long it is good, such as 12h, 30d or 1y; without this flag: until it is removed",
  parse: (text) => {
    const [, digits, unit] = /^([1-9]\d{0,5})([hdy])$/.exec(text) ?? [];
    const seconds = Number(digits) * (UNITS[unit ?? ""] ?? NaN);
    if (seconds <= YEARS_MAX * UNITS["y"]!) return seconds;
    throw new SyntaxError(`"${text}" is not a time such as 12h, 30d or 1y, ${YEARS_MAX}y at most`);
  },
};

const ROWS: readonly ConfigRow[] = [
  {
    name: "list",
    summary: "Show the API tokens: name, role, how each begins, until when it is good.",
    run: async (_values, context) => {
      const json = await (await context.client()).tokens() ?? [];
      const text = json.length === 0 ? "there are no API tokens" : formatTable(
        ["NAME", "ROLE", "BEGINS", "MADE", "GOOD UNTIL"],
        json.map(({ name, role, prefix, created_at, expires_at }) => [
          ...[name, role, prefix, new Date(created_at).toISOString()],
          expires_at === 0 ? "removed" : new Date(expires_at).toISOString(),
        ]),
      );
      return { json, text };
    },
  },
  {
    name: "add",
    summary: "Make an API token, and show it this once.",
    details:
      `Programs send it as Authorization: Bearer <token>. config commands take it from ${TOKEN_VARIABLE}\n` +
      "or from dashboard_token in config.ini, proxies from the latter. From the first user or token on,\n" +
      "every request to the dashboard needs a login or a token.",
    arguments: [ACCESS_NAME],
    flags: [ROLE, EXPIRES],
    run: async (values, context) => {
      const json = await (await context.client()).addToken({
        name: readValue(values, ACCESS_NAME),
        role: readValue(values, ROLE),
        ...isGiven(values, EXPIRES) ? { expires_seconds: readValue(values, EXPIRES) } : {},
      });
      return { json, text: json.token };
    },
  },
  {
    name: "remove",
    summary: "Withdraw an API token at once.",
    arguments: [ACCESS_NAME],
    run: async (values, context) => {
      const name = readValue(values, ACCESS_NAME);
      const json = await (await context.client()).removeToken(name);
      return { json, text: `token ${name} is good no longer` };
    },
  },
];

/** See the header. */
export const tokenCommands: CommandGroup = {
  name: "token",
  summary: "Make and withdraw tokens of programs that use the dashboard.",
  flags: [],
  commands: ROWS.map(configCommand),
};
