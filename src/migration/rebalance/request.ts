/**
 * Requests to rebalance, and to empty a group: makes the plan, and shows it or queues its migrations.
 *
 * @module
 */

import type { RebalanceBy } from "../../api/answers.ts";
import { readInfoWithMaxmemory } from "../../redis/info.ts";
import { loadGroups } from "../../store/groups.ts";
import { loadMigrateTasks } from "../../store/migrate_tasks.ts";
import { slotsText } from "../../model/slot_ranges.js";
import { loadSlots } from "../../store/slots.ts";
import { StoreError } from "../../store/store.ts";
import type { Control } from "../../control/control.ts";
import type { MigrationQueue } from "../queue.ts";
import { type Cluster, type MovePlan, planDrain, planRebalance } from "./plan.ts";
import { planByLoad } from "./by_load.ts";

/** What is asked for. */
export interface RebalanceOptions {
  readonly by: RebalanceBy;
  /** Whether the plan is only shown. */
  readonly isDryRun: boolean;
  /** Least time between two moves, in milliseconds. */
  readonly delayMs: number;
}

/** What a plan is made from, and who carries it out. */
export interface RebalanceContext extends Pick<Control, "store" | "redis"> {
  readonly migrations: MigrationQueue;
  readonly monitor: {
    /** Requests per second of each slot, over the last minute. */
    readonly slotLoad: { readonly opsBySlot: readonly number[] };
    /** The proxies that do not report what each slot gets. */
    readonly proxies: { readonly withoutLoad: readonly string[] };
  };
}

/** Moves that are under way. */
export class QueuedMoves {
  /** Those of `plan`. */
  constructor(readonly plan: MovePlan) {}
}

/**
 * Spreads the slots evenly.
 *
 * @returns The plan of a dry run, or what is under way.
 * @throws {StoreError} When the cluster does not allow it.
 */
export async function rebalance(
  context: RebalanceContext,
  { by, isDryRun, delayMs }: RebalanceOptions,
): Promise<MovePlan | QueuedMoves> {
  // Servers first: the plan is of slots as they are when all of them have answered.
  const maxmemory = by === "memory" ? await readMaxmemory(context) : undefined;
  const cluster = await loadCluster(context);
  const plan = by === "ops"
    ? planByLoad(cluster, readLoad(context))
    : planRebalance(cluster, by, maxmemory);
  return await carryOut(context, plan, isDryRun, delayMs);
}

/**
 * Empties a group, so that it can be removed; otherwise as {@linkcode rebalance}.
 *
 * @throws {StoreError} When there is no such group, or no other group for its slots.
 */
export async function drainGroup(
  context: RebalanceContext,
  groupId: number,
  { isDryRun, delayMs }: Omit<RebalanceOptions, "by">,
): Promise<MovePlan | QueuedMoves> {
  const plan = planDrain(await loadCluster(context), groupId);
  return await carryOut(context, plan, isDryRun, delayMs);
}

/** The recent requests of each slot. */
function readLoad({ monitor }: RebalanceContext): readonly number[] {
  const silent = monitor.proxies.withoutLoad;
  if (silent.length > 0) {
    throw new StoreError(
      `${
        silent.length === 1 ? `proxy ${silent[0]} does` : `proxies ${silent.join(", ")} do`
      } not report how ` +
        "many requests each slot gets",
    );
  }
  return monitor.slotLoad.opsBySlot;
}

async function loadCluster({ store }: RebalanceContext): Promise<Cluster> {
  const [slots, groups, tasks] = await Promise.all([
    loadSlots(store),
    loadGroups(store),
    loadMigrateTasks(store),
  ]);
  return { slots, groups, tasks: tasks.length };
}

async function carryOut(
  context: RebalanceContext,
  plan: MovePlan,
  isDryRun: boolean,
  delayMs: number,
): Promise<MovePlan | QueuedMoves> {
  if (isDryRun) return plan;
  const queued: number[] = [];
  for (const { from_slot, to_slot, to_group } of plan.moves) {
    try {
      await context.migrations.add(from_slot, to_slot, to_group, delayMs);
    } catch (error) {
      if (queued.length === 0) throw error;
      throw new StoreError(
        `${
          (error as Error).message
        }. Before that, ${queued.length} of ${plan.slots} slots were queued and will be ` +
          `migrated: ${slotsText(queued)}`,
        { cause: error },
      );
    }
    for (let slotId = from_slot; slotId <= to_slot; slotId++) queued.push(slotId);
  }
  return new QueuedMoves(plan);
}

/** The present `maxmemory` of every master: it may have been set a moment ago. */
async function readMaxmemory(context: RebalanceContext): Promise<Map<string, number>> {
  const groups = await loadGroups(context.store);
  const masters = groups.flatMap(({ servers }) =>
    (servers ?? []).filter(({ type }) => type === "master")
  );
  const entries = await Promise.all(masters.map(async ({ addr }) => {
    using redis = await context.redis(addr);
    const info = await readInfoWithMaxmemory(redis);
    return [addr, Number(info["maxmemory"] ?? 0)] as const;
  }));
  return new Map(entries);
}
