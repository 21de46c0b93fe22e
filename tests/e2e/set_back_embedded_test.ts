/**
 * What operators may rely on when the journal of the embedded store is replaced, written over or damaged while two
 * proxies and a dashboard use it.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { callCli } from "../support/cli_call.ts";
import { keysInSlots } from "../support/counting_load.ts";
import { DashboardProcess } from "../support/dashboard_process.ts";
import { until } from "../support/deadline.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { StoreFolder } from "../support/store.ts";

/** Longest time until a change succeeds again, in milliseconds: proxies are marked offline after 30 s. */
const CHANGE_MS = 15_000;

/** Two proxies and a dashboard, two servers, and a journal. */
class JournalCluster implements AsyncDisposable {
  readonly stack = new AsyncDisposableStack();
  servers!: readonly RedisServer[];
  dashboard!: DashboardProcess;
  proxies!: readonly ProxyProcess[];
  journal!: string;

  static async start(): Promise<JournalCluster> {
    const cluster = new JournalCluster();
    const { stack } = cluster;
    cluster.servers = stack.use(await RedisServer.startMany(2));
    const folder = stack.use(await StoreFolder.make());
    cluster.journal = `${folder.dir}/journal`;
    const store = await folder.openFilled(cluster.servers.map(({ addr }) => addr).join(","));
    await store.coordinator.close();
    const config = { embedded_dir: folder.dir };
    cluster.dashboard = stack.use(await DashboardProcess.start(config));
    const start = async (id: string) =>
      stack.use(
        await ProxyProcess.start({
          config: { ...config, dashboard_addr: cluster.dashboard.addr, proxy_id: id },
        }),
      );
    cluster.proxies = [await start("one"), await start("two")];
    return cluster;
  }

  /** Moves a slot as soon as that can be done, and waits until both proxies send it there. */
  async move(slotId: number, groupId: number): Promise<void> {
    const words = ["slot", "migrate", `${slotId}`, `${slotId}`, `${groupId}`, "--wait"];
    let said = "";
    await until(async () => {
      const { code, stderr } = await callCli("config", "-c", this.dashboard.configFile, ...words);
      if (stderr !== "") said = stderr;
      assertEquals(said.includes("undefined"), false, said);
      return code === 0;
    }, CHANGE_MS);
    await this.untilServedBy(slotId, groupId);
  }

  /** Waits until both proxies send a slot to this group. */
  async untilServedBy(slotId: number, groupId: number): Promise<void> {
    const [key] = keysInSlots([slotId], 1);
    using there = await this.servers[groupId - 1]!.client();
    for (const [i, proxy] of this.proxies.entries()) {
      assert(!proxy.child.hasEnded, proxy.stderr);
      using client = await proxy.client();
      await until(async () => {
        assertEquals(await client.call("SET", key!, `${slotId} ${i}`), "OK");
        return await there.call("GET", key!) === `${slotId} ${i}`;
      }, CHANGE_MS);
    }
  }

  /** Asserts that nothing is wrong with the file. */
  async assertSound(): Promise<void> {
    const { code, stderr } = await callCli("config", "-c", this.dashboard.configFile, "dump", "-");
    assertEquals([code, stderr], [0, ""]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

Deno.test("a copy of the embedded journal that is written over it is the table of all proxies, and changes go on", async () => {
  await using cluster = await JournalCluster.start();
  const { journal } = cluster;
  await cluster.move(1, 2);
  const copy = await Deno.readFile(journal);
  for (const slotId of [2, 3]) await cluster.move(slotId, 2);
  await Deno.writeFile(journal, copy);
  await cluster.untilServedBy(2, 1);
  await cluster.untilServedBy(1, 2);
  await cluster.move(4, 2);
  await cluster.assertSound();
  // Longer than what is there, too.
  const longer = await Deno.readFile(journal);
  await Deno.writeFile(journal, copy);
  await cluster.untilServedBy(4, 1);
  await Deno.writeFile(journal, longer);
  await cluster.untilServedBy(4, 2);
  await cluster.move(5, 2);
  await cluster.assertSound();
  for (const { stderr } of cluster.proxies) {
    assertStringIncludes(stderr, "another journal was put in place of");
  }
});

Deno.test("an embedded journal that is damaged while all runs keeps clients served, and all go on when it is mended", async () => {
  await using cluster = await JournalCluster.start();
  const { journal, proxies } = cluster;
  await cluster.move(1, 2);
  for (const isCut of [false, true]) {
    const good = await Deno.readFile(journal);
    const lines = new TextDecoder().decode(good).trimEnd().split("\n");
    await Deno.writeTextFile(journal, `${lines.slice(-5, -3).join("\n")}\n`, { append: true });
    const hint = `[ERROR] coordinator: embedded_dir cannot be used: journal "${await Deno.realPath(
      journal,
    )}" is damaged at byte ${good.length}`;
    for (const proxy of proxies) await until(() => proxy.stderr.includes(hint), CHANGE_MS);
    await cluster.untilServedBy(1, 2);
    if (isCut) {
      await Deno.truncate(journal, good.length);
    } else {
      await Deno.writeFile(`${journal}.copy`, good);
      await Deno.rename(`${journal}.copy`, journal);
    }
    await cluster.move(isCut ? 3 : 2, 2);
  }
  await cluster.assertSound();
});
