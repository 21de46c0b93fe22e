/** The cards of migrations: all slots of one route together. */

import { assertEquals } from "@std/assert";
import { linePoints, slotRoutes } from "../../../../src/dashboard/page/migration_cards.js";
import { NOT_STARTED, TASK } from "../../../support/cluster_view.ts";

const WAITING = { ...TASK, ...NOT_STARTED, slot_id: 6, phase: "waiting" as const };

Deno.test("slots of one route are one card, those that wait counted as the others", () => {
  const other = { ...WAITING, to_group: 3, slot_id: 7 };
  const [route, second, ...more] = slotRoutes([other, TASK, WAITING], false);
  assertEquals(more, []);
  assertEquals(route?.slots, [5, 6]);
  const { waiting, moved, left, rate, state } = route!;
  assertEquals([waiting, moved, left, rate, state], [1, 10, 190, 10.2, "moving"]);
  assertEquals(route!.seconds, Math.ceil(190 / 10.2));
  assertEquals([second!.to, second!.left, second!.seconds, second!.state], [
    3,
    null,
    null,
    "waiting",
  ]);
});

Deno.test("a card says that slots go back, and that all is paused", () => {
  const back = { ...TASK, phase: "moving back" as const, from_group: 2, to_group: 1 };
  const states = (tasks: Parameters<typeof slotRoutes>[0], isPaused: boolean) =>
    slotRoutes(tasks, isPaused).map(({ from, to, isBack, state }) => [from, to, isBack, state]);
  assertEquals(states([back], false), [[2, 1, true, "going back: it was cancelled"]]);
  assertEquals(states([back], true), [[2, 1, true, "going back: it was cancelled, paused"]]);
  assertEquals(states([{ ...TASK, phase: "paused" }], true), [[1, 2, false, "paused"]]);
  const failed = { ...TASK, phase: "failed" as const, problem: "OOM", slot_id: 6 };
  const [route] = slotRoutes([TASK, failed], false);
  assertEquals(route!.state, "moving; 1 slot has failed and will be tried again");
  assertEquals(route!.problem, "OOM");
});

Deno.test("a rate line fills its width, and needs two rates", () => {
  assertEquals(linePoints([5], 100, 20), "");
  assertEquals(linePoints([0, 10, 5], 100, 22), "0.0,21.0 50.0,1.0 100.0,11.0");
});
