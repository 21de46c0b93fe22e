/**
 * `export`: one server is kept in step with a real product while groups change.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { RespClient } from "../../support/resp_client.ts";
import { ExportSetting } from "./export_setting.ts";
import { FOLLOWS } from "./import_setting.ts";

Deno.test("a replica that takes its master's place is followed, without copying all keys anew", async () => {
  await using setting = await ExportSetting.start(1);
  const [master, , , replica] = setting.servers;
  await setting.config("server", "add", "1", replica!.addr, "slave");
  setting.load();
  const child = setting.export();
  await child.waitFor(() => child.stderr.includes(FOLLOWS));
  await setting.config("server", "promote", "1", replica!.addr);
  await delay(600);
  // What the export has of the former master is still right.
  using former = await RespClient.connect(master!.port);
  await former.call("SET", "{c}written to the wrong server", 1);
  await delay(200);
  child.signal("SIGINT");
  assertEquals((await child.ended).code, 130);
  assertEquals(child.stderr.includes("anew"), false, child.stderr);
  await setting.endLoad();
  const once = setting.export("--once", "--verify=all");
  assertEquals((await once.ended).code, 0, once.stderr + once.stdout);
  assertEquals(once.stderr.includes("anew"), false, once.stderr);
});

Deno.test("a new group that gets slots ends the export; the same command follows it, too", async () => {
  await using setting = await ExportSetting.start(1);
  const { product, target, servers } = setting;
  await product.pipeline(Array.from({ length: 300 }, (_, i) => ["SET", `key ${i}`, i]));
  const child = setting.export();
  await child.waitFor(() => child.stderr.includes(FOLLOWS));
  await setting.config("server", "add", "3", servers[3]!.addr, "master");
  await setting.config("slot", "migrate", "0", "20", "3", "--wait");
  assertEquals((await child.ended).code, 1);
  assertStringIncludes(child.stderr, "group 3 has got slots");
  const again = setting.export("--once", "--verify=all");
  assertEquals((await again.ended).code, 0, again.stderr + again.stdout);
  assertEquals(JSON.parse(again.stdout).verified.compared, 300);
  assertEquals(await target.call("DBSIZE"), 300);
});
