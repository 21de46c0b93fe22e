/**
 * The page puts begins and ends of outages together, whatever of them is still there.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { outagesOf } from "../../../../src/dashboard/page/outages.js";
import type { OutageEvent } from "../../../../src/model/outage_event.ts";

function event(outage: string, phase: OutageEvent["phase"], more: Partial<OutageEvent> = {}) {
  return {
    ...{ seq: 0, id: `${outage}-${phase}`, outage, at: 1_000, phase, kind: "server_down" },
    ...{ severity: phase === "end" ? "info" : "error", subject: "s:1", text: phase, cause: "" },
    ...{ hint: "", count: 1, is_sent: true },
    ...more,
  } as OutageEvent;
}

/** Id, begin, end and severity. */
function told(events: readonly OutageEvent[], open: readonly OutageEvent[] = []) {
  return outagesOf(events, open).map(({ id, from, to, severity }) => [id, from, to, severity]);
}

Deno.test("a begin and its end are one outage, as bad as its begin", () => {
  const end = event("a", "end", { at: 5_000, duration_ms: 4_000, count: 3 });
  assertEquals(told([end, event("a", "begin")]), [["a", 1_000, 5_000, "error"]]);
  assertEquals(outagesOf([end, event("a", "begin")], []).map(({ count, text }) => [count, text]), [
    [3, "begin"],
  ]);
});

Deno.test("an end without its begin knows when it began", () => {
  const end = event("a", "end", { at: 5_000, duration_ms: 4_000 });
  assertEquals(told([end]), [["a", 1_000, 5_000, "warning"]]);
});

Deno.test("an outage that is open has no end, also when its begin is older than what was asked for", () => {
  const begin = event("a", "begin");
  assertEquals(told([], [begin]), [["a", 1_000, null, "error"]]);
  assertEquals(told([begin], [begin]), [["a", 1_000, null, "error"]]);
});

Deno.test("an end that failed is as bad as it says; what happens once is a moment; newest first", () => {
  const end = event("a", "end", { at: 5_000, severity: "error" });
  const begin = event("a", "begin", { severity: "warning" });
  assertEquals(told([event("b", "once", { at: 7_000 }), end, begin]), [
    ["b", 7_000, 7_000, "error"],
    ["a", 1_000, 5_000, "error"],
  ]);
});
