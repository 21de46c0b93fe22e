/**
 * The tree of a running Codis 2.0, recorded from its ZooKeeper in the middle of a migration.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { loadAction, loadActionNames, loadAnswers } from "../../src/store/actions.ts";
import { loadFences } from "../../src/store/fences.ts";
import { loadGroups, masterOf } from "../../src/store/groups.ts";
import { loadMigrateTasks } from "../../src/store/migrate_tasks.ts";
import { loadProxies } from "../../src/store/proxies.ts";
import { loadSlot, loadSlots } from "../../src/store/slots.ts";
import type { Store } from "../../src/store/store.ts";

const FILE = new URL("../fixtures/codis2/zookeeper-tree.json", import.meta.url);

/** The product that was recorded. */
export const RECORDED_PRODUCT = "test20";

/** One recorded node. */
export interface RecordedNode {
  readonly path: string;
  readonly data: string;
  readonly ephemeral: boolean;
}

/** Every node, parents before children. */
export async function recordedTree(): Promise<RecordedNode[]> {
  const tree: Record<string, { data: string; ephemeral: boolean }> = JSON.parse(
    await Deno.readTextFile(FILE),
  );
  return Object.keys(tree).sort().map((path) => ({ path, ...tree[path]! }));
}

/** Checks that a store that holds the tree reads as what Codis 2.0 meant. */
export async function checkRecordedStore(store: Store): Promise<void> {
  const slots = await loadSlots(store);
  assertEquals(slots.length, (await store.coordinator.children(store.paths.slots)).length);
  assertEquals((await loadSlot(store, 0)).group_id, 1);
  assertEquals((await loadSlot(store, 101)).group_id, 2);

  const groups = await loadGroups(store);
  assertEquals(groups.map((group) => masterOf(group).addr), [
    "127.0.0.1:6401",
    "127.0.0.1:6402",
    "127.0.0.1:7003",
    "127.0.0.1:7004",
  ]);

  const [proxy] = await loadProxies(store);
  assertEquals(proxy?.state, "online");
  assertEquals(await loadFences(store), ["proxy-host:19000"]);

  const names = await loadActionNames(store);
  assertEquals(names[0], "0000000000");
  assertEquals(names.at(-1), "0000002076");
  const last = await loadAction(store, "0000002074");
  assertEquals(last.type, "slot_premigrate");
  assertEquals((await loadAnswers(store, "0000002074")).includes("proxy_1"), true);
  assertEquals((await loadAnswers(store, "0000002076")).includes("proxy_1"), false);

  const tasks = await loadMigrateTasks(store);
  assertEquals(tasks.map(({ task }) => [task.slot_id, task.status]), [
    [101, "migrating"],
    [900, "pending"],
  ]);
}
