/**
 * Reads from replicas as an operator sets them up: the program, its config commands, and servers with
 * passwords.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { ServerView } from "../../../src/api/cluster_view.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { configure } from "../../support/replica_setup.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";

const SECRET = "s3cret";

/** How many GETs a server has executed. */
async function gets(server: RedisServer): Promise<number> {
  using client = await server.client();
  await client.call("AUTH", SECRET);
  const info = `${await client.call("INFO", "commandstats")}`;
  return Number(/cmdstat_get:calls=(\d+)/.exec(info)?.[1] ?? 0);
}

/** The part of 40 GETs that each server gets. */
async function shares(client: RespClient, servers: readonly RedisServer[]): Promise<number[]> {
  const before = await Promise.all(servers.map(gets));
  await client.pipeline(Array.from({ length: 40 }, (_, i) => ["GET", `k${i}`]));
  const after = await Promise.all(servers.map(gets));
  return after.map((count, i) => (count - before[i]!) / 40);
}

async function connect(proxy: ProxyProcess): Promise<RespClient> {
  const client = await proxy.client();
  await client.call("AUTH", SECRET);
  return client;
}

Deno.test("a proxy finds replicas that are added, and forgets those that are removed", async (t) => {
  const args = ["--requirepass", SECRET, "--masterauth", SECRET];
  await using servers = await RedisServer.startMany(3, { args });
  const [master, a, b] = servers as unknown as [RedisServer, RedisServer, RedisServer];
  await using proxy = await ProxyProcess.start({
    servers: [master],
    cpu: 2,
    config: { read_from: "prefer_replica", replica_max_lag: 1000, password: SECRET, zone: "z1" },
  });
  using client = await connect(proxy);

  await t.step("without one, the master serves", async () => {
    assertEquals(await shares(client, [master]), [1]);
  });

  await t.step("added ones serve in every worker", async () => {
    await configure(proxy, "server", "add", "1", a.addr, "slave", "--zone=z1");
    await configure(proxy, "server", "add", "1", b.addr, "slave");
    for (let i = 0; i < 6; i++) {
      using other = await connect(proxy);
      await until(async () => {
        const [none, one, two] = await shares(other, [master, a, b]);
        return none === 0 && one! > 0.3 && two! > 0.3;
      });
    }
  });

  await t.step("and are shown with their zones, which can be changed", async () => {
    const listed = async () => {
      const answer = JSON.parse(await configure(proxy, "--output=json", "server", "list"));
      return answer[0].servers.map((server: { addr: string; zone?: string }) => [
        server.addr,
        server.zone,
      ]);
    };
    const zones = new Map(await listed());
    assertEquals([master, a, b].map(({ addr }) => zones.get(addr)), [undefined, "z1", undefined]);
    const text = await configure(proxy, "--output=table", "server", "zone", "1", b.addr, "z2");
    assertEquals(text.trim(), `${b.addr} is in zone z2`);
    assertMatch(
      await configure(proxy, "--output=table", "server", "list"),
      new RegExp(`GROUP +ROLE +SERVER +ZONE\n[^]*slave +${b.addr} +z2`),
    );
    await configure(proxy, "server", "zone", "1", b.addr);
    assertEquals(new Map(await listed()).get(b.addr), undefined);
    await assertRejects(
      () => configure(proxy, "server", "zone", "1", "127.0.0.1:1", "z2"),
      Error,
      "no such addr 127.0.0.1:1",
    );
    await assertRejects(
      () => configure(proxy, "server", "zone", "1", b.addr, "a/b"),
      Error,
      '"a/b" is not a zone: at most 64 letters',
    );
  });

  await t.step("INFO and metrics tell which serve", async () => {
    const info = `${await client.call("INFO", "proxy")}`;
    assertMatch(info, /read_from:prefer_replica\r\n/);
    assertMatch(info, /replica_0:addr=127.0.0.1:\d+,group=1,state=serving,lag_bytes=\d+,/);
    const metrics = await (await fetch(proxy.url("/metrics"))).text();
    const labels = `worker="0",server="${a.addr}",group="1"`;
    await until(async () => {
      const { reads } = await (await fetch(proxy.url("/stats"))).json();
      const servers = new Set(reads.map(({ addr }: { addr: string }) => addr));
      return [master, a, b].every(({ addr }) => servers.delete(addr)) && servers.size === 0;
    });
    assertMatch(metrics, new RegExp(`codis_proxy_replica_serving{${labels}} 1`));
    assertMatch(
      metrics,
      /codis_proxy_reads_total{worker="\d",server="[\d.:]+",role="replica"} [1-9]/,
    );
  });

  await t.step("the dashboard shows what part of the reads each server gets", async () => {
    await until(async () => {
      await shares(client, []);
      const { groups } = await (await fetch(proxy.url("/api/cluster"))).json();
      const reads = groups[0].servers.map((server: ServerView) => server.reads);
      if (reads.includes(null)) return false; // not asked yet
      return reads[0].share === 0 && reads[1].share > 0 &&
        Math.abs(reads[1].share + reads[2].share - 1) < 1e-9;
    });
  });

  await t.step("so does config status, and why one gets none", async () => {
    b.pause();
    await until(async () => {
      await shares(client, []);
      const text = await configure(proxy, "--output=table", "status");
      return /slave .*, \d+ % of reads /.test(text) && / no reads: \w.* /.test(text);
    });
    b.resume();
  });

  await t.step("a promoted one is master, and the others serve after it", async () => {
    await configure(proxy, "server", "promote", "1", a.addr);
    await until(async () => {
      const [none, one, two] = await shares(client, [master, a, b]);
      return none! + two! === 1 && one === 0;
    });
  });

  await t.step("removed ones get nothing any more", async () => {
    await configure(proxy, "server", "remove", "1", b.addr);
    assertEquals((await shares(client, [b]))[0], 0);
  });
});

Deno.test("zones that cannot be read hold up nothing but changes of them", async () => {
  await using folder = await StoreFolder.make();
  await using replica = await RedisServer.start();
  await using master = await RedisServer.start();
  const store = await folder.openFilled(master.addr);
  await using dashboard = await DashboardServer.start(store);
  const add = { addr: replica.addr, type: "slave", zone: "z1" };
  assertEquals((await dashboard.ask("PUT", "/api/server_group/1/addServer", add)).status, 200);
  const zoned = async () => {
    const { json } = await dashboard.ask("GET", "/api/server_group/1");
    return json.servers.map(({ zone }: { zone?: string }) => zone).filter(Boolean);
  };
  assertEquals(await zoned(), ["z1"]);
  await store.coordinator.write(store.paths.serverZones, "{");
  assertEquals(await zoned(), []);
  const body = { addr: replica.addr, zone: "z2" };
  const refused = await dashboard.ask("PUT", "/api/server_group/1/zone", body);
  assertEquals(refused.status, 500);
  assertMatch(refused.text, /server zones is not JSON/);
  const gone = await dashboard.ask("PUT", "/api/server_group/1/removeServer", body);
  assertEquals(gone.status, 200, gone.text);
});

Deno.test("with read_from = replica, reads go on while a replica is promoted", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(3);
  const addrs = servers.map(({ addr }) => addr);
  await using dashboard = await DashboardServer.start(await folder.openFilled(addrs[0]!));
  for (const addr of addrs.slice(1)) {
    await dashboard.done("PUT", "/api/server_group/1/addServer", { addr, type: "slave" });
  }
  await using proxy = await ProxyProcess.start({
    config: {
      ...{ embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
      ...{ read_from: "replica", replica_max_lag: 5_000 },
    },
  });
  using client = await proxy.client();
  await until(async () => await client.call("GET", "k") === null);
  let isReading = true;
  const answers = new Set<string>();
  const reading = (async () => {
    while (isReading) {
      const value = await client.call("GET", "k");
      answers.add(value instanceof ReplyError ? value.message : `${value}`);
    }
  })();
  try {
    for (let i = 0; i < 4; i++) {
      for (const server of servers) {
        using own = await server.client();
        await until(async () =>
          /role:master|link_status:up/.test(`${await own.call("INFO", "replication")}`)
        );
      }
      const { status, text } = await dashboard.ask("POST", "/api/server_group/1/switch", {});
      assertEquals(status, 200, text);
    }
  } finally {
    isReading = false;
    await reading;
  }
  assertEquals([...answers], ["null"]);
});
