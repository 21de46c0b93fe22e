/**
 * The commands `config command …`.
 *
 * @module
 */

import { findByName } from "../../command/command_table.ts";
import {
  ALLOWED_WAYS,
  isAllowedWay,
  shownCommandName,
  storedCommandName,
} from "../../model/allowed_command.ts";
import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import { type Argument, type CommandGroup, readValue, UsageError } from "../parts/subcommand.ts";
import { formatTable } from "../parts/table.ts";

const NAME: Argument<string> = {
  name: "name",
  help: 'a Redis command, such as FT.SEARCH or "FT.CONFIG GET"',
  parse: (text) => {
    const name = storedCommandName(text);
    if (name !== "") return name;
    throw new SyntaxError(`"${text}" is not the name of a Redis command`);
  },
};

const WAY: Argument<string> = {
  name: "way",
  help: ALLOWED_WAYS,
  parse: (text) => {
    if (isAllowedWay(text)) return text;
    throw new SyntaxError(`"${text}" is not ${ALLOWED_WAYS}`);
  },
};

const ROWS: readonly ConfigRow[] = [
  {
    name: "allow",
    summary: "Allow a Redis command that only the servers know, and say where it is sent.",
    details:
      "Proxies refuse a command when its servers do not say enough about it. <way> is one of:\n" +
      "key=N to the server of the key at argument N (the name is argument 0),\n" +
      "block=N the same, for a command that may block: each client gets a connection of its own for it,\n" +
      "any to one server, the same for all requests, all to every master.\n" +
      "All servers must know the command. Commands of docs/commands.md cannot be allowed.",
    arguments: [NAME, WAY],
    run: async (values, context) => {
      const [name, way] = [readValue(values, NAME), readValue(values, WAY)];
      if (findByName(name) !== undefined) {
        throw new UsageError(
          `${
            shownCommandName(name)
          } is a command of Redis 7.0: where it goes is fixed, see docs/commands.md`,
        );
      }
      const json = await (await context.client()).allowCommand({ name, way });
      return { json, text: `${shownCommandName(name)} is allowed, sent by ${way}` };
    },
  },
  {
    name: "list",
    summary: "Show the allowed commands.",
    run: async (_values, context) => {
      const json = await (await context.client()).allowedCommands() ?? [];
      const text = json.length === 0 ? "no command is allowed" : formatTable(
        ["COMMAND", "SENT BY"],
        json.map(({ name, way }) => [shownCommandName(name), way]),
      );
      return { json, text };
    },
  },
  {
    name: "remove",
    summary: "Refuse a command again that was allowed.",
    arguments: [NAME],
    run: async (values, context) => {
      const name = readValue(values, NAME);
      const json = await (await context.client()).disallowCommand(name);
      return { json, text: `${shownCommandName(name)} is not allowed any more` };
    },
  },
];

/** See the header. */
export const commandCommands: CommandGroup = {
  name: "command",
  summary: "Allow Redis commands that only the servers know.",
  flags: [],
  commands: ROWS.map(configCommand),
};
