/**
 * What operators may rely on when the servers of a coordinator are set back to an older copy, or somebody
 * removes what it counts actions by: ONE suite for coordinators that are servers of their own.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { loadActionNames } from "../../src/store/actions.ts";
import { loadFences } from "../../src/store/fences.ts";
import { loadProxies } from "../../src/store/proxies.ts";
import { loadSlot } from "../../src/store/slots.ts";
import { type Store, storeOf } from "../../src/store/store.ts";
import { callCli } from "../support/cli_call.ts";
import { keysInSlots } from "../support/counting_load.ts";
import { DashboardProcess } from "../support/dashboard_process.ts";
import { until } from "../support/deadline.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { startEtcd, startZookeeper } from "../support/remote_coordinator.ts";
import { StoreServer } from "../support/store.ts";

/** The session timeout of all processes, in milliseconds. */
const SESSION_MS = 4_000;
/** Longest time until both proxies are online again, in milliseconds. */
const BACK_MS = 30_000;
/** Longest time that a change may take then, in milliseconds: proxies are marked offline after 30 s. */
const CHANGE_MS = 15_000;

/** Two proxies and a dashboard, two servers, and a coordinator. */
class SetBackCluster implements AsyncDisposable {
  readonly stack = new AsyncDisposableStack();
  servers!: readonly RedisServer[];
  place!: StoreServer;
  dashboard!: DashboardProcess;
  proxies!: readonly ProxyProcess[];

  static async start(name: "zookeeper" | "etcd"): Promise<SetBackCluster> {
    const cluster = new SetBackCluster();
    const { stack } = cluster;
    const servers = stack.use(await RedisServer.startMany(2));
    cluster.servers = servers;
    const remote = await (name === "zookeeper" ? startZookeeper() : startEtcd());
    stack.use(remote.server);
    cluster.place = stack.use(await StoreServer.make(remote));
    await cluster.place.openFilled(servers.map(({ addr }) => addr).join(","));
    const config = { coordinator: name, zk: remote.server.addr, zk_session_timeout: SESSION_MS };
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

  get server(): StoreServer["remote"]["server"] {
    return this.place.remote.server;
  }

  /** A session that knows nothing of before. */
  async withStore<T>(body: (store: Store) => Promise<T>): Promise<T> {
    const coordinator = await this.place.remote.open();
    try {
      return await body(storeOf(coordinator, "test"));
    } finally {
      await coordinator.close();
    }
  }

  /** Waits until both proxies are online, in the store and by their own word. */
  async untilOnline(): Promise<void> {
    await until(async () => {
      const online = await this.withStore(async (store) =>
        (await loadProxies(store)).filter(({ state }) => state === "online").length
      ).catch(() => 0);
      const well = await Promise.all(this.proxies.map(async (proxy) => {
        assert(!proxy.child.hasEnded, proxy.stderr);
        const response = await fetch(proxy.url("/healthz"));
        const { status, stale_seconds } = await response.json();
        return status === "ok" && stale_seconds === 0;
      }));
      return online === 2 && well.every((each) => each);
    }, BACK_MS);
  }

  /** Moves a slot, and waits until it is at rest there. */
  async move(slotId: number, groupId: number): Promise<void> {
    const words = ["slot", "migrate", `${slotId}`, `${slotId}`, `${groupId}`];
    await until(async () => {
      const { code } = await callCli("config", "-c", this.dashboard.configFile, ...words);
      return code === 0;
    }, CHANGE_MS);
    await until(() =>
      this.withStore(async (store) => {
        const { group_id, state } = await loadSlot(store, slotId);
        return group_id === groupId && state.status === "online";
      }), CHANGE_MS);
  }

  /** Moves a slot back to the group that has its keys, as status says. */
  async giveBack(slotId: number, groupId: number): Promise<void> {
    const config = (...words: string[]) =>
      callCli("config", "-c", this.dashboard.configFile, ...words);
    assertEquals((await config("slot", "migrate", `${slotId}`, `${slotId}`, `${groupId}`)).code, 0);
    let advice: string | undefined;
    await until(async () => {
      const { stdout } = await config("status", "--short");
      return (advice = /`codis-proxy config (slot migrate [\d ]+ --keep)`/.exec(stdout)?.[1]) !==
        undefined;
    }, CHANGE_MS);
    const { code, stderr } = await config(...advice!.split(" "), "--wait");
    assertEquals(code, 0, stderr);
  }

  /** Writes keys through the first proxy. */
  async write(keys: readonly string[], value: string): Promise<void> {
    using client = await this.proxies[0]!.client();
    for (const key of keys) assertEquals(await client.call("SET", key, value), "OK");
  }

  /** Reads keys through the other proxy. */
  async read(keys: readonly string[]): Promise<unknown> {
    using client = await this.proxies[1]!.client();
    return await client.call("MGET", ...keys);
  }

  /** Ends the server, does something with its data, and starts it again. */
  async whileStopped(body: () => Promise<void>): Promise<void> {
    await this.server.stop();
    await body();
    await this.server.restart();
  }

  /** Asserts that nobody has gone, and that all proxies send a slot to this group. */
  async assertServedBy(slotId: number, groupId: number): Promise<void> {
    const [key] = keysInSlots([slotId], 1);
    for (const [i, proxy] of this.proxies.entries()) {
      assert(!proxy.child.hasEnded, proxy.stderr);
      using client = await proxy.client();
      assertEquals(await client.call("SET", key!, `${slotId} ${i}`), "OK");
      using there = await this.servers[groupId - 1]!.client();
      assertEquals(await there.call("GET", key!), `${slotId} ${i}`, `proxy ${i}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

/** Registers the suite; `register` hands a test to `Deno.test`. */
export function testSetBack(
  name: "zookeeper" | "etcd",
  register: (name: string, test: () => Promise<void>) => void,
): void {
  register(
    `${name} set back to an older copy: proxies serve as that says, follow changes, and stay online`,
    async () => {
      await using cluster = await SetBackCluster.start(name);
      await cluster.move(1, 2);
      await cluster.whileStopped(() => cluster.server.backUp());
      await cluster.untilOnline();
      for (const slotId of [2, 3, 4]) await cluster.move(slotId, 2);
      await cluster.assertServedBy(2, 2);
      const keys = keysInSlots([3], 3);
      await cluster.write(keys, "moved");
      await cluster.whileStopped(() => cluster.server.setBack());
      await cluster.untilOnline();
      const sinceMs = performance.now();
      await cluster.move(5, 2);
      const tookMs = Math.round(performance.now() - sinceMs);
      console.log(`${name}: the first change after it was set back took ${tookMs} ms`);
      assertLess(tookMs, CHANGE_MS);
      await cluster.assertServedBy(1, 2);
      await cluster.assertServedBy(2, 1);
      await cluster.assertServedBy(5, 2);
      for (const proxy of cluster.proxies) {
        assertStringIncludes(proxy.stderr, "it was set back to an older copy");
      }
      await cluster.write(keys.slice(0, 1), "written since");
      await cluster.giveBack(3, 2);
      assertEquals(await cluster.read(keys), ["written since", "moved", "moved"]);
    },
  );

  register(
    `${name} that has lost all its data can be set up again while proxies run, as its refusals say`,
    async () => {
      await using cluster = await SetBackCluster.start(name);
      await cluster.move(1, 2);
      await cluster.whileStopped(() => cluster.server.wipe());
      await until(() =>
        cluster.withStore(async (store) => {
          const proxies = await loadProxies(store);
          return proxies.length === 2 && (await loadFences(store)).length === 0;
        }).catch(() => false), BACK_MS);
      const { dashboard: { configFile }, servers } = cluster;
      for (
        const words of [
          ["slot", "init"],
          ...servers.map(({ addr }, i) => ["server", "add", `${i + 1}`, addr, "master"]),
          ["slot", "range-set", "0", "1023", "1", "online"],
        ]
      ) {
        const { code, stderr } = await callCli("config", "-c", configFile, ...words);
        assertEquals([code, stderr], [0, ""], words.join(" "));
      }
      await cluster.untilOnline();
      await cluster.move(5, 2);
      await cluster.assertServedBy(1, 1);
      await cluster.assertServedBy(5, 2);
    },
  );

  register(
    `${name}: an action with a high number that goes again, or answers that are removed, hold up no change`,
    async () => {
      await using cluster = await SetBackCluster.start(name);
      await cluster.move(1, 2);
      await cluster.withStore(async (store) => {
        const newest = (await loadActionNames(store)).at(-1)!;
        const high = store.paths.action("9".padStart(newest.length, "9"));
        const { data } = await store.coordinator.read(store.paths.action(newest));
        await store.coordinator.create(high, data);
        await delay(1_000);
        await store.coordinator.delete(high);
      });
      await cluster.move(2, 2);
      await cluster.withStore(({ coordinator, paths }) => coordinator.deleteTree(paths.responses));
      await cluster.move(3, 2);
      const [proxy] = cluster.proxies;
      // It begins behind the newest action that is there.
      await proxy!.kill();
      await proxy!.restart();
      await cluster.untilOnline();
      await cluster.move(4, 2);
      for (const slotId of [1, 2, 3, 4]) await cluster.assertServedBy(slotId, 2);
    },
  );
}
