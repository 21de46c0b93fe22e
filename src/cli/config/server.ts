/**
 * The commands `config server …`.
 *
 * @module
 */

import {
  type Argument,
  type CommandGroup,
  type Flag,
  isGiven,
  readValue,
} from "../parts/subcommand.ts";
import { parseZone } from "../../model/server_zone.ts";
import { GROUP_ID, REDIS_ADDR, wordArgument } from "../parts/arguments.ts";
import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import { hardenRow } from "./server/harden.ts";
import { importRow } from "./server/import.ts";
import { type Cell, formatTable } from "../parts/table.ts";

const ROLE = wordArgument(
  "role",
  ["master", "slave", "offline"],
  "master, slave, or offline, which is told nothing and used by nobody until it is promoted; the first server of a " +
    "group becomes its master",
);

const ADD_ANYWAY: Flag = {
  name: "force",
  value: "",
  default: "",
  help: "add a slave that holds keys (they are deleted), or a master that does not answer",
};

const ZONE_NAME: Argument<string> = {
  name: "zone",
  help: "at most 64 letters, digits and . _ : -; left out: none",
  isOptional: true,
  parse: parseZone,
};

const ZONE: Flag<string> = {
  name: "zone",
  value: "name",
  default: "",
  help: "zone of the server, for proxies with read_from = nearest; empty: none",
  parse: parseZone,
};

const FORCE: Flag = {
  name: "force",
  value: "",
  default: "",
  help: "promote a slave that lags, or whose replication state is unknown; writes may be lost",
};

const ROWS: readonly ConfigRow[] = [
  {
    name: "list",
    summary: "Show every group and its servers.",
    run: async (_values, context) => {
      const groups = await (await context.client()).groups();
      const rows = [...groups ?? []].sort((a, b) => a.id - b.id).flatMap(({ id, servers }) => {
        if ((servers ?? []).length === 0) return [[`${id}`, "", "no servers"]];
        return (servers ?? []).map(({ type, addr, zone }): Cell[] => [
          `${id}`,
          type,
          addr,
          ...zone === undefined ? [] : [zone],
        ]);
      });
      const zones = rows.some(({ length }) => length > 3) ? ["ZONE"] : [];
      const text = rows.length === 0
        ? "there are no groups yet: `codis-proxy config server add` creates one"
        : formatTable(["GROUP", "ROLE", "SERVER", ...zones], rows);
      return { json: groups, text };
    },
  },
  {
    name: "add",
    summary: "Add a Redis server to a group. A missing group is created.",
    details: "A slave starts to replicate the group's master. Adding it again repeats this.",
    arguments: [GROUP_ID, REDIS_ADDR, ROLE],
    flags: [ADD_ANYWAY, ZONE],
    run: async (values, context) => {
      const [groupId, addr] = [readValue(values, GROUP_ID), readValue(values, REDIS_ADDR)];
      const role = readValue(values, ROLE);
      const client = await context.client();
      const zone = isGiven(values, ZONE) ? readValue(values, ZONE) : undefined;
      const json = await client.addServer(groupId, addr, role, isGiven(values, ADD_ANYWAY), zone);
      return { json, text: `${addr} added to group ${groupId}` };
    },
  },
  {
    name: "zone",
    summary: "Say which zone a Redis server is in, for proxies with read_from = nearest.",
    arguments: [GROUP_ID, REDIS_ADDR, ZONE_NAME],
    run: async (values, context) => {
      const [groupId, addr] = [readValue(values, GROUP_ID), readValue(values, REDIS_ADDR)];
      const zone = isGiven(values, ZONE_NAME) ? readValue(values, ZONE_NAME) : "";
      const json = await (await context.client()).setServerZone(groupId, addr, zone);
      return { json, text: `${addr} is in ${zone === "" ? "no zone" : `zone ${zone}`}` };
    },
  },
  {
    name: "remove",
    summary: "Remove a Redis server from its group. A master cannot be removed.",
    arguments: [GROUP_ID, REDIS_ADDR],
    run: async (values, context) => {
      const [groupId, addr] = [readValue(values, GROUP_ID), readValue(values, REDIS_ADDR)];
      const json = await (await context.client()).removeServer(groupId, addr);
      return { json, text: `${addr} removed from group ${groupId}` };
    },
  },
  {
    name: "promote",
    summary: "Make a slave the master of its group.",
    arguments: [GROUP_ID, REDIS_ADDR],
    flags: [FORCE],
    run: async (values, context) => {
      const [groupId, addr] = [readValue(values, GROUP_ID), readValue(values, REDIS_ADDR)];
      const client = await context.client();
      const json = await client.promoteServer(groupId, addr, isGiven(values, FORCE));
      return { json, text: `${addr} is the master of group ${groupId}` };
    },
  },
  {
    name: "add-group",
    summary: "Create a group without servers.",
    arguments: [GROUP_ID],
    run: async (values, context) => {
      const groupId = readValue(values, GROUP_ID);
      const json = await (await context.client()).addGroup(groupId);
      return { json, text: `group ${groupId} added` };
    },
  },
  {
    name: "remove-group",
    summary: "Remove a group and its servers from the store. It must not own slots.",
    arguments: [GROUP_ID],
    run: async (values, context) => {
      const groupId = readValue(values, GROUP_ID);
      const json = await (await context.client()).removeGroup(groupId);
      return { json, text: `group ${groupId} removed` };
    },
  },
  importRow,
  hardenRow,
];

/** See the header. */
export const serverCommands: CommandGroup = {
  name: "server",
  summary: "Groups and their Redis servers.",
  flags: [],
  commands: ROWS.map(configCommand),
};
