/**
 * The commands `config user …`: people who log in at the dashboard.
 *
 * @module
 */

import { ACCESS_NAME_RULE, isAccessName, type Role, ROLES } from "../../model/dashboard_user.ts";
import { parseWord } from "../parts/arguments.ts";
import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import { readNewPassword } from "../parts/password.ts";
import {
  type Argument,
  type CommandGroup,
  type Flag,
  isGiven,
  readValue,
  UsageError,
} from "../parts/subcommand.ts";
import { formatTable } from "../parts/table.ts";

/** A user or an API token. */
export const ACCESS_NAME: Argument<string> = {
  name: "name",
  help: ACCESS_NAME_RULE,
  parse: (text) => {
    if (isAccessName(text)) return text;
    throw new SyntaxError(`"${text}" is not ${ACCESS_NAME_RULE}`);
  },
};

/** What somebody may do. */
export const ROLE: Flag<Role> = {
  name: "role",
  value: "role",
  default: "viewer",
  words: ROLES,
  help: "viewer: reads; operator: changes the cluster; admin: users, tokens, rules, removal, too",
  parse: (text) => parseWord(text, ROLES),
};

const NEW_ROLE: Flag<Role> = { ...ROLE, default: "", help: "the new role" };

const PASSWORD_FILE: Flag<string> = {
  name: "password-file",
  value: "file",
  default: "",
  isFile: true,
  help: "read the password from this file; without this flag: ask for it, or read standard input",
  parse: (text) => text,
};

const NEW_PASSWORD: Flag = {
  name: "password",
  value: "",
  default: "",
  help: "ask for a new password, or read it from standard input",
};

const ROWS: readonly ConfigRow[] = [
  {
    name: "list",
    summary: "Show the users of the dashboard and their roles.",
    run: async (_values, context) => {
      const json = await (await context.client()).users() ?? [];
      const text = json.length === 0 ? "there are no users" : formatTable(
        ["NAME", "ROLE", "MADE", "CHANGED"],
        json.map(({ name, role, created_at, changed_at }) => [
          ...[name, role, new Date(created_at).toISOString(), new Date(changed_at).toISOString()],
        ]),
      );
      return { json, text };
    },
  },
  {
    name: "add",
    summary: "Make a user who can log in at the dashboard.",
    details:
      "From the first user or token on, every request to the dashboard needs a login or a token, also from\n" +
      "this machine: first make a token for proxies and config commands (config token add). Users are for\n" +
      "the dashboard only; Redis clients do not see them.",
    arguments: [ACCESS_NAME],
    flags: [ROLE, PASSWORD_FILE],
    run: async (values, context) => {
      const [name, role] = [readValue(values, ACCESS_NAME), readValue(values, ROLE)];
      const password = await readNewPassword(readValue(values, PASSWORD_FILE));
      const json = await (await context.client()).addUser(name, role, password);
      return { json, text: `user ${name} can log in, as ${role}` };
    },
  },
  {
    name: "set",
    summary: "Change a user's role or password. Sessions of this user end.",
    arguments: [ACCESS_NAME],
    flags: [NEW_ROLE, NEW_PASSWORD, PASSWORD_FILE],
    run: async (values, context) => {
      const name = readValue(values, ACCESS_NAME);
      const hasPassword = isGiven(values, NEW_PASSWORD) || isGiven(values, PASSWORD_FILE);
      if (!hasPassword && !isGiven(values, NEW_ROLE)) {
        throw new UsageError("nothing to change: use --role, --password or --password-file");
      }
      const json = await (await context.client()).setUser(name, {
        ...isGiven(values, NEW_ROLE) ? { role: readValue(values, NEW_ROLE) } : {},
        ...hasPassword ? { password: await readNewPassword(readValue(values, PASSWORD_FILE)) } : {},
      });
      return { json, text: `user ${name} changed` };
    },
  },
  {
    name: "remove",
    summary: "Remove a user. Sessions of this user end.",
    arguments: [ACCESS_NAME],
    run: async (values, context) => {
      const name = readValue(values, ACCESS_NAME);
      const json = await (await context.client()).removeUser(name);
      return { json, text: `user ${name} removed` };
    },
  },
];

/** See the header. */
export const userCommands: CommandGroup = {
  name: "user",
  summary: "Make and remove users of the dashboard.",
  flags: [],
  commands: ROWS.map(configCommand),
};
