/**
 * Slots move from a codis-server to a stock Redis under load: nothing is lost, no client sees an error, every key
 * keeps its type and its time, and a request for keys that it does not name waits for its slot.
 *
 * `CODIS_SERVER=<path>` names a real codis-server to try it on, `NEW_SERVER=<path>` another target.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { CodisServer } from "../../support/codis_server.ts";
import { CountingLoad, keysInSlots } from "../../support/counting_load.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { keyWhere } from "../../support/router_server.ts";
import { StoreFolder } from "../../support/store.ts";

const SLOTS = Array.from({ length: 32 }, (_, slotId) => slotId);
const SLOT = 10;
const TAG = `{${keyWhere((slotId) => slotId === SLOT)}}`;
const NEW = { program: Deno.env.get("NEW_SERVER") ?? "redis-server" };

Deno.test("slots of a codis-server move to a stock Redis while clients count, and the way back is refused", async () => {
  await using folder = await StoreFolder.make();
  await using source = await CodisServer.start();
  await using target = await RedisServer.start(NEW);
  const store = await folder.openFilled(source.addr);
  await using dashboard = await DashboardServer.start(store);
  await dashboard.done("PUT", "/api/server_group/2/addServer", {
    ...{ addr: target.addr, type: "master" },
  });
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using old = await source.client();
  using now = await target.client();
  await old.pipeline([
    ["ZADD", `${TAG}zset`, 1, "a", 2, "b"],
    ["RPUSH", `${TAG}list`, ...Array.from({ length: 2_000 }, (_, i) => `${i}`)],
    ["HSET", `${TAG}hash`, "f", "v"],
    ["SADD", `${TAG}set`, 1, 2, 3],
    ["SET", `${TAG}timed`, "v", "PX", 600_000],
    ["SELECT", 3],
    ["SET", `${TAG}three`, "v"],
    ["SELECT", 0],
  ]);
  const fill = keysInSlots(SLOTS, 8).map((key) => ["SET", `fill:{${key}}`, key]);
  await old.pipeline(fill);
  const load = await CountingLoad.start([proxy], keysInSlots(SLOTS, 3), 8);
  using client = await proxy.client();
  await dashboard.done("POST", "/api/migrate", { from: 0, to: 31, new_group: 2, delay: 0 });
  // It uses a key that it does not name.
  const script = "redis.call('GET', KEYS[1]) return redis.call('LLEN', ARGV[1])";
  assertEquals(await client.call("EVAL", script, 1, `${TAG}timed`, `${TAG}list`), 2_000);
  await until(async () => (await dashboard.get("/api/migrate/tasks")).json.length === 0, 60_000);
  await load.stop();
  assertEquals(load.errors, []);
  assertEquals(await load.lostUpdates(proxy), []);
  assertEquals(await old.call("DBSIZE"), 0);
  assertEquals(await client.call("ZRANGE", `${TAG}zset`, 0, -1), ["a", "b"]);
  assertEquals(await client.call("LLEN", `${TAG}list`), 2_000);
  assertEquals(await client.call("HGET", `${TAG}hash`, "f"), "v");
  assertEquals(await client.call("SCARD", `${TAG}set`), 3);
  assert(await now.call("PTTL", `${TAG}timed`) as number > 500_000);
  assertEquals(await now.call("SELECT", 3), "OK");
  assertEquals(await now.call("GET", `${TAG}three`), "v");

  await dashboard.done("POST", "/api/migrate", { from: SLOT, to: SLOT, new_group: 1, delay: 0 });
  const view = async () => JSON.stringify((await dashboard.get("/api/cluster")).json);
  await until(async () => /keys move away from codis-servers only/.test(await view()));
  assertMatch(`${await client.call("GET", `${TAG}timed`)}`, /^v$/);
});
