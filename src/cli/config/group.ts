/**
 * The commands `config group …`.
 *
 * @module
 */

import type { CommandGroup } from "../parts/subcommand.ts";
import { isGiven, readValue } from "../parts/subcommand.ts";
import { DELAY, GROUP_ID, WAIT } from "../parts/arguments.ts";
import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import { carryOutPlan, DRY_RUN } from "../parts/move_plan.ts";

/** The command `group drain`, and `slot drain`. */
export const drainRow: ConfigRow = {
  name: "drain",
  summary: "Move all slots of a group to the other groups. Then it can be removed.",
  arguments: [GROUP_ID],
  flags: [DRY_RUN, DELAY, WAIT],
  run: (values, context) => {
    const groupId = readValue(values, GROUP_ID);
    const delay = isGiven(values, DELAY) ? { delay: readValue(values, DELAY) } : {};
    return carryOutPlan(values, context, {
      plan: (client) => client.planDrain(groupId),
      queue: (client) => client.drainGroup(groupId, delay),
    });
  },
};

const switchRow: ConfigRow = {
  name: "switch",
  summary: "Make the best replica of a group its master, without losing a write.",
  details: "It is the replica with most of the master's changes among those that are linked to it.",
  arguments: [GROUP_ID],
  flags: [],
  run: async (values, context) => {
    const groupId = readValue(values, GROUP_ID);
    const json = await (await context.client()).switchMaster(groupId);
    return { json, text: `${json.addr} is the master of group ${groupId}` };
  },
};

/** See the header. */
export const groupCommands: CommandGroup = {
  name: "group",
  summary: "Groups of servers; `config server` adds and removes them.",
  flags: [],
  commands: [drainRow, switchRow].map(configCommand),
};
