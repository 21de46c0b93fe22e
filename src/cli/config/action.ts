/**
 * The commands `config action …`.
 *
 * @module
 */

import type { ActionView } from "../../api/cluster_view.ts";
import {
  type CommandGroup,
  type Flag,
  type FlagValues,
  isGiven,
  readValue,
  UsageError,
} from "../parts/subcommand.ts";
import { parseWhole } from "../parts/arguments.ts";
import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import type { CommandOutput } from "../parts/output.ts";
import type { CommandContext } from "../parts/context.ts";
import { formatTable } from "../parts/table.ts";

/** Largest value of `-n`. */
const KEEP_MAX = 1_000_000_000;
/** Largest value of `-s`: a hundred years. */
const SECONDS_MAX = 3_153_600_000;

const KEEP: Flag<number> = {
  name: "n",
  value: "num",
  default: "",
  help: "keep the newest <num> actions, and 500 more as Codis 2.0 does",
  parse: (text) => parseWhole(text, "a number of actions", 0, KEEP_MAX),
};

const SECONDS: Flag<number> = {
  name: "s",
  value: "seconds",
  default: "",
  help: "keep the actions of the last <seconds>, and the newest",
  parse: (text) => parseWhole(text, "an age in seconds", 0, SECONDS_MAX),
};

const ROWS: readonly ConfigRow[] = [
  {
    name: "list",
    summary: "Show the newest actions, and which proxies have confirmed them.",
    run: async (_values, context) => {
      const { actions } = await (await context.client()).cluster();
      return { json: actions, text: describeActions(actions) };
    },
  },
  {
    name: "gc",
    summary: "Remove old actions from the store.",
    details:
      "Use -n or -s to say which actions to keep. Without them, nothing is removed, as in Codis 2.0.",
    flags: [KEEP, SECONDS],
    run: collect,
  },
  {
    name: "remove-lock",
    summary: "Remove the lock of a dashboard that has crashed.",
    run: async (_values, context) => ({
      json: await (await context.client()).removeLocks(),
      text: "no lock is left",
    }),
  },
  {
    name: "remove-fence",
    summary: "Remove the fences of crashed proxies. First make sure that they do not run.",
    details:
      "While a proxy has a fence and is not online, the cluster cannot be changed: the proxy may still " +
      "serve\nwith an old slot table.",
    run: async (_values, context) => ({
      json: await (await context.client()).removeFences(),
      text: "no fence is left without an online proxy",
    }),
  },
];

/** See the header. */
export const actionCommands: CommandGroup = {
  name: "action",
  summary: "Show and remove actions; remove locks and fences after crashes.",
  flags: [],
  commands: ROWS.map(configCommand),
};

async function collect(values: FlagValues, context: CommandContext): Promise<CommandOutput> {
  const [byNumber, byAge] = [isGiven(values, KEEP), isGiven(values, SECONDS)];
  if (byNumber && byAge) {
    throw new UsageError("-n and -s cannot be used together");
  }
  // No error: scripts for Codis 2.0 may stop at one.
  if (!byNumber && !byAge) {
    return { text: "nothing was removed: use -n or -s to say which actions to keep" };
  }
  const bound = byNumber ? { keep: readValue(values, KEEP) } : { secs: readValue(values, SECONDS) };
  const json = await (await context.client()).gcActions(bound);
  return { json, text: "old actions removed" };
}

function describeActions(actions: readonly ActionView[]): string {
  if (actions.length === 0) return "there are no actions";
  return formatTable(
    ["ACTION", "MADE", "WHAT", "CONFIRMED"],
    actions.map(({ name, created_at, summary, receivers, answers }) => {
      const answered = new Set(answers.map(({ proxy_id }) => proxy_id));
      const silent = receivers.filter((id) => !answered.has(id));
      const missing = silent.length === 0 ? "" : `, not by ${silent.join(" ")}`;
      const confirmed = receivers.length === 0
        ? "not needed"
        : `${receivers.length - silent.length} of ${receivers.length}${missing}`;
      return [name, new Date(created_at).toISOString(), summary, confirmed];
    }),
  );
}
