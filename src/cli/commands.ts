/**
 * Every command, by the word that names it.
 *
 * @module
 */

import { tryCommand } from "./check.ts";
import { completionCommand } from "./completion.ts";
import { configCommands } from "./config.ts";
import { dashboardCommand } from "./dashboard.ts";
import { demoCommand } from "./demo.ts";
import { drainCommand } from "./drain.ts";
import { exportCommand } from "./export.ts";
import { importCommand } from "./import.ts";
import { PROGRAM } from "./parts/help.ts";
import type { CommandGroup } from "./parts/subcommand.ts";
import { proxyCommand } from "./proxy.ts";
import { reloadCommand } from "./reload.ts";
import { topCommand } from "./top.ts";

/** The whole command line. */
export const ROOT: CommandGroup = {
  name: PROGRAM,
  summary: "A proxy that shards Redis.",
  flags: [],
  commands: [
    proxyCommand,
    drainCommand,
    dashboardCommand,
    configCommands,
    tryCommand,
    reloadCommand,
    importCommand,
    exportCommand,
    topCommand,
    demoCommand,
    completionCommand(() => ROOT),
  ],
};
