/**
 * What operators may rely on when a record of the coordinator was damaged: status and `config check` name it, whatever
 * needs it says where to look, and commands of this program put it right.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeSlot, type SlotRecord } from "../../../src/model/slot.ts";
import { loadSlot } from "../../../src/store/slots.ts";
import { callCli, type Ended } from "../../support/cli_call.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** Calls `config` for the store of a folder. */
async function commandsOf(folder: StoreFolder, dashboard: DashboardServer) {
  const file = `${folder.dir}/config.ini`;
  const lines = [folder.config, "product = test", `dashboard_addr = ${dashboard.addr}`];
  await Deno.writeTextFile(file, `${lines.join("\n")}\n`);
  return (...words: string[]): Promise<Ended> =>
    callCli("config", "-c", file, ...words, "--output=table");
}

const ADVICE = "codis-proxy config check says what to do";

Deno.test("users that were damaged are named, and put right by config acl import", async () => {
  await using folder = await StoreFolder.make();
  await using server = await RedisServer.start();
  const store = await folder.openFilled(server.addr);
  await using dashboard = await DashboardServer.start(store);
  const config = await commandsOf(folder, dashboard);
  const start = (proxy_id: string) =>
    ProxyProcess.start({
      config: {
        ...{ embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id, acl: "store" },
      },
    });
  await using proxy = await start("one");
  assertEquals((await config("acl", "set", "default", "on", ">first", "~*", "+@all")).code, 0);
  const path = store.paths.redisUsers;
  await store.coordinator.write(path, '{"users":[{"name":"default","rules":"on >hidden');

  const checked = await config("check");
  assertEquals(checked.code, 1);
  assertStringIncludes(checked.stdout, `error: ${path}\n`);
  assertStringIncludes(checked.stdout, "codis-proxy config acl import");
  assertStringIncludes(
    (await config("status")).stdout,
    `${path} in the coordinator cannot be read`,
  );
  for (const words of [["list"], ["set", "bob", "on"]]) {
    assertStringIncludes((await config("acl", ...words)).stderr, ADVICE);
  }
  const lines = [folder.config, "product = test", "proxy_id = two", "acl = store"];
  await Deno.writeTextFile(`${folder.dir}/proxy.ini`, `${lines.join("\n")}\n`);
  const refused = startProgram([
    ...["proxy", "-c", `${folder.dir}/proxy.ini`, "--addr=127.0.0.1:0", "--http-addr=127.0.0.1:0"],
  ]);
  assertEquals((await refused.ended).code, 1);
  assertStringIncludes(refused.stderr, ADVICE);
  const users = `${folder.dir}/users.acl`;
  await Deno.writeTextFile(users, "user bob on nopass ~* +@all\n");
  const partly = await config("acl", "import", users);
  assertMatch(partly.stderr, /users\.acl must have all users, and has no default/);
  await Deno.writeTextFile(users, "user default on >second ~* +@all\nuser bob off\n");
  assertEquals((await config("acl", "import", users)).code, 0);

  using client = await proxy.client();
  assertEquals(await client.call("AUTH", "second"), "OK");
  await using other = await start("two");
  using second = await other.client();
  assertEquals(await second.call("AUTH", "second"), "OK");
  assertEquals((await config("check")).code, 0);
});

Deno.test("allowed commands that were damaged are named, removed, and allowed anew", async () => {
  await using folder = await StoreFolder.make();
  await using server = await RedisServer.start();
  const store = await folder.openFilled(server.addr);
  await using dashboard = await DashboardServer.start(store);
  const config = await commandsOf(folder, dashboard);
  assertEquals((await config("command", "allow", "foo.get", "key=1")).code, 0);
  const path = store.paths.allowedCommands;
  await store.coordinator.write(path, "garbage");

  const checked = await config("check");
  assertEquals(checked.code, 1);
  const removal = `codis-proxy config check --remove=${path}`;
  assertStringIncludes(checked.stdout, removal);
  await until(async () =>
    (await config("status")).stdout.includes(`${path} in the coordinator cannot be read`)
  );
  for (const words of [["list"], ["allow", "bar.get", "key=1"], ["remove", "foo.get"]]) {
    assertStringIncludes((await config("command", ...words)).stderr, ADVICE);
  }
  const removed = await config(...removal.split(" ").slice(2));
  assertEquals(removed.code, 0);
  assertStringIncludes(removed.stdout, `removed: ${path}, which held garbage\n`);
  assertEquals((await config("command", "allow", "foo.get", "key=1")).code, 0);
  const again = await config(...removal.split(" ").slice(2));
  assertEquals(again.code, 1);
  assertStringIncludes(again.stderr, "nothing was removed");
});

/** What may have become of the record of slot 7. */
const DAMAGE: Readonly<Record<string, (slot: SlotRecord) => string | undefined>> = {
  "was damaged": () => "garbage",
  "was deleted": () => undefined,
  "belongs to no group though it is online": (slot) => encodeSlot({ ...slot, group_id: -1 }),
  "belongs to a group that is not there": (slot) => encodeSlot({ ...slot, group_id: 9 }),
  "migrates from a group that is not there": (slot) => encodeSlot(migrating(slot, 9, 1)),
  "migrates from its group to itself": (slot) => encodeSlot(migrating(slot, 1, 1)),
  "migrates from and to nowhere": (slot) => encodeSlot(migrating(slot, -1, -1)),
};

function migrating(slot: SlotRecord, from: number, to: number): SlotRecord {
  return { ...slot, state: { ...slot.state, status: "migrate", migrate_status: { from, to } } };
}

for (const [damage, recordOf] of Object.entries(DAMAGE)) {
  Deno.test(`a slot that ${damage} is given to its group again, by the command that the check names`, async () => {
    await using folder = await StoreFolder.make();
    await using servers = await RedisServer.startMany(2);
    const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
    await using dashboard = await DashboardServer.start(store);
    const config = await commandsOf(folder, dashboard);
    const [path, slot] = [store.paths.slot(7), await loadSlot(store, 7)];
    const record = recordOf(slot);
    if (record === undefined) await store.coordinator.delete(path);
    else await store.coordinator.write(path, record);
    const { code, stdout } = await config("check");
    assertEquals(code, 1);
    const [, advice] = /codis-proxy config (slot range-set 7 7 (?:<group_id>|1) online)/.exec(
      stdout,
    )!;
    // What cannot be moved is not queued for ever.
    const moved = await config("slot", "migrate", "7", "7", "2");
    assertEquals([moved.code, dashboard.dashboard.migrations.views()], [1, []]);
    assertEquals((await config(...advice!.replace("<group_id>", "1").split(" "))).code, 0);
    assertEquals(await loadSlot(store, 7), slot);
    assertEquals((await config("check")).code, 0);
  });
}

Deno.test("a slot of a group that is there is not given away without its keys", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  await using dashboard = await DashboardServer.start(store);
  const config = await commandsOf(folder, dashboard);
  const slot = await loadSlot(store, 7);
  for (const record of [slot, migrating({ ...slot, group_id: 2 }, 1, 2)]) {
    await store.coordinator.write(store.paths.slot(7), encodeSlot(record));
    const { code, stderr } = await config("slot", "range-set", "6", "8", "2", "online");
    assertEquals(code, 1);
    assertMatch(stderr, /slot [67] is not offline, .* use migrate/);
    assertEquals(await loadSlot(store, 7), record);
  }
});
