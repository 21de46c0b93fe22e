/**
 * The command `top`: the cluster in a terminal, again each second.
 *
 *     dashboard ─ each second ─► feed ─┐
 *     keys ─► what is looked at ───────┼─► screen ─► terminal
 *     size of the window ──────────────┘
 *
 * @module
 */

import { CONFIG_FLAGS } from "./parts/context.ts";
import type { Subcommand } from "./parts/subcommand.ts";
import { JSON_SWITCH, ONE_SCREEN } from "./top/flags.ts";

/** Flags of the config commands that it does not have: it writes no log, and no tables. */
const WITHOUT = ["L", "log-level", "output"];

/** See the header. */
export const topCommand: Subcommand = {
  name: "top",
  summary: "Show the cluster in a terminal, again each second.",
  details:
    "Keys: a s p g m l o choose a list, enter looks inside a row, < > r sort, ? helps, q quits.\n" +
    "NO_COLOR and TERM=dumb are followed. Without a terminal, one screen is printed as text.",
  flags: [ONE_SCREEN, JSON_SWITCH, ...CONFIG_FLAGS.filter(({ name }) => !WITHOUT.includes(name))],
  // What draws is loaded when it is needed: no other command does.
  run: async (values) => await (await import("./top/run_top.ts")).runTop(values),
};
