/**
 * What operators may rely on when a record of the coordinator was damaged: status and `config check` name it, whatever
 * needs it says where to look, and commands of this program put it right.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
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

Deno.test("a slot that was damaged is given to its group again", async () => {
  await using folder = await StoreFolder.make();
  await using server = await RedisServer.start();
  const store = await folder.openFilled(server.addr);
  await using dashboard = await DashboardServer.start(store);
  const config = await commandsOf(folder, dashboard);
  await store.coordinator.write(store.paths.slot(7), "garbage");
  const command = "slot range-set 7 7 <group_id> online";
  assertStringIncludes((await config("check")).stdout, `codis-proxy config ${command}`);
  assertEquals((await config(...command.replace("<group_id>", "1").split(" "))).code, 0);
  assertEquals((await loadSlot(store, 7)).group_id, 1);
  assertEquals((await config("check")).code, 0);
});
