/**
 * `config dump` and `config restore`: backups, and the way from one coordinator to another.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import type { EmbeddedCoordinator } from "../../../src/coordinator/embedded/embedded.ts";
import { NoNodeError } from "../../../src/coordinator/errors.ts";
import { encodeMigrateTask } from "../../../src/model/migrate_task.ts";
import { encodeSlot, slotIn } from "../../../src/model/slot.ts";
import { dumpProduct, durableEntries } from "../../../src/store/dump.ts";
import { restoreProduct } from "../../../src/store/restore.ts";
import { createFolders, type Store, StoreError } from "../../../src/store/store.ts";
import { callCli } from "../../support/cli_call.ts";
import { RECORDED_PRODUCT } from "../../support/codis2_tree.ts";
import { goodTree } from "../../support/good_tree.ts";
import { startEtcd, startZookeeper } from "../../support/remote_coordinator.ts";
import { StoreFolder, type StorePlace, StoreServer } from "../../support/store.ts";

/** A product at rest: without what belongs to processes. */
async function makeStore(folder: StoreFolder): Promise<Store> {
  const store = await folder.open(RECORDED_PRODUCT);
  const { paths } = store;
  const ofProcesses = [
    paths.proxies,
    paths.fences,
    paths.actions,
    paths.responses,
    paths.dashboard,
  ];
  const entries = (await goodTree()).filter(({ path }) =>
    !ofProcesses.some((each) => path === each || path.startsWith(`${each}/`))
  );
  await (store.coordinator as EmbeddedCoordinator).createAll(entries);
  await createFolders(store);
  // Something that only others know, and something that is no JSON.
  await store.coordinator.create(`${paths.root}/theirs/deep/entry`, "läuft \u0000 {");
  return store;
}

async function writeConfig(folder: StoreFolder, place: StorePlace, name: string): Promise<string> {
  const file = `${folder.dir}/${name}.ini`;
  const dashboard = "dashboard_addr = 127.0.0.1:1";
  await Deno.writeTextFile(file, `${place.config}\nproduct = ${RECORDED_PRODUCT}\n${dashboard}\n`);
  return file;
}

/** Entries in order; the coordinator gives each task a name. */
function withoutTaskNames(entries: Iterable<[string, string]>): string[] {
  return [...new Map(entries)].map(([path, data]) =>
    `${path.replace(/^migrate_tasks\/.*/, "migrate_tasks/…")}: ${data}`
  ).sort();
}

/** As `callCli`, which must succeed. */
async function cli(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await callCli("config", ...args, "--output=table");
  assertEquals([code, stderr], [0, ""]);
  return stdout;
}

Deno.test("a product goes from embedded to ZooKeeper to etcd and back, and is the same to the byte", async () => {
  await using folder = await StoreFolder.make();
  await using back = await StoreFolder.make();
  const [zookeeper, etcd] = await Promise.all([startZookeeper(), startEtcd()]);
  await using _zookeeper = zookeeper.server;
  await using _etcd = etcd.server;
  await using inZookeeper = await StoreServer.make(zookeeper);
  await using inEtcd = await StoreServer.make(etcd);
  const store = await makeStore(folder);
  const before = await durableEntries(store);
  const places: [string, StorePlace][] = [
    ["zookeeper", inZookeeper],
    ["etcd", inEtcd],
    ["back", back],
  ];
  let from = await writeConfig(folder, folder, "embedded");
  for (const [name, place] of places) {
    const to = await writeConfig(folder, place, name);
    const dump = `${folder.dir}/${name}.json`;
    await cli("-c", from, "dump", dump);
    assertEquals((await Deno.stat(dump)).mode! & 0o777, 0o600);
    assertStringIncludes(
      await cli("-c", to, "restore", dump),
      "nothing was changed; --yes does it",
    );
    await cli("-c", to, "restore", dump, "--yes");
    assertStringIncludes(await cli("-c", to, "restore", dump), "nothing to do");
    from = to;
  }
  const after = await durableEntries(await back.open(RECORDED_PRODUCT));
  assertEquals(withoutTaskNames(after), withoutTaskNames(before));
});

Deno.test("config restore tells which slots would lose their keys, and deletes what is not in the file", async () => {
  await using folder = await StoreFolder.make();
  const store = await makeStore(folder);
  const { coordinator, paths } = store;
  const file = await writeConfig(folder, folder, "config");
  const dump = `${folder.dir}/dump.json`;
  await cli("-c", file, "dump", dump);
  const before = await durableEntries(store);
  for (const id of [600, 601]) {
    await coordinator.write(paths.slot(id), encodeSlot(slotIn(RECORDED_PRODUCT, id, 1, "online")));
  }
  const task = { slot_id: 5, new_group: 2, delay: 0, create_at: "1", percent: 0 } as const;
  const json = encodeMigrateTask({ ...task, status: "pending" });
  await coordinator.create(`${paths.migrateTasks}/`, json, "sequential");
  await coordinator.create(paths.group(9), "");

  const plan = await cli("-c", file, "restore", dump);
  assertStringIncludes(plan, "slots 600-601 go from group 1 to group 2");
  assertMatch(plan, /migrate_tasks +2 +0 +3/);
  assertMatch(plan, /servers +0 +0 +1/);
  assertMatch(plan, /slots +0 +2 +0/);
  await cli("-c", file, "restore", dump, "--yes");
  assertEquals(withoutTaskNames(await durableEntries(store)), withoutTaskNames(before));
});

Deno.test("config restore repairs a slot that cannot be read", async () => {
  await using folder = await StoreFolder.make();
  const { coordinator, paths } = await makeStore(folder);
  const file = await writeConfig(folder, folder, "config");
  const dump = `${folder.dir}/dump.json`;
  await cli("-c", file, "dump", dump);
  await coordinator.write(paths.slot(3), "garbage");
  assertMatch(await cli("-c", file, "restore", dump, "--yes"), /slots +0 +1 +0/);
});

Deno.test("a change that a dashboard has not finished is not made to what was restored", async () => {
  await using folder = await StoreFolder.make();
  const { coordinator, paths } = await makeStore(folder);
  const file = await writeConfig(folder, folder, "config");
  const dump = `${folder.dir}/dump.json`;
  await cli("-c", file, "dump", dump);
  const slot = { path: paths.slot(3), data: encodeSlot(slotIn(RECORDED_PRODUCT, 3, 1, "online")) };
  const change = { writes: [slot], announcements: [] };
  await coordinator.create(paths.intent, JSON.stringify({ kind: "change", at: 1, change }));
  assertMatch(await cli("-c", file, "restore", dump), /unfinished_change +0 +0 +1/);
  await cli("-c", file, "restore", dump, "--yes");
  await assertRejects(() => coordinator.read(paths.intent), NoNodeError);
});

Deno.test("config restore tells when a proxy came while it was restored: it may have read half of it", async () => {
  await using folder = await StoreFolder.make();
  const store = await makeStore(folder);
  const { coordinator, paths } = store;
  const dump = await dumpProduct(store);
  const slot = encodeSlot(slotIn(RECORDED_PRODUCT, 600, 1, "online"));
  await coordinator.write(paths.slot(600), slot);
  const transact = coordinator.transact.bind(coordinator);
  coordinator.transact = async (operations) => {
    await coordinator.create(paths.fence("h:1"), "");
    return await transact(operations);
  };
  await assertRejects(
    () => restoreProduct(store, dump),
    StoreError,
    "somebody came meanwhile who may have read half of it: a proxy may still serve at h:1",
  );
});

Deno.test("config restore refuses while a dashboard, a proxy or a fence is there, and what is no dump", async () => {
  await using folder = await StoreFolder.make();
  const { coordinator, paths } = await makeStore(folder);
  const file = await writeConfig(folder, folder, "config");
  const dump = `${folder.dir}/dump.json`;
  await cli("-c", file, "dump", dump);
  const refusal = async (name = dump) => {
    const { code, stderr } = await callCli("config", "-c", file, "restore", name, "--yes");
    assertEquals(code, 1);
    return stderr.trim();
  };
  await coordinator.create(paths.dashboard, "{}");
  assertStringIncludes(await refusal(), "a dashboard works with it: stop it first");
  await coordinator.delete(paths.dashboard);
  await coordinator.create(paths.fence("h:1"), "");
  assertStringIncludes(await refusal(), "a proxy may still serve at h:1");
  await coordinator.delete(paths.fence("h:1"));

  const bad = async (text: string) => {
    await Deno.writeTextFile(`${folder.dir}/bad.json`, text);
    const said = await refusal(`${folder.dir}/bad.json`);
    return said.replace(`codis-proxy: ${folder.dir}/bad.json `, "");
  };
  const no = "is not what config dump writes: ";
  const text = await Deno.readTextFile(dump);
  assertStringIncludes(await bad("{"), `${no}it is no JSON`);
  assertEquals(await bad("{}"), `${no}"format" must be "codis-proxy dump"`);
  const later = text.replace('"version":1', '"version":2');
  assertEquals(await bad(later), `${no}its version is 2; this program reads 1`);
  const outside = text.replace('"entries":{', '"entries":{"../db_other/slots":"",');
  assertEquals(await bad(outside), `${no}"../db_other/slots" is no entry of a dump`);
  const unprintable = text.replace('"entries":{', '"entries":{"a\\u0000b":"",');
  assertEquals(await bad(unprintable), `${no}"a\\u0000b" is no entry of a dump`);
  const slotless = text.replace(/"slots\/slot_3": .*/, '"slots/slot_3": "garbage",');
  const slotlessSaid =
    'codis-proxy: entry "slots/slot_3" of the file cannot be read: slot is not JSON: garbage';
  assertEquals(await bad(slotless), slotlessSaid);
  const fenced = text.replace('"entries":{', '"entries":{"fence/h:1":"",');
  assertEquals(await bad(fenced), `${no}"fence/h:1" is no entry of a dump`);
  const other = text.replace(`"product":"${RECORDED_PRODUCT}"`, '"product":"other"');
  assertStringIncludes(await bad(other), 'has product "other"');
  assertStringIncludes(await refusal(`${folder.dir}/none.json`), "none.json cannot be read");
});

Deno.test("config check --fix repairs an entry with several mistakes, and touches no other slot", async () => {
  await using folder = await StoreFolder.make();
  const store = await makeStore(folder);
  const { coordinator, paths } = store;
  const file = await writeConfig(folder, folder, "config");
  const before = await durableEntries(store);
  // Slot 600 is another group's: written by mistake, it would lose its keys.
  for (const [entry, id, product] of [[3, 600, RECORDED_PRODUCT], [4, 4, "other"]] as const) {
    const slot = slotIn(product, id, 1, "online");
    const state = { ...slot.state, migrate_status: { from: 1, to: 2 } };
    await coordinator.write(paths.slot(entry), encodeSlot({ ...slot, state }));
  }
  const { code, stdout } = await callCli("config", "-c", file, "check", "--fix");
  assertEquals([code, JSON.parse(stdout).problems], [0, []]);
  assertEquals(await durableEntries(store), before);
});

Deno.test("config check --fix repairs what has one right answer, and nothing else", async () => {
  await using folder = await StoreFolder.make();
  const store = await makeStore(folder);
  const { coordinator, paths } = store;
  const file = await writeConfig(folder, folder, "config");
  const before = await durableEntries(store);
  const wrong = { ...slotIn(RECORDED_PRODUCT, 4, 1, "online"), product_name: "other" };
  await coordinator.write(paths.slot(3), encodeSlot(wrong));
  const strange = slotIn(RECORDED_PRODUCT, 7, 1, "online");
  const state = { ...strange.state, migrate_status: { from: 1, to: 2 } };
  await coordinator.write(paths.slot(7), encodeSlot({ ...strange, state }));
  await coordinator.create(paths.response("0000000009"), "");
  await coordinator.create(paths.action("0000000010"), "{}");
  const orphan = { slot_id: 5, new_group: 77, delay: 0, create_at: "1", percent: 0 } as const;
  await coordinator.create(
    paths.migrateTask("0000000099"),
    encodeMigrateTask({ ...orphan, status: "pending" }),
  );
  // Which group is right nobody but an operator knows.
  await coordinator.write(paths.slot(9), encodeSlot(slotIn(RECORDED_PRODUCT, 9, 66, "online")));

  const { code, stdout } = await callCli("config", "-c", file, "check", "--fix");
  const { repaired, problems } = JSON.parse(stdout);
  assertEquals(code, 1);
  assertEquals(repaired.length, 5);
  assertEquals(problems.map(({ path }: { path: string }) => path), [paths.slot(9)]);
  await coordinator.write(paths.slot(9), before.get("slots/slot_9")!);
  assertEquals(await durableEntries(store), before);
});
