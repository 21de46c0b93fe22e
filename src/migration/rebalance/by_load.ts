/**
 * Plans moves of slots after which groups get as many requests each. Moves nothing.
 *
 *      busiest group ── the slot that brings both groups nearest to the mean ──► least busy group
 *      again, until every group is near the mean, or no slot helps
 *
 * Slots with many requests go first, so few have to move; a slot without requests stays. A slot that would
 * only make another group the busiest stays, too: a slot cannot be divided.
 *
 * @module
 */

import type { GroupLoad, RebalanceMove } from "../../api/answers.ts";
import type { GroupRecord } from "../../model/group.ts";
import { StoreError } from "../../store/store.ts";
import {
  checkIdle,
  type Cluster,
  masterAddr,
  type MovePlan,
  slotsByGroup,
  takesPart,
} from "./plan.ts";
import { slotRanges } from "../../model/slot_ranges.js";

/** A plan, and the requests of each group before and after it. */
export interface LoadPlan extends MovePlan {
  readonly loads: readonly GroupLoad[];
}

/** A group in a plan that is being made. */
interface Side {
  readonly id: number;
  readonly before: number;
  load: number;
  /** Its own slots that it can still give. */
  readonly slots: Set<number>;
}

/** Share of the mean by which a group may differ from it: requests vary as much by themselves. */
const TOLERANCE = 0.05;

/**
 * Plans few moves after which every group has about as many requests.
 *
 * @param load Requests per second of each slot.
 * @throws {StoreError} When the cluster does not allow it, or no requests were measured.
 */
export function planByLoad(cluster: Cluster, load: readonly number[]): LoadPlan {
  checkIdle(cluster);
  const owned = slotsByGroup(cluster);
  const sides = cluster.groups.filter((group) => takesPart(group, owned))
    .map((group) => sideOf(group, owned.get(group.id) ?? [], load));
  const mean = sides.reduce((sum, { before }) => sum + before, 0) / sides.length;
  if (!(mean > 0)) {
    throw new StoreError("no requests were measured: there is nothing to divide the slots by");
  }
  const moved = new Map<string, { from: number; to: number; slots: number[] }>();
  const givers = new Set(sides);
  while (givers.size > 0) {
    const giver = [...givers].reduce((a, b) => b.load > a.load ? b : a);
    const taker = sides.reduce((a, b) => b.load < a.load ? b : a);
    const [excess, lack] = [giver.load - mean, mean - taker.load];
    if (Math.max(excess, lack) <= mean * TOLERANCE || excess <= 0) break;
    const slot = bestOf(giver.slots, load, excess, lack);
    if (slot === undefined) {
      givers.delete(giver);
      continue;
    }
    giver.slots.delete(slot);
    giver.load -= load[slot]!;
    taker.load += load[slot]!;
    const route = `${giver.id} ${taker.id}`;
    const move = moved.get(route) ?? { from: giver.id, to: taker.id, slots: [] };
    move.slots.push(slot);
    moved.set(route, move);
  }
  const moves = [...moved.values()].flatMap(({ from, to, slots }) =>
    slotRanges(slots.sort((a, b) => a - b)).map((run): RebalanceMove => ({
      from_slot: run.from,
      to_slot: run.to,
      from_group: from,
      to_group: to,
    }))
  );
  return {
    moves: moves.sort((a, b) => a.from_slot - b.from_slot),
    slots: [...moved.values()].reduce((sum, { slots }) => sum + slots.length, 0),
    loads: sides.map(({ id, before, load }) => ({
      group_id: id,
      ops_before: Math.round(before),
      ops_after: Math.round(load),
    })),
  };
}

function sideOf(group: GroupRecord, slots: readonly number[], load: readonly number[]): Side {
  masterAddr(group);
  const sum = slots.reduce((total, slot) => total + (load[slot] ?? 0), 0);
  return {
    id: group.id,
    before: sum,
    load: sum,
    slots: new Set(slots.filter((slot) => (load[slot] ?? 0) > 0)),
  };
}

/**
 * The slot after whose move both groups are nearest to the mean, of those that do not make the one as
 * busy as the other was; nothing when there is none.
 */
function bestOf(
  slots: ReadonlySet<number>,
  load: readonly number[],
  excess: number,
  lack: number,
): number | undefined {
  let best: number | undefined;
  let bestWorst = Math.max(excess, lack);
  for (const slot of slots) {
    if (load[slot]! > (excess + lack) / 2) continue;
    const worst = Math.max(Math.abs(excess - load[slot]!), Math.abs(lack - load[slot]!));
    if (worst >= bestWorst) continue;
    best = slot;
    bestWorst = worst;
  }
  return best;
}
