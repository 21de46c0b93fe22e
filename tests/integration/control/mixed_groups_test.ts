/**
 * What operators may rely on while they leave codis-server: a group may have a stock Redis as replica of a
 * codis-server, its promotion loses no acknowledged write, the codis-server keeps what it had, and what cannot be
 * is refused with the reason.
 *
 * Only real codis-servers can say so: `CODIS_SERVER=<path>` names one; `NEW_SERVER=<path>` the Redis or Valkey that
 * takes its place.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { loadGroup } from "../../../src/store/groups.ts";
import { readIfThere } from "../../../src/store/store.ts";
import { CodisProxy } from "../../support/codis_proxy.ts";
import { CODIS_SERVER } from "../../support/codis_server.ts";
import { CountingLoad, keysInSlots } from "../../support/counting_load.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { type RedisOptions, RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

const PROMOTE = "/api/server_group/1/promote";
const ADD = "/api/server_group/1/addServer";
const FORK: RedisOptions = { program: CODIS_SERVER ?? "" };
const NEW: RedisOptions = { program: Deno.env.get("NEW_SERVER") ?? "redis-server" };

if (CODIS_SERVER === undefined) {
  console.log("CODIS_SERVER is not set: groups of codis-servers and stock Redis are NOT tried");
}

Deno.test({
  name:
    "a stock replica of a codis-server is promoted under load, and the codis-servers stay as the way back",
  ignore: CODIS_SERVER === undefined,
  async fn() {
    await using folder = await StoreFolder.make();
    await using forks = await RedisServer.startMany(2, FORK);
    await using heirs = await RedisServer.startMany(2, NEW);
    const [old, second] = forks.slice() as [RedisServer, RedisServer];
    const [heir, third] = heirs.slice() as [RedisServer, RedisServer];
    const store = await folder.openFilled(old.addr);
    await using dashboard = await DashboardServer.start(store);
    for (const { addr } of [second, heir]) {
      await dashboard.done("PUT", ADD, { addr, type: "slave" });
    }
    await using proxy = await ProxyProcess.start({
      config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
    });
    const load = await CountingLoad.start([proxy], keysInSlots([1, 2, 3], 20), 8);
    using replica = await heir.client();
    await until(
      async () => /master_link_status:up/.test(`${await replica.call("INFO", "replication")}`),
      30_000,
    );
    await dashboard.done("POST", PROMOTE, { addr: heir.addr, group_id: 1 });
    const types = (await loadGroup(store, 1)).servers!.map(({ addr, type }) => [addr, type]);
    assertEquals(Object.fromEntries(types), {
      ...{ [old.addr]: "offline", [second.addr]: "offline", [heir.addr]: "master" },
    });
    // It has kept its keys, and nobody made it throw them away.
    using before = await old.client();
    assertEquals(await before.call("DBSIZE") as number > 0, true);
    await load.stop();
    const refused = /INCR (NOREPLICAS|READONLY)/;
    assertEquals(load.errors.filter((text) => !refused.test(text)), []);
    assertEquals(await load.lostUpdates(proxy), []);

    const events = JSON.stringify((await dashboard.get("/api/cluster")).json.events);
    assertMatch(events, /cannot read the data of the new master .* offline from now on/);

    // The other way round it cannot be.
    for (const force of [false, true]) {
      const { status, text } = await dashboard.ask("PUT", ADD, {
        ...{ addr: second.addr, type: "slave", force },
      });
      assertEquals(status, 500);
      assertMatch(text, /is Redis (2\.8|3\.2)\S*, which cannot read the data of (Redis|Valkey) \d/);
    }
    await dashboard.done("PUT", ADD, { addr: third.addr, type: "slave" });
    assertEquals((await dashboard.get("/api/check")).json.problems, []);
  },
});

Deno.test({
  name: "the codis-servers are left out also when a proxy ends while a stock replica is promoted",
  ignore: CODIS_SERVER === undefined,
  async fn() {
    await using folder = await StoreFolder.make();
    await using old = await RedisServer.start(FORK);
    await using heir = await RedisServer.start(NEW);
    const store = await folder.openFilled(old.addr);
    await using dashboard = await DashboardServer.start(store);
    await dashboard.done("PUT", ADD, { addr: heir.addr, type: "slave" });
    // It answers, and then no more, as one that was killed: it cannot confirm.
    await using gone = await CodisProxy.start(store, "gone");
    await until(async () =>
      (await dashboard.get("/api/cluster")).json.proxies[0]?.is_reachable === true
    );
    await gone.end();
    const { status, text } = await dashboard.ask("POST", PROMOTE, { addr: heir.addr, group_id: 1 });
    assertEquals(status, 500);
    assertMatch(text, /by gone/);
    const types = (await loadGroup(store, 1)).servers!.map(({ addr, type }) => [addr, type]);
    assertEquals(Object.fromEntries(types), { [old.addr]: "offline", [heir.addr]: "master" });
    assertEquals(await readIfThere(store, store.paths.intent), undefined);
  },
});

Deno.test({
  name: "a stock replica that has missed keys of a codis-server is not promoted",
  ignore: CODIS_SERVER === undefined,
  async fn() {
    await using folder = await StoreFolder.make();
    await using forks = await RedisServer.startMany(2, FORK);
    await using heir = await RedisServer.start(NEW);
    const [old, other] = forks.slice() as [RedisServer, RedisServer];
    await using dashboard = await DashboardServer.start(
      await folder.openFilled(`${old.addr},${other.addr}`),
    );
    const { addr } = heir;
    await dashboard.done("PUT", ADD, { addr, type: "slave" });
    using replica = await heir.client();
    await until(
      async () => /master_link_status:up/.test(`${await replica.call("INFO", "replication")}`),
      30_000,
    );
    using source = await other.client();
    await source.call("SET", "k", "v");
    assertEquals(await source.call("SLOTSMGRTONE", "127.0.0.1", old.port, 1000, "k"), 1);
    await until(async () =>
      /unexpected_error_replies:1/.test(`${await replica.call("INFO", "stats")}`)
    );
    const { text } = await dashboard.ask("POST", PROMOTE, { addr, group_id: 1 });
    assertMatch(text, /is not promoted: it could not execute 1 command of .* RESETSTAT/);
    // No more may come by way of the dashboard.
    await dashboard.done("POST", "/api/migrate", { from: 512, to: 512, new_group: 1, delay: 0 });
    await until(async () => {
      const view = JSON.stringify((await dashboard.get("/api/cluster")).json);
      return /its replica \S+ is none, so it would miss the keys/.test(view);
    });
    // What the message says to do.
    await replica.call("REPLICAOF", "NO", "ONE");
    await replica.call("CONFIG", "RESETSTAT");
    await dashboard.done("PUT", ADD, { addr, type: "slave", force: true });
    await dashboard.done("POST", PROMOTE, { addr, group_id: 1 });
    assertEquals(await replica.call("GET", "k"), "v");
  },
});
