/**
 * `config move`: what it refuses, and what is left when something ends on the way.
 *
 * @module
 */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { planMove } from "../../../src/control/move_plan.ts";
import { moveProduct } from "../../../src/control/move_product.ts";
import { encodeProductMove } from "../../../src/model/product_move.ts";
import { durableEntries } from "../../../src/store/dump.ts";
import { createFence, loadFences } from "../../../src/store/fences.ts";
import { loadMove } from "../../../src/store/moves.ts";
import { loadProducts } from "../../../src/store/products.ts";
import { changeProxyState, loadProxies } from "../../../src/store/proxies.ts";
import { type Store, StoreError, storeOf } from "../../../src/store/store.ts";
import { EmbeddedCoordinator } from "../../../src/coordinator/embedded/embedded.ts";
import { callCli } from "../../support/cli_call.ts";
import { until } from "../../support/deadline.ts";
import { MovingProduct } from "../../support/moving_product.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { type RemoteCoordinator, startEtcd } from "../../support/remote_coordinator.ts";
import { StoreFolder } from "../../support/store.ts";

const TLS = new URL("../../fixtures/tls/", import.meta.url).pathname;

let etcd: RemoteCoordinator;
let server: RedisServer;

Deno.test.beforeAll(async () => {
  [etcd, server] = await Promise.all([startEtcd(), RedisServer.start()]);
});
Deno.test.afterAll(async () => {
  await etcd.server[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** A proxy with an embedded store, an empty etcd, and the config files of both. */
async function place(config: Record<string, string> = {}) {
  await etcd.empty();
  const proxy = await ProxyProcess.start({ servers: [server], config });
  const product = new MovingProduct(proxy);
  const [old, next] = [await product.config("embedded"), await product.config(etcd)];
  return {
    ...{ proxy, product, old, next },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

async function slotCount(file: string): Promise<number> {
  const { code, stdout } = await callCli("config", "slot", "list", "-c", file, "--output=json");
  assertEquals(code, 0);
  return JSON.parse(stdout).length;
}

Deno.test("killed at any moment, config move has changed nothing or goes on; clients notice nothing", async () => {
  await using at = await place();
  const { proxy, product, old, next } = at;
  using client = await proxy.client();
  for (const moment of ["entries copied", "the product is in"]) {
    const child = product.startMove(old, next);
    await until(() => child.stderr.includes(moment), 60_000);
    await child.end("SIGKILL");
    assertEquals(await client.call("INCR", "moves"), moment === "entries copied" ? 1 : 2);
  }
  await product.move(old, next);
  // Again: it finds that all is done.
  const { stdout } = await callCli("config", "move", "-c", old, `--to=${next}`, "--yes");
  assertEquals(Object.keys(JSON.parse(stdout)).sort(), [
    ...["done", "entries", "followed", "from", "held_ms", "missing", "product", "to"],
  ]);
  assertEquals(await slotCount(next), 1024);
  assertEquals(await client.call("INCR", "moves"), 3);
});

Deno.test("who starts with the old config.ini goes to where the product is; commands say where that is", async () => {
  await using at = await place();
  const { proxy, product, old, next } = at;
  await product.move(old, next);
  await proxy.kill();
  await proxy.restart();
  assertStringIncludes(proxy.stderr, 'it must say "coordinator = etcd" and "zk = ');
  using client = await proxy.client();
  assertEquals(await client.call("SET", "after", "1"), "OK");
  const { code, stderr } = await callCli("config", "dump", "-c", old);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "product test has moved to etcd");
  await product.move(next, old);
  assertEquals((await callCli("config", "dump", "-c", old)).code, 0);
});

Deno.test("a store that has such a product, or another one's config, is refused, and nothing is changed", async () => {
  await using at = await place();
  const { proxy, product, old, next } = at;
  const { coordinator } = await etcd.open().then((opened) => storeOf(opened, "test"));
  await coordinator.create("/zk/codis/db_test/servers/group_1", "");
  const taken = await product.tryMove(old, next);
  assertEquals(taken.code, 1);
  assertStringIncludes(taken.stderr, "has a product test already");
  await coordinator.deleteTree("/zk/codis/db_test");
  await coordinator.close();
  const text = await Deno.readTextFile(next);
  await Deno.writeTextFile(next, `${text}coordinator_ca = ${TLS}ca.pem\n`);
  const plan = await callCli("config", "move", "-c", old, `--to=${next}`, "--output=table");
  assertStringIncludes(plan.stdout, "coordinator_ca: not as it is now: each process must have");
  await Deno.writeTextFile(next, `${text}product = shop\n`);
  assertStringIncludes((await product.tryMove(old, next)).stderr, 'has product "shop"');
  assertStringIncludes((await product.tryMove(old, old)).stderr, "both configs name embedded");
  const gone = await product.tryMove(old, `${proxy.folder}/none.ini`);
  assertStringIncludes(gone.stderr, "none.ini");
  using client = await proxy.client();
  assertEquals(await client.call("PING"), "PONG");
});

/** Two folders with a product in the first, and how it goes from there to the second. */
async function folders() {
  const [one, two] = [await StoreFolder.make(), await StoreFolder.make()];
  const [source, target] = [await one.openFilled("127.0.0.1:6379"), await two.open()];
  return {
    ...{ one, two, source, target },
    options: {
      ...{ source, target, followMs: 300, tell: () => {} },
      from: { coordinator: "embedded", place: one.dir },
      to: { coordinator: "embedded", place: two.dir },
    } as const,
    async [Symbol.asyncDispose]() {
      await one[Symbol.asyncDispose]();
      await two[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a proxy that was killed keeps the product from moving, and the refusal says what to do", async () => {
  await using at = await folders();
  await createFence(at.source, "10.0.0.9:9000");
  await assertRejects(
    () => planMove(at.options),
    StoreError,
    "Some proxies may not stop cleanly: 10.0.0.9:9000; start them again or, if they have surely ended, " +
      "`codis-proxy config action remove-fence`",
  );
});

Deno.test("a dashboard that takes the lead at this moment is not taken for one of Codis 2.0, which keeps the product", async () => {
  await using at = await folders();
  const { coordinator, paths } = at.source;
  const dashboard = JSON.stringify({ addr: "127.0.0.1:1", pid: 1 });
  await coordinator.create(paths.dashboard, dashboard, "ephemeral");
  const planned = planMove(at.options);
  await delay(100);
  await coordinator.create(paths.dashboardEpoch, dashboard);
  assertEquals((await planned).stage, "new");
  await coordinator.delete(paths.dashboardEpoch);
  await assertRejects(
    () => planMove(at.options),
    StoreError,
    `a dashboard of Codis 2.0 works with it: ${dashboard}: stop that first`,
  );
});

Deno.test("a proxy that does not come over keeps the new store from being changed, and serves by the old one", async () => {
  await using at = await folders();
  await using proxy = await ProxyProcess.start({
    servers: [server],
    config: { embedded_dir: at.one.dir },
  });
  // Its dashboard leads, and has made its folders.
  await (await fetch(proxy.url("/api/cluster"))).body?.cancel();
  let isPaused = false;
  const moving = moveProduct({
    ...at.options,
    // After the plan: what has moved meanwhile, it has not noticed.
    tell: () => {
      if (!isPaused) proxy.child.signal("SIGSTOP");
      isPaused = true;
    },
  });
  const { missing } = await moving.finally(() => isPaused && proxy.child.signal("SIGCONT"));
  assertEquals(missing.length, 1);
  assertEquals(await loadFences(at.target), missing);
  // When it wakes, it goes on.
  await until(async () => (await loadProxies(at.target))[0]?.state === "online", 60_000);
  assertEquals(await durableEntries(at.target), await durableEntries(at.source));
});

Deno.test("while a product is arriving, and where it has gone from, nobody is set online, or leads", async () => {
  await using at = await folders();
  const refused = async (store: Store, why: string) => {
    const record = { id: "late", addr: "a:1", state: "offline" };
    await store.coordinator.create(store.paths.proxy("late"), JSON.stringify(record), "ephemeral");
    await assertRejects(() => changeProxyState(store, "late", "online"), Error, why);
    await store.coordinator.delete(store.paths.proxy("late"));
  };
  let asked = 0;
  await moveProduct({
    ...at.options,
    tell: async (text) => {
      if (!text.includes("copied") || asked++ > 0) return;
      await refused(await at.two.open(), "is being moved here");
    },
  });
  await refused(at.source, "has moved to");
  assertEquals((await loadMove(at.source))?.kind, "moved");
  assertEquals(await loadMove(at.target), undefined);
  // Nor does a dashboard lead there that does not know the note: one leads for ever.
  await at.source.coordinator.close();
  const { coordinator, paths } = await at.one.open();
  const { data } = await coordinator.read(paths.dashboard);
  assertStringIncludes(data, `moved to embedded ${at.two.dir}`);
  const { products: [product] } = await loadProducts(coordinator);
  assertStringIncludes(product!.problem, "product test has moved to embedded");
});

Deno.test("a move that cannot be finished leaves the old store as it was", async () => {
  await using at = await folders();
  const before = await durableEntries(at.source);
  const broken = await EmbeddedCoordinator.open({ dir: at.two.dir });
  const target = storeOf(broken, "test");
  await assertRejects(
    () => moveProduct({ ...at.options, target, tell: () => void broken.close() }),
    Error,
    "nothing was changed",
  );
  assertEquals(await loadMove(at.source), undefined);
  assertEquals(await durableEntries(at.source), before);
  // The next try begins anew.
  await moveProduct(at.options);
  const after = await durableEntries(at.target);
  // Folders are made before they are needed.
  assertEquals(new Map([...after].filter(([path]) => before.has(path))), before);
});

Deno.test("what somebody else has moved to the same place meanwhile stays there", async () => {
  await using at = await folders();
  const { coordinator, paths } = at.target;
  const others = encodeProductMove({
    ...{ kind: "arriving", id: "theirs", at: "", coordinator: "embedded", place: "/elsewhere" },
  });
  let written: Promise<unknown> | undefined;
  await assertRejects(
    () =>
      moveProduct({
        ...at.options,
        tell: () => void (written ??= coordinator.write(paths.move, others)),
      }),
    Error,
    "somebody else has changed",
  );
  await written;
  assertEquals((await loadMove(at.target))?.id, "theirs");
  assertEquals(await loadMove(at.source), undefined);
});
