/**
 * A product of Codis 3.2 is taken over while its real proxies serve, under load: no write is lost, and our
 * entries for Jodis are like theirs.
 *
 * `CODIS3_DASHBOARD=<path>` and `CODIS3_PROXY=<path>` name the programs, `CODIS_SERVER=<path>` a codis-server 3.2
 * (else a double is it). Without the first two nothing is tried.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { callCli } from "../../support/cli_call.ts";
import { CODIS3_PROGRAMS, Codis3Product } from "../../support/codis3_product.ts";
import { CodisServer } from "../../support/codis_server.ts";
import { DashboardProcess } from "../../support/dashboard_process.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { type RemoteCoordinator, startZookeeper } from "../../support/remote_coordinator.ts";
import { RespClient } from "../../support/resp_client.ts";

if (CODIS3_PROGRAMS === undefined) {
  console.log("CODIS3_DASHBOARD, CODIS3_PROXY are not set: a take-over of Codis 3.2 is NOT tried");
}

/** A client that counts, at one proxy after the other. */
class Counter {
  readonly #key: string;
  readonly #running: Promise<void>;
  #port: number;
  #count = 0;
  #isStopped = false;

  constructor(key: string, port: number) {
    this.#key = key;
    this.#port = port;
    this.#running = this.#run();
  }

  /** Goes on at another proxy, behind the answer that is owed. */
  moveTo(port: number): void {
    this.#port = port;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const port = this.#port;
      using client = await RespClient.connect(port);
      while (!this.#isStopped && port === this.#port) {
        // Neither lost nor done twice.
        assertEquals(await client.call("INCR", this.#key), ++this.#count, this.#key);
        await delay(1);
      }
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }
}

/** Every proxy's entry, with what differs from one to the other taken out. */
async function jodisEntries(zookeeper: RemoteCoordinator): Promise<string[]> {
  const coordinator = await zookeeper.open();
  const names = await coordinator.children("/jodis/shop");
  const entries = await Promise.all(names.map(async (name) => {
    assertMatch(name, /^proxy-[0-9a-f]{32}$/);
    const { data } = await coordinator.read(`/jodis/shop/${name}`);
    return data.replaceAll(/[0-9a-f]{32}/g, "TOKEN").replaceAll(/"[\w.-]+:\d+"/g, '"ADDR"')
      .replace(/"20[^"]+ \+0000 UTC( m=[^"]*)?"/, '"TIME"');
  }));
  await coordinator.close();
  return entries;
}

Deno.test({
  name: "a product of Codis 3.2 is taken over while its proxies serve, and no write is lost",
  ignore: CODIS3_PROGRAMS === undefined,
  fn: async () => {
    const zookeeper = await startZookeeper();
    await using _server = zookeeper.server;
    await using first = await CodisServer.start();
    await using second = await CodisServer.start();
    const zk = `127.0.0.1:${zookeeper.server.port}`;
    await using codis3 = await Codis3Product.start(zk, [first, second]);
    const counters = Array.from({ length: 12 }, (_, i) => {
      return new Counter(`counter ${i}`, codis3.proxies[i % 2]!.port);
    });

    const config = { coordinator: "zookeeper", zk, product: "shop", proxy_id: "ours" };
    await using dashboard = await DashboardProcess.start(config);
    const ask = (...words: string[]) =>
      callCli("config", `--dashboard=${dashboard.addr}`, ...words);
    const refused = await ask("server", "import", codis3.toml);
    assertStringIncludes(refused.stderr, "Codis 3.2's dashboard runs at ");
    await codis3.dashboard.end("SIGTERM");
    const { code, stderr } = await ask("server", "import", codis3.toml);
    assertEquals([code, stderr], [0, ""]);
    await using ours = await ProxyProcess.start({
      config: { ...config, dashboard_addr: dashboard.addr, jodis_addr: zk },
    });
    await until(async () => (await jodisEntries(zookeeper)).length === 3);
    assertEquals(new Set(await jodisEntries(zookeeper)).size, 1);

    // Half of the clients move over: both kinds serve the same keys.
    for (const counter of counters.slice(0, 6)) counter.moveTo(ours.port);
    await ask("slot", "migrate", "0", "40", "2");
    await delay(1_000);
    using client = await ours.client();
    assertEquals(await client.call("SLOTSMAPPING", 0), ["0", first.addr, "", null]);
    for (const counter of counters) counter.moveTo(ours.port);
    await delay(100);
    for (const { child } of codis3.proxies) await child.end("SIGTERM");
    assertEquals((await ask("action", "remove-fence")).code, 0);
    // From now on slots move.
    await until(async () => {
      const [, owner, from] = await client.call("SLOTSMAPPING", 40) as string[];
      return owner === second.addr && from === "";
    });
    for (const counter of counters) await counter.stop();
  },
});
