/**
 * Function libraries: a master that gets slots has the libraries of the one that had them, and `config check`,
 * status, page and metrics name masters whose libraries differ.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { ClusterView } from "../../../src/api/cluster_view.ts";
import { checkWithServers } from "../../../src/control/servers.ts";
import { concernsOf } from "../../../src/dashboard/page/attention.js";
import { loadTree } from "../../../src/store/product_tree.ts";
import { callCli } from "../../support/cli_call.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { Migration } from "../../support/migration.ts";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { StoreFolder } from "../../support/store.ts";
import { keyWhere } from "../../support/router_server.ts";

const SLOT = 100;
const KEY = keyWhere((slotId) => slotId === SLOT);

/** A library with one function of the same name, which returns `value`. */
const libraryOf = (name: string, value: string) =>
  `#!lua name=${name}\nredis.register_function('${name}', function() return '${value}' end)`;

async function problemsOf({ store, control }: Migration): Promise<readonly string[]> {
  const { problems } = await checkWithServers(
    await loadTree(store),
    (addr) => control.redis(addr),
    {},
  );
  return problems.map(({ problem }) => problem);
}

Deno.test("a function can be called at the server that a slot has moved to, also if it was added after FUNCTION LOAD", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers);
  using old = await servers[0]!.client();
  using now = await servers[1]!.client();
  await old.call("FUNCTION", "LOAD", libraryOf("one", "1"));
  await old.call("FUNCTION", "LOAD", libraryOf("two", "2"));
  await now.call("FUNCTION", "LOAD", libraryOf("two", "its own"));
  await old.call("SET", KEY, "v");
  await migration.queue.add(SLOT, SLOT, 2, 0);
  await migration.done();
  assertEquals(await now.call("FCALL", "one", 1, KEY), "1");
  assertEquals(await now.call("FCALL", "two", 1, KEY), "its own");
  assertEquals(await now.call("GET", KEY), "v");
});

Deno.test("a slot stays where its functions are as long as the other server refuses their library", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.start(servers);
  using old = await servers[0]!.client();
  using now = await servers[1]!.client();
  await old.call("FUNCTION", "LOAD", libraryOf("one", "1"));
  const clash = libraryOf("one", "other").replace("name=one", "name=other");
  await now.call("FUNCTION", "LOAD", clash);
  await migration.queue.add(SLOT, SLOT, 2, 0);
  const problem = () => migration.queue.views()[0]?.problem ?? "";
  await until(() => problem() !== "");
  assertMatch(
    problem(),
    /lacks function libraries .* library one: ERR Function one already exists/,
  );
  assertEquals(await migration.slot(SLOT), "online 1");
  await now.call("FUNCTION", "DELETE", "other");
  await migration.done();
  assertEquals(await now.call("FCALL", "one", 1, KEY), "1");
});

Deno.test("config check names masters with slots whose function libraries differ", async () => {
  await using servers = await RedisServer.startMany(2);
  await using migration = await Migration.make(servers);
  const [first, second] = servers.map(({ addr }) => addr);
  using one = await servers[0]!.client();
  using two = await servers[1]!.client();
  assertEquals(await problemsOf(migration), []);
  await one.call("FUNCTION", "LOAD", libraryOf("one", "1"));
  assertEquals(await problemsOf(migration), [
    `${second} lacks the function library one, which ${first} has: FCALL fails for keys of group 2`,
  ]);
  await two.call("FUNCTION", "LOAD", libraryOf("one", "2"));
  assertEquals(await problemsOf(migration), [
    `the function library one of ${second} is another one than that of ${first}`,
  ]);
  await two.call("FUNCTION", "LOAD", "REPLACE", libraryOf("one", "1"));
  assertEquals(await problemsOf(migration), []);
});

Deno.test("status, page and metrics name masters with slots whose function libraries differ", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const [first, second] = servers.map(({ addr }) => addr) as [string, string];
  const store = await folder.openFilled(`${first},${second}`);
  await using dashboard = await DashboardServer.start(store);
  using one = await servers[0]!.client();
  using two = await servers[1]!.client();
  const told = async () => {
    const view = (await dashboard.get("/api/cluster?fresh=yes")).json as ClusterView;
    const concerns = concernsOf(view).filter(({ place }) => place === "groups");
    const metrics = (await dashboard.get("/metrics")).text.split("\n");
    const counted = metrics.filter((line) => /^codis_cluster_server_problem.* 1$/.test(line));
    const { stdout } = await callCli(
      ...["config", `--dashboard=${dashboard.addr}`, "status", "--output=table"],
    );
    return [concerns.map(({ text }) => text), counted.length, stdout.includes("function library")];
  };
  const load = (client: RespClient, code: string) =>
    client.call("FUNCTION", "LOAD", "REPLACE", libraryOf("one", code));
  assertEquals(await told(), [[], 0, false]);
  await load(one, "1");
  await until(async () => (await told())[1] === 1);
  const lacks =
    `Master ${second} of group 2: it lacks the function library one, which ${first} has`;
  assertEquals(await told(), [[lacks], 1, true]);
  await load(two, "2");
  const other =
    `Master ${second} of group 2: its function library one is another one than that of ${first}`;
  assertEquals(await told(), [[other], 1, true]);
  await load(two, "1");
  assertEquals(await told(), [[], 0, false]);
  // Two that have none of it.
  for (const client of [one, two]) await client.call("FUNCTION", "FLUSH");
  assertEquals(await told(), [[], 0, false]);
});
