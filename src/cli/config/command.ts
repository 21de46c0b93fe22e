/**
 * The commands `config command …`.
 *
 * @module
 */

import { isAllowedWay, storedCommandName } from "../../model/allowed_command.ts";
import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import { type Argument, type CommandGroup, readValue } from "../parts/subcommand.ts";
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
  help: "key=N, block=N, any or all",
  parse: (text) => {
    if (isAllowedWay(text)) return text;
    throw new SyntaxError(`"${text}" is not key=N, block=N, any or all`);
  },
};

const ROWS: readonly ConfigRow[] = [
  {
    name: "allow",
    summary:
      "Let a Redis command through that proxies refuse because its servers say too little of it.",
    details:
      "<way> says where it is sent: key=N to the server of the key at argument N (the name is " +
      "argument 0),\nblock=N the same for a command that may block, over a connection of its client's own,\nany to one server, the same for all requests, all to every master. Only a command " +
      "that all servers know\nand that this proxy's own table has not can be allowed.",
    arguments: [NAME, WAY],
    run: async (values, context) => {
      const [name, way] = [readValue(values, NAME), readValue(values, WAY)];
      const json = await (await context.client()).allowCommand({ name, way });
      return { json, text: `${shownName(name)} is allowed, sent by ${way}` };
    },
  },
  {
    name: "list",
    summary: "Show the Redis commands that were allowed.",
    run: async (_values, context) => {
      const json = await (await context.client()).allowedCommands() ?? [];
      const text = json.length === 0
        ? "no command was allowed"
        : formatTable(["COMMAND", "SENT BY"], json.map(({ name, way }) => [shownName(name), way]));
      return { json, text };
    },
  },
  {
    name: "remove",
    summary: "Let a Redis command through no longer.",
    arguments: [NAME],
    run: async (values, context) => {
      const name = readValue(values, NAME);
      const json = await (await context.client()).disallowCommand(name);
      return { json, text: `${shownName(name)} is not allowed any more` };
    },
  },
];

/** See the header. */
export const commandCommands: CommandGroup = {
  name: "command",
  summary: "Say how Redis commands are sent that only the servers know.",
  flags: [],
  commands: ROWS.map(configCommand),
};

function shownName(name: string): string {
  return name.toUpperCase().replace("|", " ");
}
