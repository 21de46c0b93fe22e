/**
 * The settings of config.ini for migrations take effect.
 *
 * @module
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { delay } from "@std/async/delay";
import type { ClusterView, MigrationView } from "../../../src/api/cluster_view.ts";
import { DashboardProcess } from "../../support/dashboard_process.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { keyWhere, slotOf } from "../../support/router_server.ts";
import { StoreFolder } from "../../support/store.ts";

const SLOT = 100;
const TAG = `{${keyWhere((slotId) => slotId === SLOT)}}`;

/** Moves the slot with its keys, and returns how long that took and every task as it was seen. */
async function move(
  servers: readonly RedisServer[],
  config: Readonly<Record<string, string | number>>,
  isEnough: (view: ClusterView) => boolean = ({ migrations }) => migrations.length === 0,
): Promise<{ tookMs: number; seen: MigrationView[]; view: ClusterView }> {
  await using folder = await StoreFolder.make();
  await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  await using dashboard = await DashboardProcess.start({ embedded_dir: folder.dir, ...config });
  const startedMs = performance.now();
  const { text } = await dashboard.ask("POST", "/api/migrate", {
    ...{ from: SLOT, to: SLOT, new_group: 2 },
  });
  assertEquals(text, '{"msg":"OK","ret":0}');
  const seen: MigrationView[] = [];
  let view: ClusterView | undefined;
  await until(async () => {
    view = JSON.parse((await dashboard.ask("GET", "/api/cluster")).text) as ClusterView;
    seen.push(...view.migrations);
    return isEnough(view);
  });
  return { tookMs: performance.now() - startedMs, seen, view: view! };
}

Deno.test("a limit of keys or bytes per second in config.ini is kept", async () => {
  await using servers = await RedisServer.startMany(2);
  using source = await servers[0]!.client();
  using target = await servers[1]!.client();
  for (
    const limit of [
      { migrate_keys_per_second: 500 },
      // A key takes about 1.2 kB at its server.
      { migrate_bytes_per_second: "600kb" },
    ]
  ) {
    await target.call("FLUSHALL");
    await source.pipeline(
      Array.from({ length: 1_000 }, (_, i) => ["SET", `${TAG}${i}`, "x".repeat(1_000)]),
    );
    const { tookMs } = await move(servers, limit);
    assertEquals(await target.call("DBSIZE"), 1_000);
    assert(tookMs > 1_500 && tookMs < 6_000, `${JSON.stringify(limit)}: it took ${tookMs} ms`);
  }
});

Deno.test("a key is big from the size in config.ini on", async () => {
  await using servers = await RedisServer.startMany(2);
  using source = await servers[0]!.client();
  await source.call("SET", `${TAG}k`, "x".repeat(20_000));
  const big = ({ events }: ClusterView) =>
    events.filter(({ text }) => text.includes("has a big key")).length;
  assertEquals(big((await move(servers, {})).view), 0);
  using target = await servers[1]!.client();
  await target.call("FLUSHALL");
  await source.call("SET", `${TAG}k`, "x".repeat(20_000));
  assertGreater(big((await move(servers, { migrate_big_key: "10kb" })).view), 0);
});

/** Keeps its server busy for 40 ms. */
const SLOW_SCRIPT = `
  local function us() local t = redis.call("TIME") return t[1] * 1000000 + t[2] end
  local started = us()
  while us() - started < 40000 do end
  return 1`;

Deno.test("a migration slows down while a proxy's p99 is above the limit in config.ini, and says so", async () => {
  await using servers = await RedisServer.startMany(3);
  await using folder = await StoreFolder.make();
  await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  const keys = Array.from({ length: 40_000 }, (_, i) => `${TAG}${i}`);
  using source = await servers[0]!.client();
  await source.pipeline(keys.map((key) => ["SET", key, "v"]));
  await using dashboard = await DashboardProcess.start({
    embedded_dir: folder.dir,
    migrate_p99_max: 20,
  });
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  const view = async () =>
    JSON.parse((await dashboard.ask("GET", "/api/cluster")).text) as ClusterView;
  await until(async () => (await view()).proxies[0]?.state === "online");

  // The servers of the move are not what is slow.
  const elsewhere = keyWhere((slotId) => slotId > 700);
  assertGreater(slotOf(elsewhere), 682);
  using client = await proxy.client();
  let isSlow = true;
  const asking = (async () => {
    while (isSlow) assertEquals(await client.call("EVAL", SLOW_SCRIPT, 1, elsewhere), 1);
  })();
  await until(async () => ((await view()).proxies[0]!.p99_ms ?? 0) > 20);

  await dashboard.ask("POST", "/api/migrate", { from: SLOT, to: SLOT, new_group: 2 });
  let slowed: MigrationView | undefined;
  await until(async () => {
    slowed = (await view()).migrations[0];
    return slowed!.note !== "" && slowed!.keys_per_second !== null;
  });
  const p99 = Number(
    /^slowed down: the p99 of proxy one is (\d+) ms, above 20 ms$/.exec(slowed!.note)?.[1],
  );
  assert(p99 > 20, slowed!.note);
  assertEquals([slowed!.problem, slowed!.status], ["", "migrating"]);
  // Alone it moves more than a hundred thousand in that time.
  const before = slowed!.keys_moved;
  await delay(1_000);
  const moved = (await view()).migrations[0]!.keys_moved - before;
  assert(moved > 0 && moved < 12_000, `${moved} keys in a second`);

  isSlow = false;
  await asking;
  await until(async () => (await view()).migrations.length === 0);
  using target = await servers[1]!.client();
  assertEquals([await source.call("DBSIZE"), await target.call("DBSIZE")], [0, keys.length]);
});
