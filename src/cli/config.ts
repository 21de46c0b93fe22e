/**
 * The commands `config …`: those of Codis 2.0's codis-config, by the same names, and some more.
 *
 * @module
 */

import type { CommandGroup } from "./parts/subcommand.ts";
import { aclCommands } from "./config/acl.ts";
import { actionCommands } from "./config/action.ts";
import { auditCommand } from "./config/audit.ts";
import { checkCommand } from "./config/check.ts";
import { commandCommands } from "./config/command.ts";
import { eventsCommand } from "./config/events.ts";
import { groupCommands } from "./config/group.ts";
import { proxyCommands } from "./config/proxy.ts";
import { sentinelCommands } from "./config/sentinel.ts";
import { serverCommands } from "./config/server.ts";
import { CONFIG_FLAGS } from "./parts/context.ts";
import { slotCommands } from "./config/slot.ts";
import { statusCommand } from "./config/status.ts";
import { tokenCommands } from "./config/token.ts";
import { userCommands } from "./config/user.ts";
import { dumpCommand, restoreCommand } from "./config/dump.ts";
import { moveCommand } from "./config/move.ts";
import { dashboardCommand } from "./dashboard.ts";

/** See the header. */
export const configCommands: CommandGroup = {
  name: "config",
  summary: "Show and change a cluster through its dashboard.",
  flags: CONFIG_FLAGS,
  commands: [
    statusCommand,
    groupCommands,
    serverCommands,
    sentinelCommands,
    slotCommands,
    proxyCommands,
    actionCommands,
    commandCommands,
    aclCommands,
    userCommands,
    tokenCommands,
    eventsCommand,
    auditCommand,
    checkCommand,
    dumpCommand,
    restoreCommand,
    moveCommand,
    // codis-config has it by this name.
    dashboardCommand,
  ],
};
