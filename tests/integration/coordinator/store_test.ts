/**
 * The store on an embedded coordinator: a recorded Codis 2.0 tree, and trees of our own.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { logger, startLog, stopLog } from "../../../src/base/log.ts";
import { parseConfig } from "../../../src/config/load.ts";
import {
  answerAction,
  createAction,
  deleteAction,
  loadAction,
  loadActionNames,
  loadAnswers,
} from "../../../src/store/actions.ts";
import { fillEmptyStore } from "../../../src/store/bootstrap.ts";
import { createFence, deleteFence, loadFences } from "../../../src/store/fences.ts";
import {
  createGroup,
  deleteGroup,
  deleteServer,
  loadGroup,
  loadGroups,
  masterOf,
  saveServer,
} from "../../../src/store/groups.ts";
import { removeLocks, withLock } from "../../../src/store/lock.ts";
import {
  createMigrateTask,
  deleteMigrateTask,
  loadMigrateTasks,
} from "../../../src/store/migrate_tasks.ts";
import {
  changeProxyState,
  createProxy,
  deleteProxy,
  loadProxies,
  loadProxy,
  NotRegisteredError,
} from "../../../src/store/proxies.ts";
import { loadSlot, loadSlots, saveSlot } from "../../../src/store/slots.ts";
import { StoreError } from "../../../src/store/store.ts";
import { freshSlot, slotIn } from "../../../src/model/slot.ts";
import { RECORD as PROXY } from "../../support/proxy_record.ts";
import { checkRecordedStore, recordedTree } from "../../support/codis2_tree.ts";
import { StoreFolder } from "../../support/store.ts";

function servers(text: string) {
  return parseConfig(`servers = ${text}`, "test").config.servers;
}

Deno.test("store reads everything that a running Codis 2.0 had stored", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open("test20");
  const tree = await recordedTree();
  for (const { path, data } of tree) await store.coordinator.create(path, data);
  await checkRecordedStore(store);
});

Deno.test("servers fills an empty store evenly, in ranges, all online", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  assertEquals(await fillEmptyStore(store, servers("a:1,b:2,[::1]:3")), true);
  const groups = await loadGroups(store);
  assertEquals(groups.map((group) => [group.id, masterOf(group).addr]), [
    [1, "a:1"],
    [2, "b:2"],
    [3, "[::1]:3"],
  ]);
  const slots = await loadSlots(store);
  assertEquals(slots.length, 1024);
  const counts = [1, 2, 3].map((id) => slots.filter((slot) => slot.group_id === id).length);
  assertEquals(counts, [342, 341, 341]);
  const owners = slots.map((slot) => slot.group_id);
  assertEquals(owners, [...owners].sort());
  assert(slots.every((slot) => slot.state.status === "online" && slot.product_name === "test"));
});

Deno.test("servers leaves a store that holds something, and the log says when it differs", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1,b:2");
  const before = await loadSlots(store);
  startLog({ level: "info", file: `${folder.dir}/log` });
  try {
    assertEquals(await fillEmptyStore(store, servers("b:2,a:1")), false);
    logger("test").info("mark");
    assertEquals(await fillEmptyStore(store, servers("a:1,c:3")), false);
  } finally {
    stopLog();
  }
  assertEquals(await loadSlots(store), before);
  const [quiet, loud] = (await Deno.readTextFile(`${folder.dir}/log.0`)).split("mark");
  assertEquals(quiet!.includes("is ignored"), false);
  assert(loud!.includes("servers = a:1,c:3 is ignored: the store is not empty and has a:1,b:2"));
});

Deno.test("servers fills a store in which only a proxy has registered", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  assertEquals(await fillEmptyStore(store, []), false);
  await createProxy(store, PROXY);
  await createFence(store, PROXY.addr);
  assertEquals(await fillEmptyStore(store, servers("a:1")), true);
  assertEquals((await loadSlots(store)).length, 1024);
});

Deno.test("servers fills a store once when several processes start at the same moment", async () => {
  await using folder = await StoreFolder.make();
  const stores = await Promise.all([folder.open(), folder.open(), folder.open()]);
  const filled = await Promise.all(
    stores.map((store) => fillEmptyStore(store, servers("a:1,b:2"))),
  );
  assertEquals(filled.filter((isFilled) => isFilled).length, 1);
  assertEquals((await loadGroups(stores[0]!)).length, 2);
});

Deno.test("a proxy whose registration goes while its state is changed is not registered", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("a:1");
  await createProxy(store, PROXY);
  const { coordinator } = store;
  // As when the session of a process that was killed ends just then.
  const going = new Proxy(coordinator, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name === "write") {
        return async (path: string, data: string, version?: number) => {
          await coordinator.delete(path);
          await coordinator.write(path, data, version);
        };
      }
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  await assertRejects(
    () => changeProxyState({ ...store, coordinator: going }, "proxy_1", "online"),
    NotRegisteredError,
    "proxy proxy_1 is not found: it is not registered, or is just being started again",
  );
});

Deno.test("a proxy goes online only when every slot can be served", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const goOnline = () => changeProxyState(store, "proxy_1", "online");
  await assertRejects(goOnline, StoreError, "proxy proxy_1 is not found");
  await createProxy(store, PROXY);
  await assertRejects(goOnline, StoreError, "only 0 of 1024 slots are initialized");
  await fillEmptyStore(store, servers("a:1"));
  await saveSlot(store, slotIn("test", 9, 1, "pre_migrate"));
  await assertRejects(goOnline, StoreError, "is not online or migrate");
  await saveSlot(store, { ...freshSlot("test", 9), state: slotIn("", 0, 0, "online").state });
  await assertRejects(goOnline, StoreError, "has invalid group id");
  await saveSlot(store, slotIn("test", 9, 1, "migrate"));
  await goOnline();
  assertEquals(await loadProxy(store, "proxy_1"), { ...PROXY, state: "online" });
  await changeProxyState(store, "proxy_1", "mark_offline");
  assertEquals((await loadProxies(store))[0]!.state, "mark_offline");
  await deleteProxy(store, "proxy_1");
  await deleteProxy(store, "proxy_1");
  assertEquals(await loadProxy(store, "proxy_1"), undefined);
});

Deno.test("groups and servers come and go", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  await assertRejects(() => createGroup(store, -1), StoreError, "invalid server group id -1");
  await createGroup(store, 3);
  assertEquals(await loadGroup(store, 3), { id: 3, product_name: "test", servers: null });
  await saveServer(store, { type: "master", group_id: 3, addr: "a:1" });
  await saveServer(store, { type: "slave", group_id: 3, addr: "b:1" });
  assertEquals((await loadGroup(store, 3)).servers?.map((server) => server.addr), ["a:1", "b:1"]);
  await deleteServer(store, 3, "b:1");
  await deleteServer(store, 3, "b:1");
  assertEquals((await loadGroup(store, 3)).servers?.length, 1);
  await deleteGroup(store, 3);
  await assertRejects(() => loadGroup(store, 3), StoreError, "group 3 is not found");
  await assertRejects(() => loadSlot(store, 3), StoreError, "slot 3 is not found");
});

Deno.test("an action is stored under its number with a place for answers", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const action = {
    type: "slot_changed",
    desc: "",
    target: freshSlot("test", 1),
    ts: "1",
    receivers: null,
  } as const;
  const names = [await createAction(store, action), await createAction(store, action)];
  assertEquals(await loadActionNames(store), names);
  assertEquals(await loadAction(store, names[0]!), action);
  await answerAction(store, names[0]!, PROXY);
  await answerAction(store, names[0]!, PROXY);
  assertEquals(await loadAnswers(store, names[0]!), ["proxy_1"]);
  await deleteAction(store, names[0]!);
  assertEquals(await loadActionNames(store), [names[1]!]);
  await assertRejects(() => loadAction(store, names[0]!), StoreError, "is not found");
});

Deno.test("fences are kept by address", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  await createFence(store, "[::1]:9000");
  await createFence(store, "[::1]:9000");
  assertEquals(await loadFences(store), ["[::1]:9000"]);
  await deleteFence(store, "[::1]:9000");
  await deleteFence(store, "[::1]:9000");
  assertEquals(await loadFences(store), []);
});

Deno.test("the product's lock is had by one, and can be taken away", async () => {
  await using folder = await StoreFolder.make();
  const [store, other] = [await folder.open(), await folder.open()];
  await withLock(store, "first", async () => {
    await assertRejects(
      () => withLock(other, "second", () => Promise.resolve()),
      StoreError,
      "zkutil: obtaining lock timed out",
    );
    const [name] = await store.coordinator.children(store.paths.lock);
    const owner = JSON.parse((await store.coordinator.read(`${store.paths.lock}/${name}`)).data);
    assertEquals([owner.desc, owner.pid], ["first", Deno.pid]);
  });
  assertEquals(await withLock(other, "second", () => Promise.resolve(2)), 2);
  await store.coordinator.create(`${store.paths.lock}/lock-0000000000`, "a crashed Codis 2.0");
  await assertRejects(() => withLock(store, "", () => Promise.resolve()), StoreError);
  await removeLocks(store);
  await withLock(store, "", () => Promise.resolve());
});

Deno.test("migration tasks are kept in the order they were made", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const task = {
    slot_id: 1,
    new_group: 2,
    delay: 0,
    create_at: "1",
    percent: 0,
    status: "pending",
  } as const;
  const first = await createMigrateTask(store, task);
  await createMigrateTask(store, { ...task, slot_id: 2 });
  const tasks = await loadMigrateTasks(store);
  assertEquals(tasks.map(({ task }) => [task.slot_id, task.status]), [
    [1, "pending"],
    [2, "pending"],
  ]);
  await deleteMigrateTask(store, first);
  assertEquals((await loadMigrateTasks(store)).length, 1);
});
