/**
 * Every kind of record that cannot be read is named, with what to do.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { EmbeddedCoordinator } from "../../../src/coordinator/embedded/embedded.ts";
import { checkTree } from "../../../src/store/check.ts";
import { type StorePaths, storePaths } from "../../../src/store/paths.ts";
import { loadTree } from "../../../src/store/product_tree.ts";
import { removeUnreadable, repairTree } from "../../../src/store/repair.ts";
import { type Store, StoreError } from "../../../src/store/store.ts";
import { RECORDED_PRODUCT } from "../../support/codis2_tree.ts";
import { goodTree } from "../../support/good_tree.ts";
import { StoreFolder } from "../../support/store.ts";

const PATHS = storePaths(RECORDED_PRODUCT);
const GOOD = await goodTree();
const ACTION = GOOD.map(({ path }) => path).find((path) => path.startsWith(`${PATHS.actions}/`))!;

/** By the noun of each path: a record of its kind; null: what is there counts whatever it holds. */
const KINDS: Readonly<Record<keyof StorePaths, string | null>> = {
  ...{ root: null, slots: null, servers: null, group: null, proxies: null, migrateTasks: null },
  ...{ fences: null, fence: null, lock: null, dashboardEpoch: null, failoverRule: null },
  // Whose action can be read; answers are known by their names.
  ...{ responses: null, response: null, answer: null },
  dashboard: PATHS.dashboard,
  dashboardStatus: PATHS.dashboardStatus,
  intent: PATHS.intent,
  move: PATHS.move,
  actionsBefore: PATHS.actionsBefore,
  slot: PATHS.slot(7),
  server: PATHS.server(1, "a:1"),
  proxy: PATHS.proxy("gone"),
  actions: null,
  action: ACTION,
  migrateTask: PATHS.migrateTask("0000000077"),
  migratePause: PATHS.migratePause,
  allowedCommands: PATHS.allowedCommands,
  serverZones: PATHS.serverZones,
  sentinels: PATHS.sentinels,
  slotRules: PATHS.slotRules,
  redisUsers: PATHS.redisUsers,
  dashboardUsers: PATHS.dashboardUsers,
  apiTokens: PATHS.apiTokens,
  audit: null,
  auditPage: PATHS.auditPage("done_0"),
  outages: null,
  outagePage: PATHS.outagePage("page_0"),
  writeHolds: null,
  writeHold: PATHS.writeHold("a:2"),
  failedMasters: null,
  failedMaster: PATHS.failedMaster("a:3"),
};

const DAMAGED = Object.values(KINDS).filter((path) => path !== null);

/** The good tree with one damaged record. */
async function storeWith(folder: StoreFolder, path: string): Promise<Store> {
  const store = await folder.open(RECORDED_PRODUCT);
  const others = GOOD.filter((entry) => entry.path !== path);
  const entries = [...others, { path, data: "secret {" }];
  await (store.coordinator as EmbeddedCoordinator).createAll(entries);
  return store;
}

async function problemAt(store: Store, path: string) {
  return checkTree(await loadTree(store)).problems.find((problem) => problem.path === path);
}

for (const path of DAMAGED) {
  const name = path.slice(PATHS.root.length + 1);
  Deno.test(`checkTree(): a damaged ${name} is named, and what is said to be done helps`, async () => {
    await using folder = await StoreFolder.make();
    const store = await storeWith(folder, path);
    const problem = await problemAt(store, path);
    assert(problem !== undefined, "it is not named");
    assert(problem.fix !== "");
    if (/users|tokens/.test(name)) assert(!problem.problem.includes("secret"), problem.problem);
    if (problem.repairs !== undefined) await repairTree(store);
    else if (problem.isRemovable) {
      assertStringIncludes(problem.fix, `codis-proxy config check --remove=${path}`);
      assertEquals(await removeUnreadable(store, path), "secret {");
    } else return;
    assertEquals((await problemAt(store, path))?.problem.includes("secret"), undefined);
  });
}

Deno.test("removeUnreadable(): nothing else is taken away", async () => {
  await using folder = await StoreFolder.make();
  const store = await storeWith(folder, PATHS.redisUsers);
  for (const path of [PATHS.root, PATHS.slots, PATHS.slot(1), PATHS.apiTokens, "/", "x", ACTION]) {
    await assertRejects(() => removeUnreadable(store, path), StoreError, "nothing was removed");
  }
});

Deno.test("checkTree(): what is said to remove an action or a response node without the other does so", async () => {
  await using folder = await StoreFolder.make();
  const store = await storeWith(folder, PATHS.apiTokens);
  await store.coordinator.create(PATHS.response("0000000009"), "");
  await store.coordinator.create(
    PATHS.action("0000009999"),
    (await store.coordinator.read(ACTION)).data,
  );
  for (const path of [PATHS.response("0000000009"), PATHS.action("0000009999")]) {
    assertEquals((await problemAt(store, path))?.fix, "codis-proxy config check --fix");
  }
  await repairTree(store);
  for (const path of [PATHS.response("0000000009"), PATHS.action("0000009999")]) {
    assertEquals(await problemAt(store, path), undefined);
  }
});
