/**
 * What is left of a proxy when its old process ends while a new one takes over. The new one is played by the test,
 * so that the order of events is certain.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { ProcessLife, socketPathsOf } from "../../../src/base/process_life.ts";
import type { RemoteCalls } from "../../../src/base/remote_call.ts";
import { EmbeddedCoordinator } from "../../../src/coordinator/embedded/embedded.ts";
import { connectLocally } from "../../../src/io/local_socket.ts";
import {
  type NewCalls,
  type OldCalls,
  openChannel,
  ownCalls,
} from "../../../src/proxy/upgrade/channel.ts";
import { loadFences } from "../../../src/store/fences.ts";
import { loadProxies } from "../../../src/store/proxies.ts";
import { type Store, storeOf } from "../../../src/store/store.ts";
import { within } from "../../support/deadline.ts";
import { lockedLife } from "../../support/process_life.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

let servers: RedisServer[] = [];

Deno.test.beforeAll(async () => {
  servers = [await RedisServer.start()];
});
Deno.test.afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
});

/** A proxy, its store, and a new process that has joined it. */
class Upgrade implements AsyncDisposable {
  readonly proxy: ProxyProcess;
  readonly store: Store;
  readonly calls: RemoteCalls<OldCalls>;
  readonly connection: Deno.Conn;

  private constructor(
    proxy: ProxyProcess,
    store: Store,
    calls: RemoteCalls<OldCalls>,
    connection: Deno.Conn,
  ) {
    this.proxy = proxy;
    this.store = store;
    this.calls = calls;
    this.connection = connection;
  }

  static async join(
    life: string,
    left: NewCalls["left"],
    config: Readonly<Record<string, string>> = {},
  ): Promise<Upgrade> {
    const proxy = await ProxyProcess.start({ servers, config });
    const coordinator = await EmbeddedCoordinator.open({ dir: `${proxy.folder}/data` });
    const store = storeOf(coordinator, "test");
    const description = (await loadProxies(store))[0]!.description;
    const name = socketPathsOf(description)[0]!.split("/").at(-1)!;
    const connection = await connectLocally(`${proxy.folder}/${name}`);
    const own = { applied: () => {}, stoppedListening: () => {}, left };
    const calls = openChannel<OldCalls>(connection, own, () => {});
    await calls.call("join", { ...ownCalls(), pid: Deno.pid, version: "9.9.9", life });
    return new Upgrade(proxy, store, calls, connection);
  }

  /** The fences and the proxies in the store, as numbers. */
  async left(): Promise<{ fences: number; proxies: number }> {
    const [fences, proxies] = [await loadFences(this.store), await loadProxies(this.store)];
    return { fences: fences.length, proxies: proxies.length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.connection.close();
    } catch {
      // It has ended before.
    }
    await this.store.coordinator.close();
    await this.proxy[Symbol.asyncDispose]();
  }
}

const NOTHING = { fences: 0, proxies: 0 };

Deno.test("an old process that ends before the new one may serve leaves neither entry nor fence to it", async () => {
  let heard = 0;
  const life = ProcessLife.begin("of the new one");
  await using upgrade = await Upgrade.join(life.text, () => Promise.resolve(void heard++));
  await within(upgrade.proxy.stop("SIGINT"));
  assertEquals([heard, await upgrade.left()], [1, NOTHING]);
  await assertRejects(() => upgrade.calls.call("ready"));
  life.end();
});

Deno.test("an old process that ends when the new one may serve leaves its fence to it", async () => {
  const life = ProcessLife.begin("of the new one");
  await using upgrade = await Upgrade.join(life.text, () => Promise.resolve());
  await upgrade.calls.call("ready");
  await within(upgrade.proxy.stop("SIGINT"));
  assertEquals((await upgrade.left()).fences, 1);
  life.end();
});

Deno.test("an old process that is stopped when the new one may serve does not take it from the map of the cluster", async () => {
  const life = ProcessLife.begin("of the new one");
  const config = { cluster_mode: "on", drain_delay: "2" };
  await using upgrade = await Upgrade.join(life.text, () => Promise.resolve(), config);
  await upgrade.calls.call("ready");
  const { proxy, store } = upgrade;
  proxy.child.signal("SIGTERM");
  await proxy.child.waitFor(() => proxy.stderr.includes("stopping"));
  await delay(1_000); // so long after a proxy that goes has said so
  const stored = await loadProxies(store);
  assertEquals(stored.map(({ state, draining }) => [state, draining]), [["online", undefined]]);
  await within(proxy.child.ended);
  life.end();
});

Deno.test("an old process that ends while the new one, which may serve, ends leaves neither entry nor fence", async () => {
  const life = ProcessLife.begin("of the new one");
  // Each tells the other one that it has left.
  const calls = Promise.withResolvers<RemoteCalls<OldCalls>>();
  await using upgrade = await Upgrade.join(life.text, async () => {
    await (await calls.promise).call("left");
  });
  calls.resolve(upgrade.calls);
  await upgrade.calls.call("ready");
  await within(upgrade.proxy.stop("SIGINT"));
  assertEquals(await upgrade.left(), NOTHING);
  life.end();
});

Deno.test("an old process that is stopped when the new one was killed a moment ago leaves neither entry nor fence", async () => {
  using life = lockedLife();
  await using upgrade = await Upgrade.join(life.text, () => Promise.resolve());
  await upgrade.calls.call("ready");
  const { proxy } = upgrade;
  proxy.child.signal("SIGSTOP");
  upgrade.connection.close();
  proxy.child.signal("SIGINT");
  proxy.child.signal("SIGCONT");
  await proxy.child.waitFor(() => proxy.stderr.includes("no client is left"));
  await delay(500); // so long does the kernel take to end all of its threads
  life.unlock();
  await within(proxy.child.ended);
  assertEquals(await upgrade.left(), NOTHING);
});
