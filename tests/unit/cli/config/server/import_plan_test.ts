/**
 * What an import would do, and what it refuses.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import {
  ImportError,
  planGroups,
  planPool,
  planSlots,
} from "../../../../../src/cli/config/server/import_plan.ts";
import type { GroupRecord } from "../../../../../src/model/group.ts";
import type { ServerType } from "../../../../../src/model/server.ts";
import { slotIn, type SlotRecord } from "../../../../../src/model/slot.ts";

function group(id: number, ...servers: [type: ServerType, addr: string][]): GroupRecord {
  const list = servers.map(([type, addr]) => ({ type, group_id: id, addr }));
  return { id, product_name: "p", servers: list.length === 0 ? null : list };
}

/** 1024 slots of group 1, some of them otherwise. */
function slots(...others: readonly SlotRecord[]): SlotRecord[] {
  const all = Array.from({ length: 1024 }, (_, id) => slotIn("p", id, 1, "online"));
  for (const slot of others) all[slot.id] = slot;
  return all;
}

function briefly(plan: ReturnType<typeof planGroups>): string[] {
  return plan.servers.map(({ group_id, addr, type, is_there }) =>
    `${group_id} ${addr} ${type}${is_there ? " there" : ""}`
  );
}

Deno.test("planPool() numbers groups above all that are there, and leaves known servers", () => {
  const pool = { name: "alpha", servers: ["a:1", "b:1", "c:1", "d:1"], warnings: [] };
  const here = [group(2, ["master", "b:1"], ["slave", "c:1"]), group(7)];
  const plan = planPool(pool, here);
  assertEquals(briefly(plan), [
    "8 a:1 master",
    "2 b:1 master there",
    "2 c:1 slave there",
    "9 d:1 master",
  ]);
  assertEquals(plan.warnings, ["c:1 is slave in group 2 here: it stays unchanged"]);
});

Deno.test("planGroups() puts masters first, whatever their addresses", () => {
  const there = [
    group(2, ["slave", "a:1"], ["master", "b:1"]),
    group(1, ["master", "c:1"]),
    group(3),
  ];
  const plan = planGroups(there, []);
  assertEquals(briefly(plan), ["1 c:1 master", "2 b:1 master", "2 a:1 slave"]);
  assertEquals(plan.groups.map(({ group_id }) => group_id), [1, 2, 3]);
});

Deno.test("planGroups() leaves what is there, and says where it differs", () => {
  const there = [group(1, ["master", "a:1"], ["slave", "b:1"], ["slave", "c:1"])];
  const plan = planGroups(there, [group(1, ["master", "a:1"], ["offline", "b:1"])]);
  assertEquals(briefly(plan), ["1 a:1 master there", "1 b:1 offline there", "1 c:1 slave"]);
  assertEquals(plan.warnings, ["b:1 of group 1 is offline here: it stays unchanged"]);
});

const BAD_GROUPS: readonly [
  name: string,
  there: GroupRecord,
  here: GroupRecord,
  message: string,
][] = [
  [
    "a number that another group has",
    group(1, ["master", "a:1"]),
    group(1, ["master", "b:1"]),
    "the master of group 1 is a:1 there and b:1 here",
  ],
  [
    "a server that is in another group",
    group(1, ["master", "a:1"]),
    group(2, ["master", "a:1"]),
    "a:1 is in group 1 there and in group 2 here",
  ],
  ["a group without a master", group(1, ["slave", "a:1"]), group(2), "group 1 has no master there"],
  [
    "a group with two masters",
    group(1, ["master", "a:1"], ["master", "b:1"]),
    group(2),
    "group 1 has two masters there",
  ],
];

for (const [name, there, here, message] of BAD_GROUPS) {
  Deno.test(`planGroups() refuses ${name}`, () => {
    assertThrows(() => planGroups([there], [here]), ImportError, message);
  });
}

const GROUP_STEPS = [{ group_id: 1, is_there: true }, { group_id: 2, is_there: true }];

Deno.test("planSlots() gives away what is offline here, leaves what is right already", () => {
  const there = slots(slotIn("p", 9, 2, "online"), slotIn("p", 10, -1, "offline"));
  const here = slots().map(({ id }) =>
    id < 5 ? slotIn("p", id, 1, "online") : slotIn("p", id, -1, "offline")
  );
  assertEquals(planSlots(there, here, GROUP_STEPS), {
    makes_slots: false,
    slots: [
      { from: 0, to: 4, group_id: 1, is_there: true },
      { from: 5, to: 8, group_id: 1, is_there: false },
      { from: 9, to: 9, group_id: 2, is_there: false },
      { from: 11, to: 1023, group_id: 1, is_there: false },
    ],
  });
  assertEquals(planSlots(there, [], GROUP_STEPS).makes_slots, true);
});

const MIGRATING = slotIn("p", 7, 2, "migrate");

const BAD_SLOTS: readonly [
  name: string,
  there: readonly SlotRecord[],
  here: readonly SlotRecord[],
  message: string,
][] = [
  ["slots that migrate there", slots(MIGRATING), [], "slot 7 is migrating there"],
  [
    "slots that are about to migrate there",
    slots(MIGRATING, slotIn("p", 8, 1, "pre_migrate"), slotIn("p", 100, 1, "pre_migrate")),
    [],
    "slots 7-8, 100 are migrating there",
  ],
  ["slots that are missing there", slots().slice(3), [], "slots 0-2 are not stored there"],
  ["slots that are missing here", slots(), slots().slice(3), "slots 0-2 are not stored here"],
  [
    "slots of groups that are not there",
    slots(slotIn("p", 4, 9, "online")),
    [],
    "slot 4 is owned there by groups that do not exist",
  ],
  [
    "slots that somebody else has here",
    slots(),
    slots(slotIn("p", 4, 2, "online"), MIGRATING),
    "slots 4, 7 are not offline here",
  ],
];

for (const [name, there, here, message] of BAD_SLOTS) {
  Deno.test(`planSlots() refuses ${name}`, () => {
    assertThrows(() => planSlots(there, here, GROUP_STEPS), ImportError, message);
  });
}
