/**
 * The commands `config slot …`.
 *
 * @module
 */

import type { DashboardClient } from "../../api/dashboard_client.ts";
import { DashboardError } from "../../api/dashboard_errors.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { SlotRecord } from "../../model/slot.ts";
import {
  type Argument,
  type CommandGroup,
  type Flag,
  type FlagValues,
  isGiven,
  readValue,
  UsageError,
} from "../parts/subcommand.ts";
import {
  DELAY,
  GROUP_ID,
  parseWord,
  readSlotRange,
  SLOT_FROM,
  SLOT_ID,
  SLOT_TO,
  WAIT,
  wordArgument,
} from "../parts/arguments.ts";
import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import { drainRow } from "./group.ts";
import { queueAndWait, queueOnly } from "../parts/migration_wait.ts";
import { carryOutPlan, DRY_RUN } from "../parts/move_plan.ts";
import type { CommandOutput } from "../parts/output.ts";
import { Progress } from "../parts/progress.ts";
import type { CommandContext } from "../parts/context.ts";
import { formatSlots } from "../parts/slot_ranges.ts";
import { countOf, formatFields } from "../parts/table.ts";

/** Time between two looks at how many slots are made, in milliseconds. */
const INIT_POLL_MS = 500;

/** What slots at rest may be set to. */
const STATUS = wordArgument("status", ["online", "offline"]);

const FORCE_INIT: Flag = {
  name: "f",
  value: "",
  default: "",
  help: "also when there are slots: who owns them is forgotten",
};

const BACK: Flag = {
  name: "back",
  value: "",
  default: "",
  help: "what has begun is moved back in any case",
};

const FINISH: Flag = {
  name: "finish",
  value: "",
  default: "",
  help: "what has begun comes to its end",
};

const BALANCE = ["memory", "slots", "ops"] as const;

const BY: Flag<(typeof BALANCE)[number]> = {
  name: "by",
  value: "what",
  default: "",
  help:
    "memory: by maxmemory of the masters, as in Codis 2.0 and without --by; slots: as many for " +
    "each group; ops: as many requests for each group, as proxies count them",
  words: BALANCE,
  parse: (text) => parseWord(text, BALANCE),
};

const TASK: Argument<string> = {
  name: "task",
  help: "name of a task, as `config status` shows it; without it all of them",
  isOptional: true,
  parse: (text) => {
    if (/^\d{1,20}$/.test(text)) return text;
    throw new SyntaxError(`"${text}" is not the name of a task: digits only`);
  },
};

const ROWS: readonly ConfigRow[] = [
  {
    name: "list",
    summary: "Show who owns which slots.",
    run: async (_values, context) => {
      const slots = await (await context.client()).slots() ?? [];
      const sorted = [...slots].sort((a, b) => a.id - b.id);
      const text = sorted.length === 0
        ? "there are no slots yet: make them with `codis-proxy config slot init`"
        : formatSlots(sorted);
      return { json: sorted, text };
    },
  },
  {
    name: "info",
    summary: "Show one slot.",
    arguments: [SLOT_ID],
    run: async (values, context) => {
      const slotId = readValue(values, SLOT_ID);
      const slot = await (await context.client()).slot(slotId);
      return { json: slot, text: describeSlot(slot) };
    },
  },
  {
    name: "init",
    summary: `Make all ${SLOT_COUNT} slots, owned by nobody.`,
    details: "Once for each product, before slots are given to groups with range-set.",
    flags: [FORCE_INIT],
    run: async (values, context) => {
      const client = await context.client();
      const json = await initSlots(client, isGiven(values, FORCE_INIT));
      return { json, text: `${SLOT_COUNT} slots made, offline and owned by nobody` };
    },
  },
  {
    name: "set",
    summary: "Give one slot that is offline to a group.",
    details: "A slot that is online is moved with migrate.",
    arguments: [SLOT_ID, GROUP_ID, STATUS],
    run: (values, context) => {
      const slotId = readValue(values, SLOT_ID);
      return setSlots(values, context, slotId, slotId);
    },
  },
  {
    name: "range-set",
    summary: "Give slots that are offline to a group.",
    details: "Slots that are online are moved with migrate.",
    arguments: [SLOT_FROM, SLOT_TO, GROUP_ID, STATUS],
    run: (values, context) => {
      const { from, to } = readSlotRange(values);
      return setSlots(values, context, from, to);
    },
  },
  {
    name: "migrate",
    summary: "Move slots and their keys to a group, while clients go on.",
    arguments: [SLOT_FROM, SLOT_TO, GROUP_ID],
    flags: [DELAY, WAIT],
    run: migrate,
  },
  {
    name: "rebalance",
    summary: "Move slots so that groups have as many as the maxmemory of their masters wants.",
    details: "Refused where a master has no maxmemory, as in Codis 2.0; --by divides otherwise.",
    flags: [DRY_RUN, BY, DELAY, WAIT],
    run: rebalance,
  },
  drainRow,
  {
    name: "pause",
    summary:
      "Let migrations rest: slots on their way stay so, and clients are served; keys of such slots that " +
      "clients use still move.",
    run: async (_values, context) => {
      const json = await (await context.client()).setMigrationsPaused(true);
      return { json, text: "paused until `slot resume`, whichever dashboard leads" };
    },
  },
  {
    name: "resume",
    summary: "Let migrations go on.",
    run: async (_values, context) => {
      const json = await (await context.client()).setMigrationsPaused(false);
      return { json, text: "going on" };
    },
  },
  {
    name: "cancel",
    summary: "Cancel a migration task, or all: what has not begun goes, what has is moved back.",
    details: "Without --back and --finish what is nearly done is let finish, and a task that is " +
      "cancelled twice goes forward again.",
    arguments: [TASK],
    flags: [BACK, FINISH],
    run: cancel,
  },
];

/** See the header. */
export const slotCommands: CommandGroup = {
  name: "slot",
  summary: "Who owns which slots, and moving them.",
  flags: [],
  commands: ROWS.map(configCommand),
};

async function setSlots(
  values: FlagValues,
  context: CommandContext,
  from: number,
  to: number,
): Promise<CommandOutput> {
  const groupId = readValue(values, GROUP_ID);
  const status = readValue(values, STATUS);
  const client = await context.client();
  const json = await client.setSlots({ from, to, new_group: groupId, status });
  return { json, text: `${slotsText(from, to)} set: group ${groupId}, ${status}` };
}

async function migrate(values: FlagValues, context: CommandContext): Promise<CommandOutput> {
  const { from, to } = readSlotRange(values);
  const groupId = readValue(values, GROUP_ID);
  const delay = isGiven(values, DELAY) ? readValue(values, DELAY) : 0;
  const client = await context.client();
  const queue = () => client.migrate({ from, to, new_group: groupId, delay });
  if (isGiven(values, WAIT)) return await queueAndWait(client, queue);
  const text = `${countOf(to - from + 1, "task")} queued: ${
    slotsText(from, to)
  } → group ${groupId}`;
  return await queueOnly(client, queue, text);
}

async function cancel(values: FlagValues, context: CommandContext): Promise<CommandOutput> {
  const [isBack, isFinish] = [isGiven(values, BACK), isGiven(values, FINISH)];
  if (isBack && isFinish) {
    throw new UsageError("--back and --finish do not go together: what has begun does one of them");
  }
  const mode = isBack ? "back" : isFinish ? "finish" : undefined;
  const name = isGiven(values, TASK) ? readValue(values, TASK) : undefined;
  const client = await context.client();
  const begun = isBack
    ? "; what had begun goes back"
    : isFinish
    ? "; what had begun comes to its end"
    : "";
  if (name === undefined) {
    return { json: await client.cancelTasks(mode), text: `all cancelled${begun}` };
  }
  const json = await client.cancelTask(name, mode);
  return { json, text: `task ${name} cancelled${begun}` };
}

function rebalance(values: FlagValues, context: CommandContext): Promise<CommandOutput> {
  const request = {
    ...(isGiven(values, BY) ? { by: readValue(values, BY) } : {}),
    ...(isGiven(values, DELAY) ? { delay: readValue(values, DELAY) } : {}),
  };
  return carryOutPlan(values, () => context.client(), {
    plan: (client) => withChoice(client.planRebalance(request)),
    queue: (client) => withChoice(client.rebalance(request)),
  });
}

/** Codis 2.0's refusal says nothing of what else could be done. */
async function withChoice<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof DashboardError) || !/should set maxmemory/.test(error.text)) throw error;
    const choice = "or divide by number of slots: --by=slots";
    throw new Error(`${error.message}; ${choice}`, { cause: error });
  }
}

/** On a terminal it is shown how many slots are made; Codis 2.0's dashboard takes minutes for it. */
async function initSlots(client: DashboardClient, isForced: boolean): Promise<unknown> {
  using progress = new Progress();
  const making = client.initSlots(isForced);
  if (!progress.isTerminal) return await making;
  let isMade = false;
  const made = making.finally(() => isMade = true);
  // Its failure is the caller's; here it only ends the watching.
  const ended = made.then(() => {}, () => {});
  for (;;) {
    const pause = new Promise((resolve) => setTimeout(resolve, INIT_POLL_MS));
    await Promise.race([ended, pause]);
    if (isMade) return await made;
    // A dashboard that has no such page, or is too busy, is not looked at.
    const view = await client.cluster().catch(() => undefined);
    const count = view?.slots.status.split("x").length ?? 1;
    if (!isMade) progress.show(count - 1, SLOT_COUNT, "slots");
  }
}

function describeSlot({ id, product_name, group_id, state }: SlotRecord): string {
  const { from, to } = state.migrate_status;
  return formatFields([
    ["slot", id],
    ["product", product_name],
    ["group", group_id],
    ["status", state.status],
    ["migrates", from === -1 && to === -1 ? "no" : `from group ${from} to group ${to}`],
  ]);
}

function slotsText(from: number, to: number): string {
  return from === to ? `slot ${from}` : `slots ${from}-${to}`;
}
