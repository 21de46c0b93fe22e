/**
 * Carries out commands that plan moves: shows the plan, or queues it and waits for it.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import type {
  GroupLoad,
  QueuedAnswer,
  RebalanceMove,
  RebalancePlanAnswer,
} from "../../api/answers.ts";
import type { DashboardClient } from "../../api/dashboard_client.ts";
import { DashboardError } from "../../api/dashboard_errors.ts";
import { type Flag, type FlagValues, isGiven, UsageError } from "./subcommand.ts";
import { WAIT } from "./arguments.ts";
import { queueAndWait, queueOnly } from "./migration_wait.ts";
import type { CommandContext } from "./context.ts";
import type { CommandOutput } from "./output.ts";
import { formatRange, formatTable } from "./table.ts";

/** Shows the plan only. */
export const DRY_RUN: Flag = {
  name: "dry-run",
  value: "",
  default: "",
  help: "show the plan, and move nothing",
};

/** HTTP status of a path that does not exist. */
const NOT_FOUND = 404;

const NOTHING = "nothing to move: every group has its share of slots";

const QUEUED = "queued; `codis-proxy config status` shows the progress";

/** The requests for a plan, and to queue it. */
export interface PlanRequests {
  plan(client: DashboardClient): Promise<RebalancePlanAnswer>;
  queue(client: DashboardClient): Promise<QueuedAnswer>;
}

/**
 * Shows a plan, or queues it, as the flags say.
 *
 * @param context Asked for the client after the flags are read.
 * @throws {UsageError} When there would be nothing to wait for.
 */
export async function carryOutPlan(
  values: FlagValues,
  context: CommandContext,
  { plan, queue }: PlanRequests,
): Promise<CommandOutput> {
  const isDryRun = isGiven(values, DRY_RUN);
  const isWaiting = isGiven(values, WAIT);
  if (isDryRun && isWaiting) {
    throw new UsageError("--wait and --dry-run cannot be used together: a dry run moves nothing");
  }
  const client = await (isWaiting ? context.followingClient() : context.client());
  if (isDryRun) {
    await checkKnowsDryRun(client);
    const answer = await plan(client);
    return { json: answer, text: describePlan(answer) };
  }
  let slots: number | undefined;
  const queueNow = async () => {
    const answer = await queue(client);
    slots = answer.slots;
    return answer;
  };
  const outcome = isWaiting
    ? await queueAndWait(client, queueNow, ({ moves }) => moves ?? undefined)
    : await queueOnly(client, queueNow, QUEUED);
  return slots === 0 ? { ...outcome, text: NOTHING } : outcome;
}

/**
 * Checks for a dashboard of Codis 2.0, which ignores `dry_run` and would move slots.
 *
 * @throws {Error} When the dashboard is one.
 */
async function checkKnowsDryRun(client: DashboardClient): Promise<void> {
  try {
    await client.cluster();
  } catch (error) {
    if (!(error instanceof DashboardError) || error.status !== NOT_FOUND) throw error;
    const why = "a dashboard of Codis 2.0 has no dry run, and would move slots";
    throw new Error(`${why}: the request was not sent`, { cause: error });
  }
}

function describePlan({ moves, slots, loads, hot_keys }: RebalancePlanAnswer): string {
  const hot = (hot_keys ?? []).map(({ group_id, key, percent }) =>
    `key ${key} alone makes ${percent} % of the requests of group ${group_id}: ` +
    "moving slots does not help"
  );
  return [describeMoves(moves ?? [], slots), describeLoads(loads ?? []), hot.join("\n")]
    .filter((text) => text !== "").join("\n\n");
}

function describeMoves(moves: readonly RebalanceMove[], slots: number): string {
  if (moves.length === 0) return NOTHING;
  const rows = moves.map((move) => [
    formatRange(move.from_slot, move.to_slot),
    `group ${move.from_group}`,
    `group ${move.to_group}`,
  ]);
  return `${formatTable(["SLOTS", "FROM", "TO"], rows)}\n${countOf(slots, "slot")} would move`;
}

function describeLoads(loads: readonly GroupLoad[]): string {
  if (loads.length === 0) return "";
  const rows = loads.map(({ group_id, ops_before, ops_after }) => [
    ...[`group ${group_id}`, ops_before, ops_after],
  ]);
  return formatTable(["", "REQUESTS/S NOW", "AFTER"], rows);
}
