/**
 * What the deal of a cluster's slots guarantees.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type ClusterNode, dealSlots } from "../../../src/router/cluster_map.ts";

const SLOTS = 16_384;

function nodes(count: number): ClusterNode[] {
  return Array.from({ length: count }, (_, i) => ({
    ...{ id: `${i}`, host: "proxy", port: i + 1, tlsPort: 0 },
  }));
}

Deno.test("dealSlots() gives every slot to one node, in order, to each as many as to any other", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 2_000 }), (count) => {
    const all = nodes(count);
    const dealt = dealSlots(all);
    assertEquals(dealt.map(({ node }) => node), all);
    let next = 0;
    for (const { first, last } of dealt) {
      assertEquals(first, next);
      next = last + 1;
    }
    assertEquals(next, SLOTS);
    const sizes = dealt.map(({ first, last }) => last - first + 1);
    assert(Math.max(...sizes) - Math.min(...sizes) <= 1);
  }));
});

Deno.test("dealSlots() leaves nodes without a slot when there are more of them than slots", () => {
  const dealt = dealSlots(nodes(SLOTS + 1));
  assertEquals(dealt.filter(({ first, last }) => first > last).length, 1);
  assertEquals(dealt.reduce((sum, { first, last }) => sum + last - first + 1, 0), SLOTS);
});

Deno.test("dealSlots() of nobody is nothing", () => {
  assertEquals(dealSlots([]), []);
});
