/**
 * The commands `config slot …`.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { delay } from "@std/async/delay";
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
import { slotRuleCommands } from "./slot/rule.ts";
import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import { drainRow } from "./group.ts";
import { queueAndWait, queueOnly } from "../parts/migration_wait.ts";
import { carryOutPlan, DRY_RUN } from "../parts/move_plan.ts";
import type { CommandOutput } from "../parts/output.ts";
import { Progress } from "../parts/progress.ts";
import type { CommandContext } from "../parts/context.ts";
import { formatSlots } from "../parts/slot_ranges.ts";
import { formatFields } from "../parts/table.ts";

/** Time between two polls of the number of slots, in milliseconds. */
const INIT_POLL_MS = 500;

/** The states that a slot can be set to. */
const STATUS = wordArgument("status", ["online", "offline"]);

const FORCE_INIT: Flag = {
  name: "f",
  value: "",
  default: "",
  help: "overwrite existing slots; their owners are lost",
};

const KEEP: Flag = {
  name: "keep",
  value: "",
  default: "",
  help:
    "keep keys of these slots that only the group's master has, as after the coordinator was set back to an " +
    "older copy; a key that both have is taken from where the slots are now",
};

const BACK: Flag = {
  name: "back",
  value: "",
  default: "",
  help: "move slots back whose migration has started, even if it is nearly done",
};

const FINISH: Flag = {
  name: "finish",
  value: "",
  default: "",
  help: "let slots whose migration has started finish",
};

const BALANCE = ["memory", "slots", "ops"] as const;

const BY: Flag<(typeof BALANCE)[number]> = {
  name: "by",
  value: "what",
  default: "",
  help:
    "memory: by maxmemory of the masters, the default as in Codis 2.0; slots: equal numbers of " +
    "slots; ops: equal numbers of requests, as the proxies count them",
  words: BALANCE,
  parse: (text) => parseWord(text, BALANCE),
};

const TASK: Argument<string> = {
  name: "task",
  help: "name of a task, as `config status` shows it; without it: all tasks",
  isOptional: true,
  parse: (text) => {
    if (/^\d{1,20}$/.test(text)) return text;
    throw new SyntaxError(`"${text}" is not the name of a task: digits only`);
  },
};

const ROWS: readonly ConfigRow[] = [
  {
    name: "list",
    summary: "Show which group owns which slots.",
    run: async (_values, context) => {
      const slots = await (await context.client()).slots() ?? [];
      const sorted = [...slots].sort((a, b) => a.id - b.id);
      const text = sorted.length === 0
        ? "there are no slots yet: `codis-proxy config slot init` creates them"
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
    summary: `Create all ${SLOT_COUNT} slots, offline and without a group.`,
    details: "Run this once for each product. Then assign the slots to groups with range-set.",
    flags: [FORCE_INIT],
    run: async (values, context) => {
      const client = await context.client();
      const json = await initSlots(client, isGiven(values, FORCE_INIT));
      return { json, text: `${SLOT_COUNT} slots created, offline and without a group` };
    },
  },
  {
    name: "set",
    summary: "Assign an offline slot to a group.",
    details:
      "Also one that is not stored, cannot be read, or is in a group that is not there. To move a slot that is " +
      "online,\nuse migrate.",
    arguments: [SLOT_ID, GROUP_ID, STATUS],
    run: (values, context) => {
      const slotId = readValue(values, SLOT_ID);
      return setSlots(values, context, slotId, slotId);
    },
  },
  {
    name: "range-set",
    summary: "Assign offline slots to a group.",
    details:
      "Also those that are not stored, cannot be read, or are in a group that is not there. To move slots that are " +
      "online,\nuse migrate.",
    arguments: [SLOT_FROM, SLOT_TO, GROUP_ID, STATUS],
    run: (values, context) => {
      const { from, to } = readSlotRange(values);
      return setSlots(values, context, from, to);
    },
  },
  {
    name: "migrate",
    summary: "Move slots and their keys to a group. Clients keep working.",
    arguments: [SLOT_FROM, SLOT_TO, GROUP_ID],
    flags: [DELAY, KEEP, WAIT],
    run: migrate,
  },
  {
    name: "rebalance",
    summary: "Move slots so that they match the maxmemory of the groups' masters.",
    details:
      "As in Codis 2.0, every master needs a maxmemory. --by spreads the slots by something else.",
    flags: [DRY_RUN, BY, DELAY, WAIT],
    run: rebalance,
  },
  drainRow,
  {
    name: "pause",
    summary: "Pause migrations. Slots that are half moved keep serving.",
    details: "In a slot that is half moved, a key still moves when a client uses it.",
    run: async (_values, context) => {
      const json = await (await context.client()).setMigrationsPaused(true);
      return { json, text: "migrations are paused until `codis-proxy config slot resume`" };
    },
  },
  {
    name: "resume",
    summary: "Resume migrations.",
    run: async (_values, context) => {
      const json = await (await context.client()).setMigrationsPaused(false);
      return { json, text: "migrations resumed" };
    },
  },
  {
    name: "cancel",
    summary: "Cancel a migration task, or all of them.",
    details:
      "A slot whose migration has not started stays in its group. A slot whose migration has " +
      "started moves\nback; if it is nearly done, it finishes instead. A task that is cancelled twice " +
      "moves forward again.\n--back and --finish override this.",
    arguments: [TASK],
    flags: [BACK, FINISH],
    run: cancel,
  },
];

/** See the header. */
export const slotCommands: CommandGroup = {
  name: "slot",
  summary: "Show, assign and migrate slots.",
  flags: [],
  commands: [...ROWS.map(configCommand), slotRuleCommands],
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
  return { json, text: `${rangeText(from, to)} set: group ${groupId}, ${status}` };
}

async function migrate(values: FlagValues, context: CommandContext): Promise<CommandOutput> {
  const { from, to } = readSlotRange(values);
  const groupId = readValue(values, GROUP_ID);
  const delay = isGiven(values, DELAY) ? readValue(values, DELAY) : 0;
  const isWaiting = isGiven(values, WAIT);
  const client = await (isWaiting ? context.followingClient() : context.client());
  const keep = isGiven(values, KEEP) ? { keep: true } : {};
  const queue = () => client.migrate({ from, to, new_group: groupId, delay, ...keep });
  const moves = [{ from_slot: from, to_slot: to, to_group: groupId }];
  if (isWaiting) return await queueAndWait(client, queue, () => moves);
  const text = `${countOf(to - from + 1, "task")} queued: ${
    rangeText(from, to)
  } → group ${groupId}`;
  return await queueOnly(client, queue, text);
}

async function cancel(values: FlagValues, context: CommandContext): Promise<CommandOutput> {
  const [isBack, isFinish] = [isGiven(values, BACK), isGiven(values, FINISH)];
  if (isBack && isFinish) {
    throw new UsageError("--back and --finish cannot be used together");
  }
  const mode = isBack ? "back" : isFinish ? "finish" : undefined;
  const name = isGiven(values, TASK) ? readValue(values, TASK) : undefined;
  const client = await context.client();
  const begun = isBack
    ? "; slots whose migration has started move back"
    : isFinish
    ? "; slots whose migration has started will finish"
    : "";
  if (name === undefined) {
    return { json: await client.cancelTasks(mode), text: `all tasks cancelled${begun}` };
  }
  const json = await client.cancelTask(name, mode);
  return { json, text: `task ${name} cancelled${begun}` };
}

function rebalance(values: FlagValues, context: CommandContext): Promise<CommandOutput> {
  const request = {
    ...(isGiven(values, BY) ? { by: readValue(values, BY) } : {}),
    ...(isGiven(values, DELAY) ? { delay: readValue(values, DELAY) } : {}),
  };
  return carryOutPlan(values, context, {
    plan: (client) => withChoice(client.planRebalance(request)),
    queue: (client) => withChoice(client.rebalance(request)),
  });
}

/** Adds what else can be done to an error of Codis 2.0, which does not say it. */
async function withChoice<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof DashboardError) || !/should set maxmemory/.test(error.text)) throw error;
    const choice = "or use --by=slots";
    throw new Error(`${error.message}; ${choice}`, { cause: error });
  }
}

/** Creates the slots and shows the progress on a terminal: a Codis 2.0 dashboard takes minutes. */
async function initSlots(client: DashboardClient, isForced: boolean): Promise<unknown> {
  using progress = new Progress();
  const making = client.initSlots(isForced);
  if (!progress.isTerminal) return await making;
  let isMade = false;
  const made = making.finally(() => isMade = true);
  // The caller handles a failure; here it only ends the loop.
  const ended = made.then(() => {}, () => {});
  for (;;) {
    const pause = delay(INIT_POLL_MS);
    await Promise.race([ended, pause]);
    if (isMade) return await made;
    // A dashboard without this page, or one that is too busy, shows no progress.
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

function rangeText(from: number, to: number): string {
  return from === to ? `slot ${from}` : `slots ${from}-${to}`;
}
