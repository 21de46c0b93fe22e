/**
 * Every mistake that can be in a tree, and what is said of it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { EmbeddedCoordinator } from "../../../src/coordinator/embedded/embedded.ts";
import { SLOT_COUNT } from "../../../src/hash/slot_id.ts";
import { encodeMigrateTask } from "../../../src/model/migrate_task.ts";
import { encodeProxy } from "../../../src/model/proxy.ts";
import { encodeServer, type ServerType } from "../../../src/model/server.ts";
import { encodeSlot, slotIn, type SlotRecord, type SlotStatus } from "../../../src/model/slot.ts";
import { checkTree } from "../../../src/store/check.ts";
import { storePaths } from "../../../src/store/paths.ts";
import { loadTree } from "../../../src/store/product_tree.ts";
import { RECORDED_PRODUCT } from "../../support/codis2_tree.ts";
import { goodTree } from "../../support/good_tree.ts";
import { RECORD as PROXY } from "../../support/proxy_record.ts";
import { StoreFolder } from "../../support/store.ts";

const PATHS = storePaths(RECORDED_PRODUCT);
const GOOD = await goodTree();

/** Entries as they are instead of the good ones; `null`: not there, with all below it. */
type Edits = Readonly<Record<string, string | null>>;

/** What is said of the good tree after some edits: `error slots/slot_5: problem`. */
async function problemsAfter(edits: Edits): Promise<string[]> {
  await using folder = await StoreFolder.make();
  const store = await folder.open(RECORDED_PRODUCT);
  const isGone = (path: string) =>
    Object.entries(edits).some(([edited, data]) =>
      path === edited || (data === null && path.startsWith(`${edited}/`))
    );
  const coordinator = store.coordinator as EmbeddedCoordinator;
  const edited = Object.entries(edits).flatMap(([path, data]) =>
    data === null ? [] : [{ path, data }]
  );
  const entries = [...GOOD.filter(({ path }) => !isGone(path)), ...edited];
  if (entries.length > 0) await coordinator.createAll(entries);
  const { problems } = checkTree(await loadTree(store));
  assertEquals(problems.filter(({ fix }) => fix === ""), []);
  return problems.map(({ path, severity, problem }) =>
    `${severity} ${path.replace(`${PATHS.root}/`, "")}: ${problem}`
  );
}

function slot(id: number, groupId: number, status: SlotStatus, from = -1, to = -1): string {
  const record = slotIn(RECORDED_PRODUCT, id, groupId, status);
  const state = { ...record.state, migrate_status: { from, to } };
  return encodeSlot({ ...record, state });
}

function slotWith(id: number, fields: Partial<SlotRecord>): string {
  return encodeSlot({ ...slotIn(RECORDED_PRODUCT, id, 1, "online"), ...fields });
}

function server(type: ServerType, groupId: number, addr: string): string {
  return encodeServer({ type, group_id: groupId, addr });
}

function task(slotId: number, groupId: number): string {
  return encodeMigrateTask({
    slot_id: slotId,
    new_group: groupId,
    delay: 0,
    create_at: "1795325388",
    percent: 0,
    status: "pending",
  });
}

const NO_PROXY: Edits = { [PATHS.proxies]: null, [PATHS.fences]: null };

const ALL_OFFLINE: Edits = {
  [PATHS.migrateTasks]: null,
  ...Object.fromEntries(
    Array.from({ length: SLOT_COUNT }, (_, id) => [PATHS.slot(id), slot(id, -1, "offline")]),
  ),
};

interface Row {
  readonly name: string;
  readonly edits: Edits;
  readonly problems: readonly string[];
}

const ROWS: readonly Row[] = [
  { name: "the good one", edits: {}, problems: [] },
  {
    name: "no slots at all, while no proxy is there",
    edits: { [PATHS.slots]: null, [PATHS.migrateTasks]: null, ...NO_PROXY },
    problems: [],
  },
  {
    name: "a proxy that waits for slots",
    edits: { [PATHS.slots]: null, [PATHS.migrateTasks]: null },
    problems: ["warning slots: no slots are stored: no proxy can be set online"],
  },
  {
    name: "slots without groups, while no proxy is there",
    edits: { ...ALL_OFFLINE, ...NO_PROXY },
    problems: [],
  },
  {
    name: "a proxy that waits for slots to have groups",
    edits: ALL_OFFLINE,
    problems: ["warning slots/slot_0: slots 0-1023: offline: no proxy can be set online"],
  },
  {
    name: "slots that are missing",
    edits: { [PATHS.slot(8)]: null, [PATHS.slot(9)]: null, [PATHS.slot(1023)]: null },
    problems: [
      "error slots/slot_8: slots 8-9: not stored, though others are",
      "error slots/slot_1023: slot 1023: not stored, though others are",
    ],
  },
  {
    name: "a slot that is not JSON",
    edits: { [PATHS.slot(3)]: "{" },
    problems: ["error slots/slot_3: slot is not JSON: {"],
  },
  {
    name: "a slot of an unknown status",
    edits: { [PATHS.slot(3)]: slot(3, 1, "lost" as SlotStatus) },
    problems: [
      "error slots/slot_3: slot.state.status must be one of online, offline, migrate, " +
      'pre_migrate, not "lost"',
    ],
  },
  {
    name: "something beside the slots, each named once",
    edits: { [`${PATHS.slots}/slot_1024`]: slot(0, 1, "online"), [`${PATHS.slots}/slot_01`]: "" },
    problems: [
      'warning slots/slot_01: nobody reads "slot_01": names here are slot_<number>',
      'warning slots/slot_1024: nobody reads "slot_1024": names here are slot_<number>',
    ],
  },
  {
    name: "a slot with another number",
    edits: { [PATHS.slot(3)]: slotWith(3, { id: 4 }) },
    problems: ["error slots/slot_3: slot 3: id is 4, not the number in its name"],
  },
  {
    name: "a slot of another product",
    edits: { [PATHS.slot(3)]: slotWith(3, { product_name: "other" }) },
    problems: ['error slots/slot_3: slot 3: product_name is "other", not "test20"'],
  },
  {
    name: "slots that nobody owns, though they are online",
    edits: { [PATHS.slot(3)]: slot(3, -1, "online"), [PATHS.slot(4)]: slot(4, -1, "online") },
    problems: ["error slots/slot_3: slots 3-4: online, but owned by no group"],
  },
  {
    name: "a slot of a group that is not there",
    edits: { [PATHS.slot(3)]: slot(3, 9, "online") },
    problems: ["error slots/slot_3: slot 3: owned by group 9, which is not there"],
  },
  {
    name: "a slot at rest that says where it migrates",
    edits: { [PATHS.slot(3)]: slot(3, 1, "online", 1, 2) },
    problems: [
      "warning slots/slot_3: slot 3: online, but migrate_status is from 1 to 2, not -1 and -1",
    ],
  },
  {
    name: "a migration to another group than the owner",
    edits: { [PATHS.slot(101)]: slot(101, 3, "migrate", 1, 2) },
    problems: ["error slots/slot_101: slot 101: migrates to group 2, but is owned by group 3"],
  },
  {
    name: "a migration from a group to itself",
    edits: { [PATHS.slot(101)]: slot(101, 2, "migrate", 2, 2) },
    problems: ["error slots/slot_101: slot 101: migrates from group 2 to itself"],
  },
  {
    name: "a migration from a group that is not there",
    edits: { [PATHS.slot(101)]: slot(101, 2, "migrate", 9, 2) },
    problems: ["error slots/slot_101: slot 101: migrates from group 9, which is not there"],
  },
  {
    name: "a migration with its task",
    edits: { [PATHS.slot(101)]: slot(101, 2, "migrate", 1, 2) },
    problems: [],
  },
  {
    name: "a migration that was cancelled",
    edits: { [PATHS.slot(101)]: slot(101, 1, "migrate", 2, 1) },
    problems: [],
  },
  {
    name: "a migration that turns round at this moment",
    edits: { [PATHS.slot(101)]: slot(101, 1, "pre_migrate", 2, 1) },
    problems: [],
  },
  {
    name: "migrations that no task will end",
    edits: {
      [PATHS.slot(5)]: slot(5, 2, "migrate", 1, 2),
      [PATHS.slot(6)]: slot(6, 1, "pre_migrate"),
      [PATHS.slot(101)]: slot(101, 3, "migrate", 1, 3),
    },
    problems: [
      "warning slots/slot_5: slot 5: migrates to group 2, and no task will end it",
      "warning slots/slot_6: slot 6: pre_migrate, and no task will end it",
      "warning slots/slot_101: slot 101: migrates to group 3, and no task will end it",
    ],
  },
  {
    name: "neighbours that migrate to several groups, and that no task will end",
    edits: {
      [PATHS.slot(5)]: slot(5, 2, "migrate", 1, 2),
      [PATHS.slot(6)]: slot(6, 3, "migrate", 1, 3),
    },
    problems: [
      "warning slots/slot_5: slot 5: migrates to group 2, and no task will end it",
      "warning slots/slot_6: slot 6: migrates to group 3, and no task will end it",
    ],
  },
  {
    name: "slots that are offline among others",
    edits: { [PATHS.slot(5)]: slot(5, -1, "offline"), [PATHS.slot(6)]: slot(6, 1, "offline") },
    problems: [
      "warning slots/slot_5: slots 5-6: offline, though others are not: " +
      "no proxy can be set online",
    ],
  },
  {
    name: "a group without a master, which slots need",
    edits: { [PATHS.server(1, "127.0.0.1:6401")]: server("slave", 1, "127.0.0.1:6401") },
    problems: ["error servers/group_1: no master, though slots need it"],
  },
  {
    name: "a group without a master, which nobody needs",
    edits: { [PATHS.server(4, "127.0.0.1:7004")]: null },
    problems: [],
  },
  {
    name: "a group with two masters",
    edits: { [PATHS.server(4, "a:1")]: server("master", 4, "a:1") },
    problems: ["error servers/group_4: two masters: 127.0.0.1:7004, a:1"],
  },
  {
    name: "a server that is not JSON",
    edits: { [PATHS.server(4, "a:1")]: "?" },
    problems: ["error servers/group_4/a:1: server is not JSON: ?"],
  },
  {
    name: "a server that says of itself something else",
    edits: { [PATHS.server(4, "a:1")]: server("slave", 3, "b:1") },
    problems: [
      'error servers/group_4/a:1: group_id is 3, not 4; addr is "b:1", not its name',
    ],
  },
  {
    name: "a server in two groups",
    edits: { [PATHS.server(4, "127.0.0.1:7003")]: server("slave", 4, "127.0.0.1:7003") },
    problems: ["error servers/group_4/127.0.0.1:7003: 127.0.0.1:7003 is in group 3 as well"],
  },
  {
    name: "something beside the groups",
    edits: { [`${PATHS.servers}/group_x`]: "" },
    problems: ['warning servers/group_x: nobody reads "group_x": names here are group_<number>'],
  },
  {
    name: "a proxy that is not JSON",
    edits: { [PATHS.proxy("proxy_2")]: "[]" },
    problems: ["error proxy/proxy_2: proxy must be an object, not []"],
  },
  {
    name: "a proxy with another id",
    edits: { [PATHS.proxy("proxy_2")]: encodeProxy({ ...PROXY, id: "proxy_3" }) },
    problems: ['error proxy/proxy_2: id is "proxy_3", not its name'],
  },
  {
    name: "proxies of which not all have cluster_mode on",
    edits: {
      [PATHS.proxy("proxy_2")]: encodeProxy({
        ...{ ...PROXY, id: "proxy_2", state: "online", cluster_mode: true },
      }),
      [PATHS.proxy("proxy_3")]: encodeProxy({ ...PROXY, id: "proxy_3", state: "offline" }),
      [PATHS.proxy("proxy_4")]: encodeProxy({ ...PROXY, id: "proxy_4", state: "online" }),
    },
    problems: [
      "warning proxy/proxy_1: refuses CLUSTER, and clients of a Redis Cluster are sent to it by proxy_2, " +
      "which has cluster_mode = on",
      "warning proxy/proxy_4: refuses CLUSTER, and clients of a Redis Cluster are sent to it by proxy_2, " +
      "which has cluster_mode = on",
    ],
  },
  {
    name: "a fence without its proxy",
    edits: { [PATHS.fence("h:1")]: "" },
    problems: ["error fence/h:1: no proxy is online at h:1: nothing can be changed"],
  },
  {
    name: "an action that cannot be answered",
    edits: { [PATHS.response("0000002074")]: null, [PATHS.response("0000002076")]: null },
    problems: [
      "warning actions/0000002074: an action that cannot be answered: " +
      "it has no response node (and 1 more)",
    ],
  },
  {
    name: "answers to an action that is gone, and to one that is about to come",
    edits: { [PATHS.action("0000002072")]: null, [PATHS.response("0000002078")]: "" },
    problems: ["warning ActionResponse/0000002072: a response node without its action"],
  },
  {
    name: "a task for a slot and a group that are not there",
    edits: { [PATHS.migrateTask("0000000003")]: task(1024, 9) },
    problems: [
      "error migrate_tasks/0000000003: a task for slot 1024 and group 9, which is not there",
    ],
  },
  {
    name: "two tasks for one slot",
    edits: { [PATHS.migrateTask("0000000010")]: task(900, 2) },
    problems: [
      "warning migrate_tasks/0000000010: slot 900 has an earlier task, 0000000002",
    ],
  },
  {
    name: "a task that is not JSON",
    edits: { [PATHS.migrateTask("0000000010")]: "" },
    problems: ["error migrate_tasks/0000000010: migrate task is not JSON: "],
  },
  {
    name: "locks, told and untold",
    edits: {
      [`${PATHS.lock}/lock-0000000001`]: '{"desc":"add group","hostname":"h","pid":7}',
      [`${PATHS.lock}/lock-0000000002`]: "",
    },
    problems: [
      "warning LOCK/lock-0000000001: held or waited for by process 7 on h: add group",
      "warning LOCK/lock-0000000002: held or waited for by an unknown process",
    ],
  },
  {
    name: "a change that nobody has finished",
    edits: { [PATHS.intent]: '{"kind":"slot_rules","at":0}' },
    problems: ["warning unfinished_change: a dashboard is at work on a change"],
  },
  {
    name: "a pause of migrations",
    edits: { [PATHS.migratePause]: '{"since":1732431600000}' },
    problems: [
      "warning migrate_pause: migrations are paused since 2024-11-24T07:00:00.000Z: no slot moves",
    ],
  },
  {
    name: "a pause of migrations that says nothing",
    edits: { [PATHS.migratePause]: "" },
    problems: ["warning migrate_pause: migrations are paused: no slot moves"],
  },
  {
    name: "sentinels that are in sync",
    edits: { [PATHS.sentinels]: '{"servers":["a:26379"],"out_of_sync":false}' },
    problems: [],
  },
  {
    name: "sentinels that may watch other masters",
    edits: { [PATHS.sentinels]: '{"servers":["a:26379"],"out_of_sync":true}' },
    problems: [
      "warning sentinel: the sentinels may watch other masters than those that are stored",
    ],
  },
  {
    name: "sentinels that cannot be read",
    edits: { [PATHS.sentinels]: "x" },
    problems: ["error sentinel: sentinels is not JSON: x"],
  },
  {
    name: "zones of servers that cannot be read",
    edits: { [PATHS.serverZones]: "{" },
    problems: ["error server_zones: server zones is not JSON: {"],
  },
  {
    name: "slot rules that cannot be read",
    edits: { [PATHS.slotRules]: "{" },
    problems: ["error slot_rules: slot rules is not JSON: {"],
  },
  {
    name: "a slot rule that is none",
    edits: { [PATHS.slotRules]: '{"rules":[{"pattern":"*","tag":"x"}],"pending":null}' },
    problems: [
      "error slot_rules: rule *: this would place every key in one slot",
      "warning proxy/proxy_1: may be a proxy of Codis: such a one places keys without slot rules, and " +
      "its clients miss keys",
    ],
  },
  {
    name: "a change of slot rules that nobody has finished",
    edits: { [PATHS.slotRules]: '{"rules":[],"pending":[]}' },
    problems: ["warning slot_rules: slot rules are about to change: proxies hold requests"],
  },
  {
    name: "nothing at all",
    edits: { "/zk/codis": null },
    problems: [`error ${PATHS.root}: nothing is stored for product test20`],
  },
];

Deno.test("checkTree(): replicas that follow no server, another group, each other", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open(RECORDED_PRODUCT);
  const group = [["m:1", "master"], ["a:1", "slave"], ["b:1", "slave"]] as const;
  const entries = GOOD.filter(({ path }) => !path.startsWith(`${PATHS.servers}/group_1/`));
  await (store.coordinator as EmbeddedCoordinator).createAll([
    ...entries,
    ...group.map(([addr, type]) => ({
      path: PATHS.server(1, addr),
      data: server(type, 1, addr),
    })),
  ]);
  const tree = await loadTree(store);
  /** Whom a and b follow, and what is said of each. */
  const cases: readonly (readonly [a: string, b: string, said: readonly string[]])[] = [
    ["m:1", "m:1", []],
    // As a chain, and by a name that is not stored.
    ["m:1", "a:1", []],
    ["alias:1", "elsewhere:1", []],
    ["", "m:1", ["a:1 nobody"]],
    ["", "a:1", ["a:1 nobody", "b:1 a:1"]],
    ["b:1", "a:1", ["a:1 b:1", "b:1 a:1"]],
    ["m:1", "b:1", ["b:1 b:1"]],
    ["m:1", "other:1", ["b:1 other:1"]],
  ];
  for (const [a, b, said] of cases) {
    const facts = new Map(
      [["m:1", ""], ["alias:1", ""], ["a:1", a], ["b:1", b], ["other:1", ""]].map((
        [addr, follows],
      ) => [addr!, { runId: addr === "alias:1" ? "m:1" : addr!, follows: follows! }]),
    );
    const strays = checkTree(tree, facts).problems.filter(({ path }) =>
      path.startsWith(`${PATHS.servers}/group_1/`)
    );
    assertEquals(
      strays.map(({ problem }) =>
        problem.replace(/ gets no changes of m:1, the master of group 1: it follows/, "")
      ),
      said,
    );
  }
  // What would lose its data in vain is not advised.
  const fixes = (own: { rdb: number; name: string }) => {
    const facts = new Map([
      ["m:1", { runId: "m:1", follows: "", reads: { rdb: 11, name: "Valkey 8.0.1" } }],
      ["a:1", { runId: "a:1", follows: "", reads: own }],
    ]);
    return checkTree(tree, facts).problems.filter(({ problem }) => problem.startsWith("a:1"))
      .map(({ fix }) => fix);
  };
  assertEquals(fixes({ rdb: 10, name: "Redis 7.0.15" }), [
    "it is Redis 7.0.15, which cannot read the data of Valkey 8.0.1: codis-proxy config server remove 1 a:1, " +
    "once it is not needed as the way back",
  ]);
  assertEquals(fixes({ rdb: 11, name: "Redis 7.2.4" }), [
    "redis-cli -h a -p 1 SLAVEOF m 1: it loses what only it has",
  ]);
});

for (const { name, edits, problems } of ROWS) {
  Deno.test(`checkTree(): ${name}`, async () => {
    assertEquals(await problemsAfter(edits), problems);
  });
}
