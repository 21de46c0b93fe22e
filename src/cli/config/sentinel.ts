/**
 * The commands `config sentinel …`.
 *
 * @module
 */

import type { SentinelsView } from "../../api/cluster_view.ts";
import { formatAddress, parseAddress } from "../../base/address.ts";
import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import {
  type Argument,
  type CommandGroup,
  type Flag,
  isGiven,
  readValue,
} from "../parts/subcommand.ts";
import { type Cell, formatTable } from "../parts/table.ts";

const SENTINEL_ADDR: Argument<string> = {
  name: "sentinel_addr",
  help: "host:port of a sentinel, mostly port 26379",
  parse: (text) => formatAddress(parseAddress(text)),
};

const FORCE: Flag = {
  name: "force",
  value: "",
  default: "",
  help: "remove a sentinel that does not answer and will not come back",
};

const ROWS: readonly ConfigRow[] = [
  {
    name: "list",
    summary: "Show the sentinels, and what each says of every group's master.",
    run: async (_values, context) => {
      const json = await (await context.client()).sentinels();
      return { json, text: formatSentinels(json) };
    },
  },
  {
    name: "add",
    summary: "Add a sentinel. It then watches every group, as <product>-<group_id>.",
    arguments: [SENTINEL_ADDR],
    run: async (values, context) => {
      const addr = readValue(values, SENTINEL_ADDR);
      const json = await (await context.client()).addSentinel(addr);
      return { json, text: `sentinel ${addr} added` };
    },
  },
  {
    name: "remove",
    summary: "Remove a sentinel. It then watches no group of this product.",
    arguments: [SENTINEL_ADDR],
    flags: [FORCE],
    run: async (values, context) => {
      const addr = readValue(values, SENTINEL_ADDR);
      const json = await (await context.client()).removeSentinel(addr, isGiven(values, FORCE));
      return { json, text: `sentinel ${addr} removed` };
    },
  },
  {
    name: "resync",
    summary: "Make all sentinels forget this product, and watch the masters of the slot table.",
    details:
      "Needed after sentinel_… keys or the password of the servers have changed, and when sentinels disagree.",
    run: async (_values, context) => {
      const json = await (await context.client()).resyncSentinels();
      return { json, text: "all sentinels watch the masters of the slot table" };
    },
  },
];

/** See the header. */
export const sentinelCommands: CommandGroup = {
  name: "sentinel",
  summary: "Redis Sentinels that decide about the masters.",
  flags: [],
  commands: ROWS.map(configCommand),
};

/** The sentinels as text, for a terminal. */
export function formatSentinels(view: SentinelsView | null): string {
  if (view === null) {
    return "there are no sentinels: `codis-proxy config sentinel add` adds one";
  }
  const sentinels = view.servers.map(({ addr, is_reachable, problem, down_seconds, masters }) => [
    addr,
    is_reachable ? "up" : `down for ${down_seconds} s: ${problem}`,
    is_reachable ? `${masters.length} of ${view.groups.length}` : "-",
  ]);
  const groups = view.groups.flatMap(({ group_id, problem }) => {
    const rows = view.servers.flatMap(({ addr, masters }): Cell[][] => {
      const master = masters.find((each) => each.group_id === group_id);
      if (master === undefined) return [];
      const { config_epoch, flags, replicas, other_sentinels } = master;
      return [[
        ...[`${group_id}`, addr, master.addr, config_epoch, replicas, other_sentinels],
        flags.join(", "),
      ]];
    });
    return problem === "" ? rows : [...rows, [`${group_id}`, problem, "", null, null, null, ""]];
  });
  const lines = [formatTable(["SENTINEL", "STATE", "GROUPS"], sentinels)];
  if (groups.length > 0) {
    const heads = ["GROUP", "SENTINEL", "MASTER", "EPOCH", "REPLICAS", "OTHERS", "FLAGS"];
    lines.push(formatTable(heads, groups));
  }
  if (view.problem !== "") lines.push(`not in sync: ${view.problem}`);
  return lines.join("\n\n");
}
