/**
 * What the history keeps, and how the load of slots is averaged.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { SLOT_COUNT } from "../../../src/hash/slot_id.ts";
import { History, SlotLoad } from "../../../src/monitor/history.ts";

Deno.test("History keeps the last five minutes, oldest first", () => {
  const history = new History(1_000);
  for (let i = 0; i < 310; i++) {
    history.add({ at: i, ops: i * 2, p50_ms: null, p99_ms: 1, sessions: 3 });
  }
  const { step_ms, at, ops, p50_ms, p99_ms, sessions } = history.view;
  assertEquals(step_ms, 1_000);
  assertEquals([at.length, at[0], at.at(-1)], [300, 10, 309]);
  assertEquals([ops[0], p50_ms[0], p99_ms[0], sessions[0]], [20, null, 1, 3]);
  assertEquals([ops.length, sessions.length], [300, 300]);
});

Deno.test("SlotLoad averages over the rounds since it was started, and then over a minute", () => {
  const load = new SlotLoad();
  const round = (ops: number) => load.add(new Array<number>(SLOT_COUNT).fill(ops));
  round(10);
  round(20);
  assertEquals(load.opsBySlot[5], 15);
  for (let i = 0; i < 600; i++) round(100);
  assertEquals(Math.round(load.opsBySlot[1023]!), 100);
  round(160);
  assertEquals(Math.round(load.opsBySlot[0]!), 101);
  load.restart();
  round(7);
  assertEquals(load.opsBySlot[0], 7);
});
