/**
 * What the dashboard guarantees about a proxy whose process has ended while its session has not.
 *
 * @module
 */

import { assertEquals, assertLess, assertMatch } from "@std/assert";
import { loadProxy } from "../../../src/store/proxies.ts";
import { CodisProxy } from "../../support/codis_proxy.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { StoreFolder } from "../../support/store.ts";

Deno.test("a proxy whose HTTP port refuses connections where it had answered is gone", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  await using dashboard = await DashboardServer.start(store);
  await using proxy = await CodisProxy.start(store, "a");
  const isSeen = async (isReachable: boolean) => {
    const { proxies } = (await dashboard.get("/api/cluster")).json;
    return proxies[0]?.is_reachable === isReachable;
  };
  await until(() => isSeen(true));
  await proxy.end();
  const began = performance.now();
  const { status, text } = await dashboard.ask("POST", "/api/slots/init?is_force=1");
  assertLess(performance.now() - began, 4_000);
  assertEquals(status, 500);
  assertMatch(
    text,
    /^receiver timeout: .* by a \(it is gone, and its session has not ended yet\)$/,
  );
  assertEquals((await loadProxy(store, "a"))?.state, "online");
});
