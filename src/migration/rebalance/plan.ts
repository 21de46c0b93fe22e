/**
 * Plans moves of slots after which groups are filled evenly, or one is empty. Moves nothing.
 *
 *      slots of each group ─► its quota ─► a group above its quota gives its last slots to groups below
 *                                          theirs: never more moves than needed
 *
 * @module
 */

import type { RebalanceBy, RebalanceMove } from "../../api/answers.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { GroupRecord } from "../../model/group.ts";
import type { SlotRecord } from "../../model/slot.ts";
import { StoreError } from "../../store/store.ts";
import { slotRanges } from "../../model/slot_ranges.js";

/** A plan, and how many slots it moves. */
export interface MovePlan {
  readonly moves: readonly RebalanceMove[];
  readonly slots: number;
}

/** What a plan is made of. */
export interface Cluster {
  /** As stored. */
  readonly slots: readonly SlotRecord[];
  readonly groups: readonly GroupRecord[];
  /** Migration tasks there are. */
  readonly tasks: number;
}

/**
 * Plans the fewest moves after which every group has its quota.
 *
 * @param maxmemory Of masters, in bytes, by address; needed by memory only.
 * @throws {StoreError} When the cluster does not allow it; the texts are Codis 2.0's.
 */
export function planRebalance(
  cluster: Cluster,
  by: Exclude<RebalanceBy, "ops"> = "slots",
  maxmemory: ReadonlyMap<string, number> = new Map(),
): MovePlan {
  checkIdle(cluster);
  const owned = slotsByGroup(cluster);
  const groups = cluster.groups.filter((group) => takesPart(group, owned));
  const shares = groups.map((group) => {
    const master = masterAddr(group);
    const bytes = maxmemory.get(master) ?? 0;
    if (by === "memory" && bytes <= 0) {
      throw new StoreError(`redis ${master} should set maxmemory`);
    }
    return { id: group.id, share: by === "memory" ? bytes : 1 };
  });
  return planMoves(owned, quotas(shares, owned));
}

/**
 * Plans moves of all slots of a group, after which the others are filled as evenly as possible.
 *
 * @throws {StoreError} When there is no other group for them, or the cluster does not allow it.
 */
export function planDrain(cluster: Cluster, groupId: number): MovePlan {
  if (!cluster.groups.some(({ id }) => id === groupId)) {
    throw new StoreError(`group ${groupId} is not found`);
  }
  checkIdle(cluster);
  const owned = slotsByGroup(cluster);
  const takers = cluster.groups.filter((group) =>
    group.id !== groupId && (group.servers ?? []).length > 0
  );
  if (takers.length === 0) {
    throw new StoreError(`no other group has a server: group ${groupId} cannot be emptied`);
  }
  for (const group of takers) masterAddr(group);
  const counts = new Map(takers.map(({ id }) => [id, owned.get(id)?.length ?? 0]));
  for (let left = owned.get(groupId)?.length ?? 0; left > 0; left--) {
    const [least] = [...counts].reduce((a, b) => b[1] < a[1] ? b : a);
    counts.set(least, counts.get(least)! + 1);
  }
  return planMoves(owned, counts.set(groupId, 0));
}

/** @throws {StoreError} While slots migrate, or not all are online. */
export function checkIdle({ slots, tasks }: Cluster): void {
  // Codis 2.0 texts.
  if (tasks > 0) {
    throw new StoreError("there are migration tasks running, you should wait them done");
  }
  const online = slots.filter(({ state }) => state.status === "online");
  if (online.length < SLOT_COUNT) throw new StoreError("not all slots are online");
}

/** The slots of each group, in order. */
export function slotsByGroup({ slots, groups }: Cluster): Map<number, number[]> {
  const owned = new Map<number, number[]>();
  for (const { id, group_id } of slots) {
    const of = owned.get(group_id);
    if (of === undefined) owned.set(group_id, [id]);
    else of.push(id);
  }
  for (const [groupId, [slotId]] of owned) {
    if (groups.some(({ id }) => id === groupId)) continue;
    throw new StoreError(`slot ${slotId} is in group ${groupId}, which is not found`);
  }
  for (const of of owned.values()) of.sort((a, b) => a - b);
  return owned;
}

/** A group without servers and slots is left out; Codis 2.0 would refuse. */
export function takesPart(
  { id, servers }: GroupRecord,
  owned: ReadonlyMap<number, number[]>,
): boolean {
  return (servers ?? []).length > 0 || owned.has(id);
}

/** @throws {StoreError} When the group has no master. */
export function masterAddr({ id, servers }: GroupRecord): string {
  const master = (servers ?? []).find(({ type }) => type === "master");
  // Codis 2.0 text.
  if (master === undefined) throw new StoreError(`group ${id} has no master`);
  return master.addr;
}

/** How many slots each group should have: by its share; groups that have more slots are rounded up first. */
function quotas(
  shares: readonly { readonly id: number; readonly share: number }[],
  owned: ReadonlyMap<number, number[]>,
): Map<number, number> {
  const total = shares.reduce((sum, { share }) => sum + share, 0);
  const exact = shares.map(({ id, share }) => ({ id, slots: SLOT_COUNT * share / total }));
  const quota = new Map(exact.map(({ id, slots }) => [id, Math.floor(slots)]));
  let left = SLOT_COUNT - [...quota.values()].reduce((sum, slots) => sum + slots, 0);
  const surplus = (id: number) => (owned.get(id)?.length ?? 0) - quota.get(id)!;
  const byClaim = exact.sort((a, b) =>
    Number(surplus(b.id) > 0) - Number(surplus(a.id) > 0) || b.slots % 1 - a.slots % 1 ||
    a.id - b.id
  );
  for (const { id } of byClaim) {
    if (left === 0) break;
    quota.set(id, quota.get(id)! + 1);
    left--;
  }
  return quota;
}

/** Groups above their quota give their last slots, in order, to groups below theirs, in order. */
function planMoves(
  owned: ReadonlyMap<number, readonly number[]>,
  quota: ReadonlyMap<number, number>,
): MovePlan {
  const takers = [...quota].sort(([a], [b]) => a - b)
    .map(([id, slots]) => ({ id, missing: slots - (owned.get(id)?.length ?? 0) }))
    .filter(({ missing }) => missing > 0);
  const moves: RebalanceMove[] = [];
  let slots = 0;
  for (const [from_group, of] of [...owned].sort(([a], [b]) => a - b)) {
    let giving = of.slice(quota.get(from_group) ?? 0);
    while (giving.length > 0) {
      const taker = takers.find(({ missing }) => missing > 0)!;
      const given = giving.slice(0, taker.missing);
      giving = giving.slice(given.length);
      taker.missing -= given.length;
      slots += given.length;
      for (const { from, to } of slotRanges(given)) {
        moves.push({ from_slot: from, to_slot: to, from_group, to_group: taker.id });
      }
    }
  }
  return { moves, slots };
}
