/**
 * `export`: one server is kept in step with a real product while slots move.
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
