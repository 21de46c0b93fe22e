/**
 * How the cluster and its slots look to people.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { formatSlots } from "../../../../src/cli/parts/slot_ranges.ts";
import { toJson } from "../../../../src/cli/parts/output.ts";
import { formatCluster, formatSummary, summarize } from "../../../../src/cli/config/status.ts";
import { formatTable } from "../../../../src/cli/parts/table.ts";
import { slotIn, type SlotRecord } from "../../../../src/model/slot.ts";
import { TASK, VIEW, VIEW_AT } from "../../../support/cluster_view.ts";

Deno.test("slots are told in ranges of one owner and status", () => {
  const moving: SlotRecord = {
    ...slotIn("p", 5, 2, "migrate"),
    state: { status: "migrate", migrate_status: { from: 1, to: 2 }, last_op_ts: "0" },
  };
  const slots = [
    ...[0, 1, 2, 3].map((id) => slotIn("p", id, 1, "online")),
    slotIn("p", 4, 1, "pre_migrate"),
    moving,
    slotIn("p", 7, -1, "offline"),
    slotIn("p", 8, -1, "offline"),
  ];
  assertEquals(
    formatSlots(slots.toReversed()),
    `0-3  group 1   online
4    group 1   pre_migrate
5    group 2   migrate from group 1
7-8  no group  offline`,
  );
});

Deno.test("what is stored cannot speak to a terminal", () => {
  assertEquals(formatTable([], [["\x1b[2Jred\n", "x"]]), "?[2Jred?  x");
});

Deno.test("config status shows a running change, and what it waits for", () => {
  const status = `${"o".repeat(5)}m${"x".repeat(2)}${"o".repeat(1016)}`;
  const text = formatCluster({
    ...VIEW,
    slots: { ...VIEW.slots, status, from: { 5: 1 } },
    migrations: [TASK, { ...TASK, name: "0000000002", status: "pending", keys_left: null }],
    migrations_paused_since: VIEW_AT,
    dead_fences: ["proxy-2:19000"],
    change: {
      summary: "slot 5 → group 2, migrate",
      since: VIEW_AT - 3_000,
      waiting_for: [{ proxy_id: "proxy_1", reason: "a request hangs" }],
    },
    events: [{ at: VIEW_AT, level: "warning", text: "redis-3:6379 is down" }],
  });
  for (
    const piece of [
      "slots 5         group 1  migrate from group 1\n",
      "slots 6-7       group 1  offline\n",
      "migrations are paused since 2026-11-24T06:00:00.000Z: `codis-proxy config slot resume`\n",
      "2 migration tasks\n",
      "the cluster cannot be changed: proxy proxy-2:19000 has a fence and is not online",
      "change running for 3 s: slot 5 → group 2, migrate, waiting for proxy_1 (a request hangs)",
      "2026-11-24T06:00:00.000Z  warning  redis-3:6379 is down",
    ]
  ) {
    assertStringIncludes(text, piece);
  }
});

Deno.test("config status as JSON has a line for each list of numbers", () => {
  const group = Array.from({ length: 1024 }, (_, id) => id - 1);
  const view = { ...VIEW, slots: { ...VIEW.slots, group, ops: group.map((id) => id / 8) } };
  const text = toJson(view)!;
  assertEquals(JSON.parse(text), JSON.parse(JSON.stringify(view)));
  assertStringIncludes(text, `\n    "group": [${group.join(", ")}],\n`);
  const lists = { a: [], b: [1], c: [null, 1e21, -0.5], d: ["[\n 1,\n 2\n]", 1], e: [[1, 2], [3]] };
  assertEquals(
    toJson(lists),
    `{
  "a": [],
  "b": [1],
  "c": [null, 1e+21, -0.5],
  "d": [
    "[\\n 1,\\n 2\\n]",
    1
  ],
  "e": [
    [1, 2],
    [3]
  ]
}`,
  );
});

Deno.test("config status --short is a few figures, and what needs attention", () => {
  const status = `${"o".repeat(1000)}${"m".repeat(20)}${"x".repeat(4)}`;
  const summary = summarize({ ...VIEW, slots: { ...VIEW.slots, status } });
  assertEquals(summary.slots, { online: 1000, migrate: 20, offline: 4 });
  assertEquals(summary.slots_served, 512);
  assertEquals(summary.proxies_online <= summary.proxies, true);
  assertEquals(summary.concerns[0], {
    severity: "error",
    text: "4 slots are offline: their keys are not served",
  });
  const lines = formatSummary(summary).split("\n");
  assertEquals(lines.slice(1, 2), ["slots    1000 online, 20 migrate, 4 offline: 512 served"]);
  assertEquals(lines[5], "error: 4 slots are offline: their keys are not served");
});

Deno.test("config status of a product that has nothing yet is a short one", () => {
  const text = formatCluster({
    ...VIEW,
    groups: [],
    proxies: [],
    slots: { group: [], status: "", from: {}, ops: [], served: 0 },
  });
  assertEquals(text.split("\n\n").slice(1), ["no groups", "no proxies", "no slots"]);
});
