/**
 * Plans for groups with as many requests each: better than before, in few moves.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import type { Cluster } from "../../../../src/migration/rebalance/plan.ts";
import { type LoadPlan, planByLoad } from "../../../../src/migration/rebalance/by_load.ts";
import { slotIn } from "../../../../src/model/slot.ts";
import { StoreError } from "../../../../src/store/store.ts";

/** A cluster of groups 1 to `count`; slots are owned as `ownerOf` says. */
function clusterOf(count: number, ownerOf: (slotId: number) => number): Cluster {
  return {
    slots: Array.from({ length: 1024 }, (_, id) => slotIn("test", id, ownerOf(id), "online")),
    groups: Array.from({ length: count }, (_, i) => ({
      id: i + 1,
      product_name: "test",
      servers: [{ type: "master", group_id: i + 1, addr: `10.0.0.${i + 1}:6379` }],
    })),
    tasks: 0,
  };
}

function loadOf(busy: Readonly<Record<number, number>>): number[] {
  return Array.from({ length: 1024 }, (_, slotId) => busy[slotId] ?? 0);
}

/** Requests of each group when the plan is carried out; and that it moves slots from where they are. */
function loadsAfter({ slots, groups }: Cluster, load: readonly number[], plan: LoadPlan): number[] {
  const owners = slots.map(({ group_id }) => group_id);
  let moved = 0;
  for (const { from_slot, to_slot, from_group, to_group } of plan.moves) {
    for (let slot = from_slot; slot <= to_slot; slot++, moved++) {
      assertEquals(owners[slot], from_group, `slot ${slot} is moved from where it is`);
      assert(load[slot]! > 0, `slot ${slot} has no requests`);
      owners[slot] = to_group;
    }
  }
  assertEquals(moved, plan.slots);
  return groups.map(({ id }) =>
    owners.reduce((sum, owner, slot) => sum + (owner === id ? load[slot]! : 0), 0)
  );
}

const HALVES = clusterOf(2, (slotId) => slotId < 512 ? 1 : 2);

Deno.test("the busiest slots that fit are moved, so that few have to", () => {
  const load = loadOf({ 3: 500, 4: 300, 5: 100, 6: 100, 700: 200 });
  const plan = planByLoad(HALVES, load);
  assertEquals(plan.moves, [{ from_slot: 4, to_slot: 5, from_group: 1, to_group: 2 }]);
  assertEquals(plan.loads, [
    { group_id: 1, ops_before: 1000, ops_after: 600 },
    { group_id: 2, ops_before: 200, ops_after: 600 },
  ]);
});

Deno.test("groups that differ by a little are left alone, and so are slots without requests", () => {
  const near = loadOf({ 3: 1000, 4: 40, 700: 1000 });
  assertEquals(planByLoad(HALVES, near).moves, []);
  const even = Array.from({ length: 1024 }, () => 1);
  assertEquals(planByLoad(HALVES, even).moves, []);
});

Deno.test("a slot that is too busy for any group does not stop others from moving", () => {
  const load = loadOf({ 3: 10_000, 4: 400, 5: 400 });
  const plan = planByLoad(HALVES, load);
  assertEquals(loadsAfter(HALVES, load, plan), [10_000, 800]);
});

Deno.test("an empty group gets its share of the requests", () => {
  const cluster = clusterOf(3, (slotId) => slotId < 512 ? 1 : 2);
  const load = Array.from({ length: 1024 }, () => 10);
  const after = loadsAfter(cluster, load, planByLoad(cluster, load));
  for (const sum of after) assert(Math.abs(sum - 10_240 / 3) < 10_240 / 3 * 0.06, `${after}`);
});

Deno.test("for any load, no group ends farther from the mean than the farthest was", () => {
  const loads = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 200 });
  fc.assert(fc.property(loads, fc.integer({ min: 2, max: 9 }), (some, count) => {
    const load = Array.from({ length: 1024 }, (_, slotId) => some[slotId % some.length]!);
    load[0]!++;
    const cluster = clusterOf(count, (slotId) => 1 + Math.floor(slotId * slotId / 1024) % count);
    const plan = planByLoad(cluster, load);
    const after = loadsAfter(cluster, load, plan);
    assertEquals(plan.loads.map(({ ops_after }) => ops_after), after);
    const mean = after.reduce((sum, each) => sum + each, 0) / count;
    const farthest = (sums: readonly number[]) =>
      Math.max(...sums.map((sum) => Math.abs(sum - mean)));
    const before = plan.loads.map(({ ops_before }) => ops_before);
    assert(farthest(after) <= farthest(before), `${before} to ${after}`);
    // Where groups differ by more, some slot would have helped.
    const busiest = Math.max(...load);
    assert(farthest(after) <= Math.max(mean * 0.05, 2 * busiest), `${after}, busiest ${busiest}`);
  }));
});

Deno.test("nothing is planned without requests, or while slots migrate", () => {
  assertThrows(() => planByLoad(HALVES, loadOf({})), StoreError, "no requests were measured");
  assertThrows(
    () => planByLoad({ ...HALVES, tasks: 1 }, loadOf({ 1: 1 })),
    StoreError,
    "there are migration tasks running",
  );
});
