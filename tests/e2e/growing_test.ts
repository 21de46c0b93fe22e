/**
 * A product outgrows the embedded coordinator, while 100 clients use it and slots move: what they see of it.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { callCli } from "../support/cli_call.ts";
import { MovingProduct } from "../support/moving_product.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { startEtcd, startZookeeper } from "../support/remote_coordinator.ts";
import { UpgradeLoad } from "../support/upgrade_load.ts";

/** What clients may see: nothing. */
const NOTHING = { wrong: [], failedConnects: 0, endedBetween: 0, unanswered: 0, causes: {} };

Deno.test("embedded, etcd, ZooKeeper, and back: two proxies, 100 clients, no error, no lost write", async () => {
  await using resources = new AsyncDisposableStack();
  const servers = await Promise.all([RedisServer.start(), RedisServer.start()]);
  for (const server of servers) resources.use(server);
  const [etcd, zookeeper] = await Promise.all([startEtcd(), startZookeeper()]);
  resources.use(etcd.server);
  resources.use(zookeeper.server);
  const one = resources.use(await ProxyProcess.start({ servers, cpu: 2 }));
  // The second one shares the folder, and leaves the dashboard to the first.
  const two = resources.use(
    await ProxyProcess.start({
      config: {
        embedded_dir: `${one.folder}/data`,
        proxy_id: "two",
        dashboard_addr: `127.0.0.1:${one.httpPort}`,
      },
    }),
  );
  const product = new MovingProduct(one);
  const [embedded, inEtcd, inZookeeper] = [
    await product.config("embedded"),
    await product.config(etcd),
    await product.config(zookeeper),
  ];
  const loads = [one, two].map(({ port }) =>
    new UpgradeLoad({ port, steady: 40, short: 10, pauseMs: 150, prefix: `${port}:` })
  );
  for (const load of loads) load.start();
  const migrate = async (file: string, group: number, ...more: string[]) => {
    const words = ["config", "slot", "migrate", "0", "15", `${group}`, "-c", file, ...more];
    const { code, stderr } = await callCli(...words, "--dashboard-wait=20");
    assertEquals([code, stderr], [0, ""], one.stderr);
  };
  await migrate(embedded, 2);
  await delay(300);
  let from = embedded;
  for (const to of [inEtcd, inZookeeper, embedded]) {
    assertStringIncludes(await product.move(from, to), "has moved");
    from = to;
  }
  // Changes are made again, and every proxy confirms them.
  await migrate(embedded, 1, "--wait");
  for (const load of loads) {
    const { commands, longestMs: _, ...seen } = await load.stop();
    assert(commands > 250, `${commands}`);
    assertEquals(seen, NOTHING, one.stderr);
  }
  for (const proxy of [one, two]) assertEquals(await proxy.stop(), 0);
});
