/**
 * A machine that vanishes with a master and a proxy, while another change waits for that proxy: the failover
 * waits for neither.
 *
 * @module
 */

import { assertEquals, assertLess } from "@std/assert";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** The change would wait for 30 s. The proxy that hangs is known to have stepped back after 3.25 s. */
const BOUND_MS = 7_500;

Deno.test("a failover does not wait for a proxy that hangs, although a slot change does", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(3);
  const [master, other, replica] = servers.map(({ addr }) => addr) as [string, string, string];
  const store = await folder.openFilled(`${master},${other}`);
  await using dashboard = await DashboardServer.start(store, {
    failover: "auto",
    failoverAfterMs: 500,
  });
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: replica, type: "slave" });
  const start = (proxy_id: string) =>
    ProxyProcess.start({
      config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id },
    });
  await using one = await start("one");
  await using _two = await start("two");
  await using hung = await start("hung");
  using client = await one.client();
  using toReplica = await servers[2]!.client();
  await until(async () => /link_status:up/.test(`${await toReplica.call("INFO", "replication")}`));
  assertEquals(await client.call("SET", "k1", "v"), "OK");

  hung.child.signal("SIGSTOP");
  try {
    await dashboard.done("POST", "/api/migrate", { from: 1000, to: 1000, new_group: 1 });
    await until(async () => (await dashboard.get("/api/cluster")).json.change !== null);
    const began = performance.now();
    await servers[0]!.kill();
    await until(async () => await toReplica.call("SET", "direct", "1") === "OK", 40_000);
    await until(async () => {
      const answers = [await client.call("SET", "k1", "1"), await client.call("SET", "k7", "7")];
      return answers.every((answer) => answer === "OK");
    }, 40_000);
    const tookMs = performance.now() - began;
    assertLess(tookMs, BOUND_MS);
  } finally {
    hung.child.signal("SIGCONT");
  }
});
