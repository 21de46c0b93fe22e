/**
 * How few descriptors are shared out.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  descriptorsUsed,
  descriptorsWanted,
  leastToServe,
  planDescriptors,
} from "../../../src/io/descriptors.ts";

const needs = (clients: number, workers = 1, servers = 0) => ({ clients, workers, servers });

Deno.test("with as many descriptors as are wanted nothing is lowered", () => {
  for (const each of [needs(10_000), needs(10_000, 8, 200), needs(1), needs(1_000_000, 64)]) {
    assertEquals(planDescriptors(descriptorsWanted(each), each).clients, each.clients);
  }
});

Deno.test("clients, and what is kept for the rest, never are more than there is", () => {
  for (const free of [1, 20, 177, 1_000, 4_000, 65_000]) {
    for (const each of [needs(10_000), needs(10_000, 8, 200), needs(500_000, 64, 1_000)]) {
      const { clients, kept } = planDescriptors(free, each);
      const isServed = free >= leastToServe(each);
      assertEquals(
        clients >= (isServed ? Math.floor(free / 4) : 1) || clients === each.clients,
        true,
      );
      assertEquals(clients + kept <= Math.max(free, 1), true);
    }
  }
});

Deno.test("half are the clients', if the rest is enough for a connection of each worker to each server", () => {
  const clients = (free: number, workers: number, servers: number) =>
    planDescriptors(free, needs(10_000, workers, servers)).clients;
  assertEquals([clients(30, 1, 1), clients(200, 2, 4)], [15, 100]);
  assertEquals([clients(20, 2, 1), clients(100, 4, 16)], [5, 25]);
});

Deno.test("what is kept covers a start, unless there are very few", () => {
  const covers = (free: number, workers: number) =>
    planDescriptors(free, needs(10_000, workers)).coversStart;
  for (const workers of [1, 8]) {
    assertEquals([41, 1_000, 65_000].map((free) => covers(free, workers)), [false, true, true]);
  }
});

Deno.test("HTTP has its share, and not more than it can use", () => {
  const http = [1, 177, 1_000, 65_000].map((free) =>
    planDescriptors(free, needs(10_000)).httpConnections
  );
  assertEquals(http, [4, 11, 62, 128]);
});

Deno.test("clients have a second descriptor only of those that nobody needs, each worker its share", () => {
  for (const each of [needs(10_000), needs(10_000, 8, 200), needs(40_000, 3)]) {
    const wanted = descriptorsWanted(each);
    assertEquals(planDescriptors(wanted, each).handles, 0);
    const all = planDescriptors(descriptorsUsed(each), each);
    assertEquals(all.serverHandles, true);
    assertEquals([all.clients, all.handles], [
      each.clients,
      Math.floor(each.clients / each.workers),
    ]);
    const some = planDescriptors(wanted + 7 * each.workers, each);
    assertEquals([some.clients, some.handles], [each.clients, 7]);
  }
  const few = planDescriptors(200, needs(10_000));
  assertEquals([few.handles, few.serverHandles], [0, false]);
  const many = needs(1_000_000);
  assertEquals(descriptorsUsed(many), descriptorsWanted(many), "more are never counted");
});
