/** Which steps the guide of a cluster that is not complete shows. */

import { assertEquals } from "@std/assert";
import { setupSteps } from "../../../../src/dashboard/page/guide.js";
import { VIEW } from "../../../support/cluster_view.ts";

const NO_SLOTS = { ...VIEW.slots, group: Array(1024).fill(-1), status: "-".repeat(1024) };
const OFFLINE = { ...NO_SLOTS, status: "x".repeat(1024) };
const [GROUP_1, GROUP_2] = VIEW.groups;

function next(view: Parameters<typeof setupSteps>[0]) {
  const step = setupSteps(view).find(({ isDone }) => !isDone);
  return step === undefined ? "nothing" : { action: step.action, preset: step.preset };
}

Deno.test("each step is the next one until it is done", () => {
  const empty = { groups: [], slots: NO_SLOTS, proxies: [] };
  assertEquals(next(empty), { action: "add_group", preset: undefined });
  const groups = [{ id: 3, slots: 0, servers: [] }];
  assertEquals(next({ ...empty, groups }), {
    action: "add_server",
    preset: { group: "3", role: "master" },
  });
  const filled = [GROUP_1!, GROUP_2!].map((group) => ({ ...group, slots: 0 }));
  assertEquals(next({ ...empty, groups: filled }), { action: "init_slots", preset: undefined });
  // The slots are shared among the groups, one after the other.
  assertEquals(next({ ...empty, groups: filled, slots: OFFLINE }), {
    action: "range_set",
    preset: { from: "0", to: "511", new_group: "1" },
  });
  const half = { ...OFFLINE, group: Array.from({ length: 1024 }, (_, id) => id < 512 ? 1 : -1) };
  assertEquals(next({ ...empty, groups: [GROUP_1!, filled[1]!], slots: half }), {
    action: "range_set",
    preset: { from: "512", to: "1023", new_group: "2" },
  });
  assertEquals(next({ ...VIEW, proxies: [] }), { action: undefined, preset: undefined });
  assertEquals(next(VIEW), "nothing");
});
