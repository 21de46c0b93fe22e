/** What the tab's title says, and what screen readers are told of outages. */

import { assertEquals } from "@std/assert";
import { newsOf, titleOf } from "../../../../src/dashboard/page/alarm.js";
import { VIEW } from "../../../support/cluster_view.ts";

const A = { outage: "a", text: "group 1: the master does not answer" };
const B = { outage: "b", text: "group 2: no link" };

Deno.test("the title counts outages, and says when nothing is known", () => {
  const title = (view: typeof VIEW | null, problem = "", wantsToken = false) =>
    titleOf({ view, problem, problemSince: 0, wantsToken, leader: "" });
  assertEquals(title(VIEW), "test · Codis");
  const open = [A, B].map((each) => ({
    ...{ seq: 1, id: each.outage, phase: "begin" as const, kind: "server_down" as const, count: 1 },
    ...{ subject: "x", severity: "error" as const, at: 0, cause: "", hint: "", is_sent: true },
    ...each,
  }));
  assertEquals(title({ ...VIEW, open_outages: open }), "(2) test · Codis");
  assertEquals(title(VIEW, "not reachable"), "(!) test · Codis");
  assertEquals(title(null), "Codis");
  assertEquals(title(null, "log in", true), "Codis");
});

Deno.test("what begins and ends is said once, in words", () => {
  assertEquals(newsOf(null, []), "");
  assertEquals(newsOf(null, [A]), "Outage: group 1: the master does not answer.");
  assertEquals(newsOf([A], [A]), "");
  assertEquals(newsOf([A], [B, A]), "Outage: group 2: no link. 2 outages in all.");
  assertEquals(
    newsOf([A], []),
    "Over: group 1: the master does not answer. No outage is left.",
  );
  const many = ["1", "2", "3", "4", "5"].map((name) => ({ outage: name, text: name }));
  assertEquals(newsOf([], many), "Outage: 1; 2; 3, and 2 others.");
});
