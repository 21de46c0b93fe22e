/**
 * What operators may rely on when they name a server by another address than the one that is stored: it
 * is known for what it is, nothing is done to it, and what is stored twice already is found.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createMigrateTask } from "../../../src/store/migrate_tasks.ts";
import { saveServer } from "../../../src/store/groups.ts";
import type { Problem } from "../../../src/store/problem.ts";
import { loadSlot, saveSlot } from "../../../src/store/slots.ts";
import { callCli } from "../../support/cli_call.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { FakeRedis } from "../../support/fake_redis.ts";
import { freePort } from "../../support/free_port.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { SentinelServer } from "../../support/sentinel_server.ts";
import { StoreFolder } from "../../support/store.ts";

/** Other names of 127.0.0.1. */
const NAMES = ["localhost", "LOCALHOST", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]"];

async function roleOf(server: RedisServer): Promise<string> {
  using client = await server.client();
  return /role:(\w+)/.exec(`${await client.call("INFO", "replication")}`)![1]!;
}

Deno.test("a proxy, a sentinel and a node of a Redis Cluster are not added as servers, also by force", async () => {
  await using folder = await StoreFolder.make();
  await using server = await RedisServer.start();
  await using sentinel = await SentinelServer.start();
  await using node = await RedisServer.start({ args: ["--cluster-enabled", "yes"] });
  const store = await folder.openFilled(server.addr);
  await using dashboard = await DashboardServer.start(store);
  await using proxy = await ProxyProcess.start({ servers: [server] });
  for (
    const [addr, what] of [
      [`127.0.0.1:${proxy.port}`, "is a proxy: name the Redis servers behind it"],
      [sentinel.addr, "is a sentinel: add it by `codis-proxy config sentinel add`"],
      [node.addr, "runs in cluster mode: start it with cluster-enabled no"],
    ] as const
  ) {
    for (const [groupId, type] of [[1, "slave"], [1, "offline"], [2, "master"]] as const) {
      for (const force of [false, true]) {
        const path = `/api/server_group/${groupId}/addServer`;
        const { status, text } = await dashboard.ask("PUT", path, { addr, type, force });
        assertEquals([status, text], [500, `${addr} ${what}`]);
      }
    }
  }
  // The dashboard's own answer, as force shows it to operators.
  const words = ["server", "add", "2", `127.0.0.1:${proxy.port}`, "master", "--force"];
  const { code, stderr } = await callCli("config", `--dashboard=${dashboard.addr}`, ...words);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "is a proxy: name the Redis servers behind it");
  assertEquals((await dashboard.get("/api/server_groups")).json.length, 1);
});

/** How a proxy of Codis 2.0, and one of 3.2, answers to what its command table refuses. */
const REFUSALS = ["disconnect", "-ERR handle request, command 'DBSIZE' is not allowed\r\n"];

for (const refusal of REFUSALS) {
  Deno.test(`a proxy of Codis is not added as a server, also by force, though one of its servers answers INFO (${refusal.trim()})`, async () => {
    await using folder = await StoreFolder.make();
    await using servers = await RedisServer.startMany(2);
    const [server, behind] = servers.slice() as [RedisServer, RedisServer];
    using redis = await behind.client();
    await using proxy = new FakeRedis(async ([name, ...words]) => {
      if (name !== "INFO") return name === "DBSIZE" ? refusal : "disconnect";
      const info = `${await redis.call(name, ...words)}`;
      return `$${new TextEncoder().encode(info).length}\r\n${info}\r\n`;
    });
    const store = await folder.openFilled(server.addr);
    await using dashboard = await DashboardServer.start(store);
    for (const force of [false, true]) {
      const added = { addr: proxy.addr, type: "master", force };
      const { text } = await dashboard.ask("PUT", "/api/server_group/2/addServer", added);
      assertEquals(text, `${proxy.addr} is a proxy: name the Redis servers behind it`);
    }
    assertEquals((await dashboard.get("/api/server_groups")).json.length, 1);
  });
}

Deno.test("a proxy that was added as a server before it answered is told by check, and by what moves there", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const [server, behind] = servers.slice() as [RedisServer, RedisServer];
  const store = await folder.openFilled(server.addr);
  await using dashboard = await DashboardServer.start(store);
  await using proxy = await ProxyProcess.start({ servers: [behind] });
  const addr = `127.0.0.1:${proxy.port}`;
  const why = `${addr} is a proxy: name the Redis servers behind it`;
  const added = { addr, type: "master", force: true };
  await proxy.stop();
  await dashboard.done("PUT", "/api/server_group/4/addServer", added);
  await proxy.restart();
  const findings = async () => (await dashboard.get("/api/check")).json.problems;
  const path = `/zk/codis/db_test/servers/group_4/${addr}`;
  assertEquals(await findings(), [
    { path, severity: "error", problem: why, fix: "codis-proxy config server remove-group 4" },
  ]);

  await dashboard.done("POST", "/api/migrate", { from: 0, to: 0, new_group: 4, delay: 0 });
  const problem = async () => (await dashboard.get("/api/cluster")).json.migrations[0]?.problem;
  await until(async () => (await problem() ?? "") !== "");
  assertEquals(await problem(), why);
  await dashboard.done("POST", "/api/migrate/cancel", {});

  // What check advises once it has slots.
  await saveSlot(store, { ...await loadSlot(store, 0), group_id: 4 });
  const [{ fix }] = await findings();
  assertEquals(
    fix,
    "codis-proxy config server add 4 <redis_addr> offline, then codis-proxy config server promote 4 " +
      "<redis_addr> --force",
  );
  const real = { addr: behind.addr, type: "offline" };
  await dashboard.done("PUT", "/api/server_group/4/addServer", real);
  const promoted = { addr: behind.addr, group_id: 4, force: true };
  await dashboard.done("POST", "/api/server_group/4/promote", promoted);
  await dashboard.done("PUT", "/api/server_group/4/removeServer", { addr });
  assertEquals((await findings()).filter(({ severity }: Problem) => severity === "error"), []);
});

Deno.test("a server is added once, whatever it is called, and is left as it is", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(3);
  const [a, b, c] = servers.slice() as [RedisServer, RedisServer, RedisServer];
  const store = await folder.openFilled(`${a.addr},${b.addr}`);
  await using dashboard = await DashboardServer.start(store);
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: c.addr, type: "slave" });
  for (const name of NAMES) {
    // The group's own master; another group's, which is empty; either of them as a new group's.
    for (
      const [groupId, port, type, of] of [
        [1, a.port, "slave", 1],
        [1, b.port, "slave", 2],
        [2, a.port, "slave", 1],
        [3, b.port, "master", 2],
        [3, c.port, "master", 1],
      ] as const
    ) {
      const addr = `${name}:${port}`;
      for (const force of name === NAMES[0] ? [false, true] : [true]) {
        const path = `/api/server_group/${groupId}/addServer`;
        const { status, text } = await dashboard.ask("PUT", path, { addr, type, force });
        assertEquals(status, 500, `${addr} as ${type} of group ${groupId}`);
        assertStringIncludes(
          text,
          `${addr} is the same server as 127.0.0.1:${port} of group ${of}`,
        );
      }
    }
  }
  assertEquals([await roleOf(a), await roleOf(b)], ["master", "master"]);
  assertEquals((await dashboard.get("/api/server_groups")).json.length, 2);
  assertEquals((await dashboard.get("/api/check")).json.problems, []);

  // Other names of what is stored are told what they stand for.
  const other = `localhost:${c.port}`;
  for (
    const [method, path] of [
      ["POST", "/api/server_group/1/promote"],
      ["PUT", "/api/server_group/1/removeServer"],
    ] as const
  ) {
    const { text } = await dashboard.ask(method, path, { addr: other, group_id: 1 });
    assertEquals(text, `no such addr ${other}: in group 1 that server is ${c.addr}`);
  }

  // A replica that knows its master by another name is one all the same.
  using replica = await c.client();
  await replica.call("REPLICAOF", "localhost", a.port);
  await until(async () => /link_status:up/.test(`${await replica.call("INFO", "replication")}`));
  await until(async () => {
    const { groups } = (await dashboard.get("/api/cluster")).json;
    const shown = groups[0].servers[1];
    return shown.problem === "" && shown.replication.lag_bytes === 0;
  });
  await dashboard.done("POST", "/api/server_group/1/promote", { addr: c.addr, group_id: 1 });
});

Deno.test("no message asks an operator to empty a server that has keys", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const [a, b] = servers.slice() as [RedisServer, RedisServer];
  using client = await b.client();
  await client.call("SET", "precious", "1");
  await using dashboard = await DashboardServer.start(await folder.openFilled(a.addr));
  const added = { addr: b.addr, type: "slave" };
  const { json } = await dashboard.ask("PUT", "/api/server_group/1/addServer", added);
  assertEquals(json.can_force, true);
  assertMatch(
    json.error,
    /holds 1 key, which it would lose as a replica of .*: force it if that is not needed/,
  );
});

Deno.test("a server that is stored twice already is found, and neither promoted nor asked for keys", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const [a, b] = servers.slice() as [RedisServer, RedisServer];
  const store = await folder.openFilled(`${a.addr},${b.addr}`);
  const [again, follower] = [`localhost:${a.port}`, `localhost:${b.port}`];
  await store.coordinator.create(store.paths.group(3), "");
  await saveServer(store, { type: "master", group_id: 3, addr: again });
  await saveServer(store, { type: "slave", group_id: 2, addr: follower });
  // As `server add` used to leave it.
  using direct = await b.client();
  await direct.call("REPLICAOF", "localhost", b.port);
  await using dashboard = await DashboardServer.start(store);

  const { paths } = store;
  const expected = [
    {
      path: paths.server(3, again),
      severity: "error",
      problem: `${again} is the same server as ${a.addr} of group 1`,
      fix: "codis-proxy config server remove-group 3",
    },
    {
      path: paths.server(2, follower),
      severity: "error",
      problem: `${follower} is the same server as ${b.addr} of group 2`,
      fix: `codis-proxy config server remove 2 ${follower}, then redis-cli -h localhost ` +
        `-p ${b.port} SLAVEOF NO ONE`,
    },
    {
      path: paths.server(2, b.addr),
      severity: "error",
      problem: `the master of group 2 follows ${follower}: it refuses writes`,
      fix: `redis-cli -h 127.0.0.1 -p ${b.port} SLAVEOF NO ONE, if it has all data; or promote a ` +
        "replica that has",
    },
  ];
  await until(async () => (await dashboard.get("/api/check")).json.problems.length === 3);
  assertEquals((await dashboard.get("/api/check")).json.problems, expected);
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, folder.config);
  const checked = await callCli("config", "-c", file, "check");
  assertEquals([checked.code, JSON.parse(checked.stdout).problems], [1, expected]);
  const { groups } = (await dashboard.get("/api/cluster")).json;
  assertEquals(groups[2].servers[0].problem, `the same server as ${a.addr}, stored twice`);

  const promoted = await dashboard.ask("POST", "/api/server_group/2/promote", {
    ...{ addr: follower, group_id: 2, force: true },
  });
  assertEquals(promoted.status, 500);
  assertMatch(promoted.text, /is the master .* itself under another address: remove/);

  // A task of a Codis 2.0 dashboard waits, and blocks no slot.
  const asked = await dashboard.ask("POST", "/api/migrate", { from: 0, to: 3, new_group: 3 });
  assertEquals(asked.status, 500);
  assertStringIncludes(asked.text, `groups 1 and 3 have the same master, ${a.addr}, which is also`);
  await dashboard.dashboard.stop();
  const task = { slot_id: 0, new_group: 3, delay: 0, create_at: "1", percent: 0 };
  await createMigrateTask(store, { ...task, status: "pending" });
  await using next = await DashboardServer.start(await folder.open());
  await until(async () => {
    const [shown] = (await next.get("/api/cluster")).json.migrations;
    return /both groups have the same master/.test(shown?.problem ?? "");
  });
  assertEquals((await loadSlot(store, 0)).state.status, "online");
});

Deno.test("servers = … that name one server twice, a replica or a sentinel, stop the start, and an import of one is refused", async () => {
  await using folder = await StoreFolder.make();
  await using server = await RedisServer.start();
  const file = `${folder.dir}/config.ini`;
  // `check` says it before, and changes nothing.
  const refused = async (servers: string, text: string) => {
    await Deno.writeTextFile(file, `embedded_dir = ${folder.dir}/store\nservers = ${servers}\n`);
    const tried = await callCli("check", "-c", file, `--http-addr=127.0.0.1:${freePort()}`);
    assertEquals(tried.code, 1);
    assertStringIncludes(tried.stdout, `error: ${text}`);
    const child = startProgram(["-c", file, "--addr=127.0.0.1:0", "--http-addr=127.0.0.1:0"]);
    assertEquals((await child.ended).code, 1);
    assertStringIncludes(child.stdout + child.stderr, text);
  };
  const twice = `${server.addr},localhost:${server.port}`;
  await refused(twice, `servers names one server twice: ${twice.replace(",", " and ")}`);

  // Nor a replica, which would refuse all writes of its slots.
  await using replica = await RedisServer.start({
    args: ["--replicaof", "127.0.0.1", `${server.port}`],
  });
  await refused(
    `${server.addr},${replica.addr}`,
    `servers names ${replica.addr}, which is a replica of ${server.addr}: name masters alone`,
  );

  // Nor a sentinel, whose port is easily taken for the server's.
  await using sentinel = await SentinelServer.start();
  await refused(sentinel.addr, `servers names ${sentinel.addr}, which is a sentinel`);

  const store = await folder.openFilled(server.addr);
  await using dashboard = await DashboardServer.start(store);
  const pool = `${folder.dir}/nutcracker.yml`;
  const lines = ["a:", "  redis: true", "  servers:", `   - localhost:${server.port}:1`];
  await Deno.writeTextFile(pool, lines.join("\n"));
  const words = ["config", `--dashboard=${dashboard.addr}`, "server", "import", pool];
  const imported = await callCli(...words);
  assertEquals(imported.code, 1);
  assertMatch(imported.stderr, /is the same server as 127\.0\.0\.1:\d+ of group 1/);
  // A group without servers would be left by each try.
  assertEquals((await dashboard.get("/api/server_groups")).json.length, 1);
});
