/**
 * What commands that plan moves have in common: the plan is shown, or queued and waited for.
 *
 * @module
 */

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
import type { CommandOutput } from "./output.ts";
import { countOf, formatRange, formatTable } from "./table.ts";

/** Shows the plan alone. */
export const DRY_RUN: Flag = {
  name: "dry-run",
  value: "",
  default: "",
  help: "only show what would be moved",
};

/** HTTP's word for a path that nobody serves. */
const NOT_FOUND = 404;

const NOTHING = "nothing to move: groups have what they should";

const QUEUED = "queued; `codis-proxy config status` shows how far it is";

/** How a plan is asked for, and how it is queued. */
export interface PlanRequests {
  plan(client: DashboardClient): Promise<RebalancePlanAnswer>;
  queue(client: DashboardClient): Promise<QueuedAnswer>;
}

/**
 * Shows a plan, or queues it, as the flags say.
 *
 * @param open Called once the flags are read.
 * @throws {UsageError} When there would be nothing to wait for.
 */
export async function carryOutPlan(
  values: FlagValues,
  open: () => Promise<DashboardClient>,
  { plan, queue }: PlanRequests,
): Promise<CommandOutput> {
  const isDryRun = isGiven(values, DRY_RUN);
  if (isDryRun && isGiven(values, WAIT)) {
    throw new UsageError("--wait and --dry-run do not go together: nothing is moved to wait for");
  }
  const client = await open();
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
  const outcome = isGiven(values, WAIT)
    ? await queueAndWait(client, queueNow)
    : await queueOnly(client, queueNow, QUEUED);
  return slots === 0 ? { ...outcome, text: NOTHING } : outcome;
}

/**
 * Codis 2.0's dashboard reads nothing of the request: it would move slots.
 *
 * @throws {Error} When the dashboard is one.
 */
async function checkKnowsDryRun(client: DashboardClient): Promise<void> {
  try {
    await client.cluster();
  } catch (error) {
    if (!(error instanceof DashboardError) || error.status !== NOT_FOUND) throw error;
    const why = "a dashboard of Codis 2.0 knows no dry run, and would move slots";
    throw new Error(`${why}: nothing was asked of it`, { cause: error });
  }
}

function describePlan({ moves, slots, loads }: RebalancePlanAnswer): string {
  return [describeMoves(moves ?? [], slots), describeLoads(loads ?? [])]
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
  return formatTable(["", "REQUESTS/S NOW", "THEN"], rows);
}
