/**
 * Groups whose servers are stored with other roles than they have, as after the coordinator was set back over a
 * promotion: what `config check` advises, followed word for word, mends them, and no write is lost.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { ServerType } from "../../../src/model/server.ts";
import { saveServer } from "../../../src/store/groups.ts";
import type { Store } from "../../../src/store/store.ts";
import { callCli } from "../../support/cli_call.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** A group of a master and a replica, a proxy, and records that an operator wants mended. */
class Cluster implements AsyncDisposable {
  readonly stack = new AsyncDisposableStack();
  store!: Store;
  servers!: readonly RedisServer[];
  dashboard!: DashboardServer;
  proxy!: ProxyProcess;
  #file = "";

  static async start(): Promise<Cluster> {
    const cluster = new Cluster();
    const { stack } = cluster;
    const folder = stack.use(await StoreFolder.make());
    cluster.servers = stack.use(await RedisServer.startMany(2));
    const [master, replica] = cluster.addrs;
    cluster.store = await folder.openFilled(master);
    cluster.dashboard = stack.use(await DashboardServer.start(cluster.store));
    cluster.#file = `${folder.dir}/config.ini`;
    const dashboard_addr = cluster.dashboard.addr;
    await Deno.writeTextFile(
      cluster.#file,
      `${folder.config}\ndashboard_addr = ${dashboard_addr}\n`,
    );
    await cluster.dashboard.done("PUT", "/api/server_group/1/addServer", {
      ...{ addr: replica, type: "slave" },
    });
    await cluster.dashboard.seesLinked(replica, master);
    const config = { embedded_dir: folder.dir, dashboard_addr, proxy_id: "one" };
    cluster.proxy = stack.use(await ProxyProcess.start({ config }));
    return cluster;
  }

  get addrs(): [master: string, replica: string] {
    return this.servers.map(({ addr }) => addr) as [string, string];
  }

  /** Writes records as nobody but an operator, or an older copy, would. */
  async storeRoles(types: Readonly<Record<string, ServerType>>): Promise<void> {
    for (const [addr, type] of Object.entries(types)) {
      await saveServer(this.store, { type, group_id: 1, addr });
    }
  }

  config(...words: string[]) {
    return callCli("config", "-c", this.#file, ...words);
  }

  /** What `config check` says: problems, and what to do about each. */
  async check(): Promise<[problem: string, fix: string][]> {
    const { problems } = JSON.parse((await this.config("check")).stdout);
    return problems.map(({ problem, fix }: { problem: string; fix: string }) => [problem, fix]);
  }

  /** Does what a piece of advice says. */
  async follow(fix: string): Promise<void> {
    for (const command of fix.split(", then ")) {
      const [program, word, ...words] = command.split(" ");
      assertEquals([program, word], ["codis-proxy", "config"]);
      const { code, stdout, stderr } = await this.config(...words);
      assertEquals(code, 0, `${command}: ${stdout}${stderr}`);
    }
  }

  /** Asserts that clients may write, that both servers have it, and that nothing is wrong any more. */
  async assertWell(master: string): Promise<void> {
    using client = await this.proxy.client();
    await until(async () => await client.call("SET", "after", "1") === "OK", 5_000);
    for (const server of this.servers) {
      using direct = await server.client();
      await until(async () => await direct.call("GET", "after") === "1");
      assertEquals(await direct.call("GET", "before"), "1");
    }
    assertEquals(await this.check(), []);
    const { servers } = (await this.dashboard.get("/api/server_group/1")).json;
    const masters = servers.filter(({ type }: { type: string }) => type === "master");
    assertEquals(masters.map(({ addr }: { addr: string }) => addr), [master]);
  }

  /** Writes a key, and makes the replica the master, which the old one follows then. */
  async promoteReplica(): Promise<void> {
    const [old, now] = this.addrs;
    {
      using client = await this.proxy.client();
      assertEquals(await client.call("SET", "before", "1"), "OK");
    }
    assertEquals((await this.config("server", "promote", "1", now)).code, 0);
    await this.dashboard.seesLinked(old, now);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

Deno.test("a store set back over a promotion is mended by the command that the check names, without force", async () => {
  await using cluster = await Cluster.start();
  const [old, now] = cluster.addrs;
  await cluster.promoteReplica();
  await cluster.storeRoles({ [old]: "master", [now]: "slave" });
  assertEquals(await cluster.check(), [[
    `the master of group 1 follows ${now}: it refuses writes`,
    `codis-proxy config server promote 1 ${now}`,
  ]]);
  const isTold = async () => {
    const { concerns } = JSON.parse((await cluster.config("status", "--short")).stdout);
    return concerns.some(({ severity, text }: { severity: string; text: string }) =>
      severity === "error" && text.includes(`follows ${now}: it refuses writes`)
    );
  };
  await until(isTold, 15_000);
  await cluster.follow((await cluster.check())[0]![1]);
  await cluster.assertWell(now);
});

Deno.test("of two stored masters the check names the one that the other follows, and promoting it mends the record", async () => {
  await using cluster = await Cluster.start();
  const [real, follower] = cluster.addrs;
  {
    using client = await cluster.proxy.client();
    assertEquals(await client.call("SET", "before", "1"), "OK");
  }
  await cluster.storeRoles({ [real]: "master", [follower]: "master" });
  const [[problem, fix], ...others] = await cluster.check() as [[string, string]];
  assertMatch(problem, /^two masters: .*; the others follow /);
  assertEquals([fix, others], [`codis-proxy config server promote 1 ${real}`, []]);
  const wrong = await cluster.config("server", "promote", "1", follower);
  assertEquals(wrong.code, 1);
  assertMatch(wrong.stderr, /has several masters/);
  await cluster.follow(fix);
  await cluster.assertWell(real);
});

Deno.test("of two masters that do not follow each other one is chosen by force, and the other keeps its data", async () => {
  await using cluster = await Cluster.start();
  const [kept, other] = cluster.addrs;
  using direct = await cluster.servers[1]!.client();
  await direct.call("REPLICAOF", "NO", "ONE");
  await direct.call("SET", "own", "1");
  await cluster.storeRoles({ [kept]: "master", [other]: "master" });
  const [[problem, fix], ...others] = await cluster.check() as [[string, string]];
  assertEquals([problem.startsWith("two masters: "), others], [true, []]);
  const [command] = fix.split(", for the one");
  await cluster.follow(command!.replace("<redis_addr>", kept));
  assertEquals(await cluster.check(), []);
  assertEquals(await direct.call("GET", "own"), "1");
  using client = await cluster.proxy.client();
  await until(async () => await client.call("SET", "after", "1") === "OK", 5_000);
  using chosen = await cluster.servers[0]!.client();
  assertEquals(await chosen.call("GET", "after"), "1");
});

Deno.test("a master that follows a server outside its group: adding that one and promoting it loses nothing", async () => {
  await using cluster = await Cluster.start();
  const [old, now] = cluster.addrs;
  await cluster.promoteReplica();
  const { paths, coordinator } = cluster.store;
  await cluster.storeRoles({ [old]: "master" });
  await coordinator.delete(paths.server(1, now));
  const [[problem, fix]] = await cluster.check() as [[string, string]];
  assertEquals(problem, `the master of group 1 follows ${now}: it refuses writes`);
  await cluster.follow(fix.split("; or, ")[0]!);
  await cluster.assertWell(now);
});
