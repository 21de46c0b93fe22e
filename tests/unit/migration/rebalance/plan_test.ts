/**
 * Plans for evenly filled groups: right in the end, and never more moves than needed.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import {
  type Cluster,
  planDrain,
  planRebalance,
} from "../../../../src/migration/rebalance/plan.ts";
import { slotIn, type SlotStatus } from "../../../../src/model/slot.ts";
import { StoreError } from "../../../../src/store/store.ts";

/** A cluster whose groups have so many slots each, in order; group ids from 1. */
function clusterOf(counts: readonly number[], change: Partial<Cluster> = {}): Cluster {
  const owners = counts.flatMap((count, i) => Array.from({ length: count }, () => i + 1));
  return {
    slots: owners.map((group, id) => slotIn("test", id, group, "online")),
    groups: counts.map((_, i) => ({
      id: i + 1,
      product_name: "test",
      servers: [{ type: "master", group_id: i + 1, addr: `10.0.0.${i + 1}:6379` }],
    })),
    tasks: 0,
    ...change,
  };
}

/** How many slots each group has after a plan. */
function countsAfter({ slots }: Cluster, { moves }: ReturnType<typeof planDrain>): number[] {
  const owners = slots.map(({ group_id }) => group_id);
  for (const { from_slot, to_slot, from_group, to_group } of moves) {
    for (let slot = from_slot; slot <= to_slot; slot++) {
      assertEquals(owners[slot], from_group, `slot ${slot} is moved from where it is`);
      owners[slot] = to_group;
    }
  }
  const counts: number[] = [];
  for (const owner of owners) counts[owner - 1] = (counts[owner - 1] ?? 0) + 1;
  return [...counts].map((count) => count ?? 0);
}

Deno.test("a new group gets its share from the old ones, in runs", () => {
  const plan = planRebalance(clusterOf([512, 512, 0]));
  assertEquals(plan, {
    slots: 341,
    moves: [
      { from_slot: 342, to_slot: 511, from_group: 1, to_group: 3 },
      { from_slot: 853, to_slot: 1023, from_group: 2, to_group: 3 },
    ],
  });
});

Deno.test("groups that differ by no more than one are left alone", () => {
  assertEquals(planRebalance(clusterOf([342, 341, 341])).moves, []);
  assertEquals(planRebalance(clusterOf([341, 341, 342])).moves, []);
  assertEquals(planRebalance(clusterOf([1024])).moves, []);
});

Deno.test("each group ends with its quota, and only slots above a quota move", () => {
  const clusters = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 12 });
  fc.assert(fc.property(clusters, fc.boolean(), (weights, byMemory) => {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const counts = weights.map((weight) => Math.floor(1024 * weight / Math.max(1, total)));
    counts[0]! += 1024 - counts.reduce((sum, count) => sum + count, 0);
    const cluster = clusterOf(counts);
    const memory = new Map(
      cluster.groups.map(({ servers }, i) => [servers![0]!.addr, 1000 + (i * 7919) % 5000]),
    );
    const plan = byMemory ? planRebalance(cluster, "memory", memory) : planRebalance(cluster);
    const after = countsAfter(cluster, plan);
    const bytes = [...memory.values()];
    const sum = bytes.reduce((a, b) => a + b, 0);
    let tooMany = 0;
    for (const [i, count] of counts.entries()) {
      const share = byMemory ? 1024 * bytes[i]! / sum : 1024 / counts.length;
      assert(Math.abs((after[i] ?? 0) - share) < 1, `group ${i + 1}: ${after[i]} for ${share}`);
      tooMany += Math.max(0, count - Math.ceil(share));
    }
    assert(plan.slots >= tooMany && plan.slots <= tooMany + counts.length);
  }));
});

Deno.test("a group is emptied evenly, and nothing else moves", () => {
  const cluster = clusterOf([400, 324, 300]);
  const plan = planDrain(cluster, 3);
  assertEquals(plan.slots, 300);
  assert(plan.moves.every(({ from_group }) => from_group === 3));
  assertEquals(countsAfter(cluster, plan), [512, 512]);
  assertEquals(planDrain(clusterOf([1024, 0]), 2).moves, []);
});

Deno.test("a plan that cannot be made is refused with Codis 2.0's texts", () => {
  const refused = (text: string, plan: () => unknown) => assertThrows(plan, StoreError, text);
  const even = clusterOf([512, 512]);
  refused(
    "there are migration tasks running, you should wait them done",
    () => planRebalance({ ...even, tasks: 1 }),
  );
  for (const status of ["offline", "migrate", "pre_migrate"] satisfies SlotStatus[]) {
    const slots = even.slots.with(5, slotIn("test", 5, 1, status));
    refused("not all slots are online", () => planRebalance({ ...even, slots }));
  }
  refused("not all slots are online", () => planRebalance({ ...even, slots: even.slots.slice(1) }));
  const groups = even.groups.with(1, {
    ...even.groups[1]!,
    servers: [{ type: "slave", group_id: 2, addr: "10.0.0.9:6379" }],
  });
  refused("group 2 has no master", () => planRebalance({ ...even, groups }));
  refused("group 2 has no master", () => planDrain({ ...even, groups }, 1));
  refused("redis 10.0.0.1:6379 should set maxmemory", () => planRebalance(even, "memory"));
  refused("group 7 is not found", () => planDrain(even, 7));
  refused(
    "no other group has a server: group 1 cannot be emptied",
    () => planDrain(clusterOf([1024]), 1),
  );
});

Deno.test("a group without servers and slots takes no part", () => {
  const even = clusterOf([512, 512]);
  const groups = [...even.groups, { id: 3, product_name: "test", servers: null }];
  assertEquals(planRebalance({ ...even, groups }).moves, []);
});
