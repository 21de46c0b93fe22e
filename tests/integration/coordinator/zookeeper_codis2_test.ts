/**
 * One ZooKeeper shared with Codis 2.0: its recorded tree, its rights, its way to send actions.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { CoordinatorError } from "../../../src/coordinator/errors.ts";
import { decodeProxy } from "../../../src/model/proxy.ts";
import { slotIn } from "../../../src/model/slot.ts";
import { answerAction, createAction } from "../../../src/store/actions.ts";
import { createFence } from "../../../src/store/fences.ts";
import { createGroup, saveServer } from "../../../src/store/groups.ts";
import { createMigrateTask } from "../../../src/store/migrate_tasks.ts";
import { createProxy, loadProxy } from "../../../src/store/proxies.ts";
import { loadSlots, saveSlot } from "../../../src/store/slots.ts";
import { checkRecordedStore, RECORDED_PRODUCT, recordedTree } from "../../support/codis2_tree.ts";
import { until } from "../../support/deadline.ts";
import { CODIS2_RIGHTS, RawZookeeper } from "../../support/raw_zookeeper.ts";
import { startZookeeper } from "../../support/remote_coordinator.ts";
import { StoreServer } from "../../support/store.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { TestProxy } from "../proxy/membership.ts";

const remote = await startZookeeper();

/** The recorded action that is sent again, and its recorded answer. */
const RECORDED_ACTION = "0000002070";

/** Numbers that Codis 2.0 had used up when it was recorded. */
const NUMBERS_USED = 2078;

/** Loads the recorded tree with Codis 2.0's rights. */
async function loadRecorded(raw: RawZookeeper): Promise<void> {
  await raw.create("/zk", "", CODIS2_RIGHTS.dir);
  const tree = await recordedTree();
  const parents = new Set(tree.map(({ path }) => path.slice(0, path.lastIndexOf("/"))));
  for (const { path, data, ephemeral } of tree) {
    const isDir = parents.has(path) || /\/(ActionResponse\/\d+|LOCK)$/.test(path);
    await raw.create(path, data, isDir ? CODIS2_RIGHTS.dir : CODIS2_RIGHTS.file, ephemeral);
  }
}

Deno.test("a Codis 2.0's ZooKeeper is read, changed and deleted in spite of its rights", async () => {
  await using place = await StoreServer.make(remote);
  await using raw = await RawZookeeper.open(remote.server.port);
  await loadRecorded(raw);
  const store = await place.open(RECORDED_PRODUCT);
  await checkRecordedStore(store);
  await saveSlot(store, slotIn(RECORDED_PRODUCT, 100, 1, "online"));
  await saveSlot(store, slotIn(RECORDED_PRODUCT, 102, 1, "online"));
  await store.coordinator.deleteTree(store.paths.responses);
  // As left behind by a Codis 2.0 that was killed while it deleted, and by one that never began.
  await raw.setRights(store.paths.servers, CODIS2_RIGHTS.doomed);
  await raw.setRights(store.paths.actions, CODIS2_RIGHTS.file);
  await store.coordinator.deleteTree("/zk");
  assertEquals(await store.coordinator.children("/"), ["zookeeper"]);
});

Deno.test("what we store in ZooKeeper has the rights that Codis 2.0 gives it", async () => {
  await using place = await StoreServer.make(remote);
  await using raw = await RawZookeeper.open(remote.server.port);
  const store = await place.open();
  const { paths, coordinator } = store;
  await saveSlot(store, slotIn("test", 0, 1, "online"));
  await createGroup(store, 1);
  await saveServer(store, { type: "master", group_id: 1, addr: "a:1" });
  await saveServer(store, { type: "master", group_id: 2, addr: "b:2" });
  await createProxy(store, RECORD);
  await createFence(store, RECORD.addr);
  const target = slotIn("test", 0, 1, "online");
  const name = await createAction(store, {
    ...{ type: "slot_changed", desc: "", target, ts: "1", receivers: null },
  });
  await answerAction(store, name, RECORD);
  const task = await createMigrateTask(store, {
    ...{ slot_id: 1, new_group: 1, delay: 0, create_at: "1", percent: 0, status: "pending" },
  });
  const lock = await coordinator.lock(paths.lock, { data: "{}", waitMs: 0 });
  const dirs = [
    ...[paths.root, paths.slots, paths.servers, paths.group(1), paths.group(2), paths.proxies],
    ...[paths.fences, paths.actions, paths.responses, paths.response(name), paths.lock],
    paths.migrateTasks,
  ];
  const files = [
    ...[paths.slot(0), paths.server(1, "a:1"), paths.proxy("proxy_1"), paths.fence("here:9000")],
    ...[paths.action(name), paths.answer(name, "proxy_1"), paths.migrateTask(task), lock.path],
  ];
  for (const path of dirs) assertEquals(await raw.rights(path), "world:anyone:31", path);
  for (const path of files) assertEquals(await raw.rights(path), "world:anyone:19", path);
  await lock.release();
});

Deno.test("a proxy joins a recorded Codis 2.0 cluster and answers its action byte for byte", async () => {
  await using place = await StoreServer.make(remote);
  await using raw = await RawZookeeper.open(remote.server.port);
  await loadRecorded(raw);
  const store = await place.open(RECORDED_PRODUCT);
  const { paths, coordinator } = store;
  const recorded = await raw.read(paths.answer(RECORDED_ACTION, "proxy_1"));
  const action = await raw.read(paths.action(RECORDED_ACTION));
  // The recording holds some of the slots: the rest is like them, and one is on its way.
  const stored = new Set((await loadSlots(store)).map(({ id }) => id));
  const missing = Array.from({ length: 1024 }, (_, id) => id).filter((id) => !stored.has(id));
  await Promise.all(missing.map((id) => {
    return saveSlot(store, slotIn(RECORDED_PRODUCT, id, id < 512 ? 1 : 2, "online"));
  }));
  const { target: migrating } = JSON.parse(action);
  await saveSlot(store, migrating);
  await raw.delete(paths.proxy("proxy_1"));
  await useNumbersUp(raw, paths.responses);

  const record = { ...decodeProxy(recorded), state: "offline" } as const;
  await using proxy = new TestProxy(store, {}, record);
  await proxy.membership.start();
  // As its dashboard does when the proxy asks.
  await until(async () => await loadProxy(store, "proxy_1") !== undefined);
  await raw.write(paths.proxy("proxy_1"), recorded);
  await proxy.seen("loaded");
  assertEquals(proxy.table.fills.size, 1024);
  assertEquals(proxy.table.fills.get(migrating.id), {
    slotId: 100,
    groupId: 2,
    backendAddr: "127.0.0.1:6402",
    migrateFromAddr: "127.0.0.1:6401",
    migrateFromGroupId: 1,
    isBlocked: false,
  });

  // Codis 2.0 takes a number by a file, and makes a directory of it.
  const file = await coordinator.create(`${paths.responses}/`, action, "sequential");
  await raw.delete(file);
  await raw.create(file, action, CODIS2_RIGHTS.dir);
  const name = file.slice(file.lastIndexOf("/") + 1);
  assert(name > "0000002076", name);
  await raw.create(paths.action(name), action, CODIS2_RIGHTS.file);
  await until(() => raw.read(paths.answer(name, "proxy_1")).then(() => true, () => false));
  assertEquals(await raw.read(paths.answer(name, "proxy_1")), recorded);
});

Deno.test("with credentials, what we store in ZooKeeper is for them alone", async () => {
  await using place = await StoreServer.make(remote);
  const ours = await place.open("test", { auth: "codis:secret" });
  await saveSlot(ours, slotIn("test", 0, 1, "online"));
  const others = await place.open();
  await assertRejects(() => loadSlots(others), CoordinatorError, "no auth");
  const alsoOurs = await place.open("test", { auth: "codis:secret" });
  assertEquals((await loadSlots(alsoOurs)).length, 1);
  await alsoOurs.coordinator.deleteTree("/zk");
});

/** Children that came and went, as in a cluster that has been running for long. */
async function useNumbersUp(raw: RawZookeeper, path: string): Promise<void> {
  for (let used = 0; used < NUMBERS_USED; used += 100) {
    await Promise.all(Array.from({ length: 100 }, async (_, i) => {
      await raw.create(`${path}/used-${i}`, "", CODIS2_RIGHTS.file);
      await raw.delete(`${path}/used-${i}`);
    }));
  }
}
