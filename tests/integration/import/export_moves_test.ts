/**
 * `export`: one server is kept in step with a real product while slots move, and masters change.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { RespClient } from "../../support/resp_client.ts";
import { makeAllValues } from "./all_values.ts";
import { ExportSetting } from "./export_setting.ts";
import { FOLLOWS } from "./import_setting.ts";

Deno.test("every key is equal after a switch-over, though slots moved and the export was killed", async () => {
  await using setting = await ExportSetting.start();
  await makeAllValues(setting.product);
  setting.load();
  const first = setting.export();
  await first.waitFor(() => first.stderr.includes(FOLLOWS));
  await setting.config("slot", "migrate", "0", "400", "2");
  await delay(500);
  first.signal("SIGKILL");
  await first.ended;
  await setting.config("slot", "migrate", "600", "700", "1", "--wait");
  // In step means: no slot moves any more.
  const last = await setting.switchOver();
  assertStringIncludes(last.stderr, "go: let the clients use the target");
  const writing = setting.product.call("SET", "late", 1);
  assertEquals(await setting.target.call("EXISTS", "late"), 0);
  assertEquals(await setting.target.call("GET", "string:text"), "hello");
  for (const server of setting.servers.slice(0, 2)) {
    using client = await RespClient.connect(server.port);
    await client.call("CLIENT", "UNPAUSE");
  }
  await writing;
  await setting.endLoad();
});

Deno.test("a replica that takes its master's place is followed, without copying all keys anew", async () => {
  await using setting = await ExportSetting.start(1);
  const [master, , , replica] = setting.servers;
  await setting.config("server", "add", "1", replica!.addr, "slave");
  setting.load();
  const child = setting.export();
  await child.waitFor(() => child.stderr.includes(FOLLOWS));
  await setting.config("server", "promote", "1", replica!.addr);
  await delay(1_000);
  // What the export has of the former master is still right.
  using former = await RespClient.connect(master!.port);
  await former.call("SET", "{c}written to the wrong server", 1);
  await delay(1_000);
  child.signal("SIGINT");
  assertEquals((await child.ended).code, 130);
  assertEquals(child.stderr.includes("anew"), false, child.stderr);
  await setting.endLoad();
  const once = setting.export("--once", "--verify=all");
  assertEquals((await once.ended).code, 0, once.stderr + once.stdout);
  assertEquals(once.stderr.includes("anew"), false, once.stderr);
});
