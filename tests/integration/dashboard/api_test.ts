/**
 * What users of the dashboard's API may rely on: Codis 2.0's endpoints and answers, strict input, and
 * that a refused request changes nothing.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { nameOf } from "../../../src/coordinator/path.ts";
import { encodeAction } from "../../../src/model/action.ts";
import { decodeProxy } from "../../../src/model/proxy.ts";
import { loadIntent } from "../../../src/control/intent.ts";
import { loadActionNames } from "../../../src/store/actions.ts";
import { createFence, deleteFence } from "../../../src/store/fences.ts";
import { createProxy, deleteProxy, loadProxy } from "../../../src/store/proxies.ts";
import { createMigrateTask } from "../../../src/store/migrate_tasks.ts";
import { loadSlot } from "../../../src/store/slots.ts";
import type { Store } from "../../../src/store/store.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { RECORD } from "../../support/proxy_record.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { StoreFolder } from "../../support/store.ts";

const FIXTURES = new URL("../../fixtures/codis2/rest/", import.meta.url);

/** Every entry of a product, but not who asked for what: that is written down a moment later. */
async function dump(store: Store): Promise<Record<string, string>> {
  const entries: Record<string, string> = {};
  const walk = async (path: string) => {
    if (path === `${store.paths.root}/audit`) return;
    entries[path] = (await store.coordinator.read(path)).data;
    for (const name of await store.coordinator.children(path)) await walk(`${path}/${name}`);
  };
  await walk(store.paths.root);
  return entries;
}

/** What a document is made of: names and types, arrays by their first item. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]));
}

async function fixture(name: string): Promise<unknown> {
  return JSON.parse(await Deno.readTextFile(new URL(name, FIXTURES)));
}

Deno.test("a cluster is made, changed and taken apart by the API alone", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(4);
  const store = await folder.open();
  await using dashboard = await DashboardServer.start(store);
  const [a, b, c, d] = servers.map(({ addr }) => addr) as [string, string, string, string];

  await dashboard.done("PUT", "/api/server_groups", { id: 1 });
  assertEquals(await dashboard.ask("PUT", "/api/server_groups", { id: 1 }), {
    status: 500,
    text: "group already exists",
    json: undefined,
  });
  const add = (groupId: number, addr: string, type: string) =>
    dashboard.ask("PUT", `/api/server_group/${groupId}/addServer`, { type, group_id: -1, addr });
  // The first one is master whatever was asked for; a group is made when it is missing.
  assertEquals((await add(1, a, "slave")).status, 200);
  assertEquals((await add(2, b, "master")).status, 200);
  assertEquals((await add(1, c, "master")).text, "node already exists");
  assertEquals((await add(1, b, "slave")).text, `${b} is in group 2 already`);
  assertEquals((await add(1, c, "slave")).status, 200);
  using replica = await servers[2]!.client();
  await until(async () =>
    `${await replica.call("INFO", "replication")}`.includes("link_status:up")
  );
  assertEquals((await dashboard.get("/api/server_groups")).json, [
    {
      id: 1,
      product_name: "test",
      servers: [
        { type: "master", group_id: 1, addr: a },
        { type: "slave", group_id: 1, addr: c },
      ].sort((x, y) => x.addr < y.addr ? -1 : 1),
    },
    { id: 2, product_name: "test", servers: [{ type: "master", group_id: 2, addr: b }] },
  ]);

  await dashboard.done("POST", "/api/slots/init");
  assertMatch((await dashboard.ask("POST", "/api/slots/init")).text, /already initialized/);
  await dashboard.done("POST", "/api/slots/init?is_force=1");
  await dashboard.done("POST", "/api/slot", { from: 0, to: 511, new_group: 1, status: "online" });
  await dashboard.done("POST", "/api/slot", { from: 512, to: 1023, new_group: 2 });
  assertMatch(
    (await dashboard.ask("POST", "/api/slot", { from: 0, to: 0, new_group: 2 })).text,
    /slot 0 is not offline/,
  );
  assertMatch(
    (await dashboard.ask("DELETE", "/api/server_group/2")).text,
    /group 2 is using by slot 512/,
  );
  assertEquals((await dashboard.get("/api/slot/512")).json, {
    product_name: "test",
    id: 512,
    group_id: 2,
    state: { status: "online", migrate_status: { from: -1, to: -1 }, last_op_ts: "0" },
  });
  assertEquals((await dashboard.get("/api/slots")).json.length, 1024);

  // A proxy goes online at the dashboard, and serves.
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  assertEquals(await client.call("MSET", "a", 1, "b", 2, "c", 3), "OK");
  await until(async () => (await dashboard.get("/api/cluster")).json.proxies[0]?.ops !== undefined);

  // Promotion under a client: nothing that was acknowledged is lost.
  let written = 0;
  let isWriting = true;
  const errors: string[] = [];
  const writing = (async () => {
    using writer = await proxy.client();
    while (isWriting) {
      for (const key of ["a", "b", "c", "x", "y", "z"]) {
        const reply = await writer.call("INCR", `n:${key}`);
        if (typeof reply === "number") written++;
        else errors.push(`${(reply as { message: string }).message}`);
      }
    }
  })();
  const promoted = await dashboard.ask("POST", "/api/server_group/1/promote", {
    addr: c,
    group_id: 1,
  });
  assertEquals(promoted.text, '{"msg":"OK","ret":0}');
  await delay(100);
  isWriting = false;
  await writing;
  assert(errors.every((error) => error.startsWith("READONLY")), errors[0]);
  let sum = 0;
  for (const key of ["a", "b", "c", "x", "y", "z"]) {
    sum += Number(await client.call("GET", `n:${key}`));
  }
  assertEquals(sum, written);
  using oldMaster = await servers[0]!.client();
  await until(async () =>
    `${await oldMaster.call("INFO", "replication")}`.includes(`master_port:${servers[2]!.port}`)
  );
  const group = (await dashboard.get("/api/server_group/1")).json;
  assertEquals(
    group.servers.map(({ addr, type }: { addr: string; type: string }) => [addr, type]).sort(),
    [[a, "slave"], [c, "master"]].sort(),
  );

  assertMatch(
    (await dashboard.ask("PUT", "/api/server_group/1/removeServer", { addr: c })).text,
    /cannot remove master, use promote first/,
  );
  await dashboard.done("PUT", "/api/server_group/1/removeServer", { addr: a });
  // A server with keys is not emptied by being added as a replica, unless that is wanted.
  using fourth = await servers[3]!.client();
  await fourth.call("SET", "precious", "1");
  assertMatch((await add(2, d, "slave")).text, /holds 1 key,/);
  assertEquals(await fourth.call("GET", "precious"), "1");
  await dashboard.done("PUT", "/api/server_group/2/addServer", {
    ...{ type: "slave", addr: d, force: true },
  });

  const view = (await dashboard.get("/api/cluster")).json;
  assertEquals(view.groups.map(({ slots }: { slots: number }) => slots), [512, 512]);
  assertEquals(view.slots.status, "o".repeat(1024));
  assertEquals(view.proxies[0].id, "one");
  assertEquals((await dashboard.get("/api/check")).json.problems, []);

  await dashboard.done("POST", "/api/proxy", { id: "one", state: "mark_offline" });
  await proxy.child.ended;
  assertEquals((await dashboard.get("/api/proxy/list")).json, []);
  await dashboard.done("POST", "/api/proxy", { id: "one", state: "mark_offline" });
  await dashboard.done("GET", "/api/action/gc?keep=0");
});

Deno.test("action gc removes what a dashboard that died has left, and nothing that may be about to be used", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  await using dashboard = await DashboardServer.start(store);
  const { coordinator, paths } = store;
  const make = (secondsAgo: number) => {
    const action = encodeAction({
      type: "group_remove",
      desc: "",
      target: { id: 9, product_name: store.product, servers: null },
      ts: `${Math.floor(Date.now() / 1000) - secondsAgo}`,
      receivers: null,
    });
    return coordinator.create(`${paths.responses}/`, action, "sequential");
  };
  await make(60);
  await coordinator.create(`${paths.responses}/`, "what is this?", "sequential");
  const fresh = await make(0);
  await dashboard.done("GET", "/api/action/gc?keep=500");
  assertEquals(await coordinator.children(paths.responses), [nameOf(fresh)]);
});

Deno.test("documents have the shape that Codis 2.0's have", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  await using dashboard = await DashboardServer.start(store);
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  await client.call("GET", "a");
  for (
    const [path, file] of [
      ["/api/server_groups", "GET_server_groups.json"],
      ["/api/slot/1", "GET_slot_1.json"],
      ["/api/proxy/list", "GET_proxy_list.json"],
      ["/api/migrate/status", "GET_migrate_status.json"],
    ] as const
  ) {
    assertEquals(shapeOf((await dashboard.get(path)).json), shapeOf(await fixture(file)), path);
  }
  assertEquals((await dashboard.get("/api/migrate/tasks")).text, "[]");
  await until(async () => (await dashboard.get("/api/overview")).json.redis_infos[0] !== null);
  const overview = (await dashboard.get("/api/overview")).json;
  assertEquals(Object.keys(overview), ["ops", "product", "redis_infos"]);
  assertEquals(overview.redis_infos.length, 2);
  assertEquals(overview.redis_infos[0].maxmemory, "∞");
  assertEquals(
    Object.keys(overview.redis_infos[0]),
    Object.keys(overview.redis_infos[0]).sort(),
  );
  const vars = (await dashboard.get("/api/proxy/debug/vars")).json;
  assertEquals(
    shapeOf(vars.one.router.info),
    shapeOf(JSON.parse(JSON.stringify(
      decodeProxy(await store.coordinator.read(store.paths.proxy("one")).then(({ data }) => data)),
    ))),
  );
  const addr = servers[0]!.addr;
  assertEquals((await dashboard.get(`/api/redis/${addr}/stat`)).json.role, "master");
  assertEquals((await dashboard.get(`/api/redis/${addr}/5/slotinfo`)).json, {
    keys: 0,
    slot_id: 5,
  });
  assertEquals((await dashboard.get("/api/redis/group/1/5/slotinfo")).json, {
    addr,
    group_id: 1,
    keys: 0,
    slot_id: 5,
  });
  // As Go's json.MarshalIndent(v, " ", "  ") prints it.
  assertEquals(
    (await dashboard.get("/api/migrate/status")).text,
    '{\n   "migrate_slots": [],\n   "migrate_task": null\n }',
  );
  const index = await fetch(`http://${dashboard.addr}/`, { redirect: "manual" });
  await index.body?.cancel();
  const location = new URL(index.headers.get("location")!, `http://${dashboard.addr}/`);
  assertEquals([index.status, location.pathname], [302, "/admin"]);
});

/** Requests that break a rule: method, path, body, and the field that the answer names. */
const BAD_INPUT: readonly [string, string, unknown, string][] = [
  ...["", "{", "[]", "null", "7", '"text"', "nonsense", "{}x"].map((
    body,
  ): [string, string, unknown, string] => ["POST", "/api/slot", body, "body"]),
  ...["", "[1]", "{"].map((body): [string, string, unknown, string] => [
    "PUT",
    "/api/server_groups",
    body,
    "body",
  ]),
  ...[undefined, null, "1", -1, 1.5, 1_000_000_000, true, [1], {}, 1e99].map((
    id,
  ): [string, string, unknown, string] => ["PUT", "/api/server_groups", { id }, "id"]),
  ...[undefined, null, "0", -1, 1024, 0.5, true, [], 1e10].map((
    from,
  ): [string, string, unknown, string] => [
    "POST",
    "/api/slot",
    { from, to: 5, new_group: 1, status: "online" },
    "from",
  ]),
  ...[undefined, null, "5", -1, 1024, 2.5, {}, 4].map((
    to,
  ): [string, string, unknown, string] => [
    "POST",
    "/api/slot",
    { from: 5, to, new_group: 1, status: "online" },
    "to",
  ]),
  ...[undefined, null, "1", -1, 2.5, []].map((new_group): [string, string, unknown, string] => [
    "POST",
    "/api/slot",
    { from: 5, to: 6, new_group, status: "online" },
    "new_group",
  ]),
  ...["on", "ONLINE", 1, true, {}, []].map((status): [string, string, unknown, string] => [
    "POST",
    "/api/slot",
    { from: 5, to: 6, new_group: 1, status },
    "status",
  ]),
  ...["1024", "-1", "x", "1.5", "99999999999999999999", "%20"].map((
    id,
  ): [string, string, unknown, string] => ["GET", `/api/slot/${id}`, undefined, "slot id"]),
  ...["-1", "x", "1000000000", "1e3"].map((id): [string, string, unknown, string] => [
    "GET",
    `/api/server_group/${id}`,
    undefined,
    "group id",
  ]),
  ["DELETE", "/api/server_group/none", undefined, "group id"],
  ...[undefined, null, "", "a", "a:", ":1", "a:0", "a:65536", "a:b", 7, {}, "a b:1", "::1:6379"]
    .map((
      addr,
    ): [string, string, unknown, string] => [
      "PUT",
      "/api/server_group/1/addServer",
      { type: "slave", addr },
      "addr",
    ]),
  ["PUT", "/api/server_group/1/addServer", { addr: "a:1", type: "boss" }, "type"],
  ["PUT", "/api/server_group/1/addServer", { addr: "a:1", type: 1 }, "type"],
  ["PUT", "/api/server_group/1/addServer", { addr: "a:1", force: "yes" }, "force"],
  ["PUT", "/api/server_group/1e3/addServer", { addr: "a:1" }, "group id"],
  ["PUT", "/api/server_group/1/removeServer", { addr: "a" }, "addr"],
  ["PUT", "/api/server_group/1/removeServer", {}, "addr"],
  ["POST", "/api/server_group/1/promote", { addr: "a:1" }, "group_id"],
  ["POST", "/api/server_group/1/promote", { addr: "a", group_id: 1 }, "addr"],
  ["POST", "/api/server_group/1/promote", { addr: "a:1", group_id: 1, force: 1 }, "force"],
  ["POST", "/api/migrate", { from: "0", to: "0", new_group: "0" }, "from"],
  ["POST", "/api/migrate", { from: 0, to: 0 }, "new_group"],
  ["POST", "/api/migrate", { from: 9, to: 3, new_group: 1 }, "to"],
  ["POST", "/api/migrate", { from: 0, to: 0, new_group: 1, delay: -1 }, "delay"],
  ["POST", "/api/migrate", { from: 0, to: 0, new_group: 1, delay: "5" }, "delay"],
  ["POST", "/api/rebalance", { by: "luck" }, "by"],
  ["POST", "/api/migrate/cancel", { mode: "sideways" }, "mode"],
  ["DELETE", "/api/migrate/tasks/0000000001", { mode: "" }, "mode"],
  ["POST", "/api/rebalance", { dry_run: "yes" }, "dry_run"],
  ["POST", "/api/rebalance", "[", "body"],
  ["POST", "/api/rebalance", { by: "slots", dryrun: true }, "dryrun"],
  ["POST", "/api/server_group/1/drain", { "dry-run": true }, "dry-run"],
  ["POST", "/api/migrate/cancel", { back: true }, "back"],
  ["POST", "/api/proxy", { id: "one" }, "state"],
  ["POST", "/api/proxy", { id: "one", state: "asleep" }, "state"],
  ["POST", "/api/proxy", { state: "online" }, "id"],
  ["POST", "/api/proxy", { id: "", state: "online" }, "id"],
  ["POST", "/api/proxy", { id: "a/b", state: "online" }, "id"],
  ["POST", "/api/proxy", { id: 7, state: "online" }, "id"],
  ["POST", "/api/slots/init?is_force=perhaps", undefined, "is_force"],
  ["GET", "/api/action/gc", undefined, "keep"],
  ["GET", "/api/action/gc?keep=many", undefined, "keep"],
  ["GET", "/api/action/gc?secs=-5", undefined, "secs"],
  ["GET", "/api/redis/1.2.3.4:5/stat", undefined, "addr"],
  ["GET", "/api/redis/1.2.3.4:5/5/slotinfo", undefined, "addr"],
  ["GET", "/api/redis/group/1/5000/slotinfo", undefined, "slot id"],
  ["POST", "/api/commands/allowed", { name: "a b c", way: "any" }, "name"],
  ["POST", "/api/commands/allowed", { name: "FT.SEARCH", way: "some" }, "way"],
  // The table says what is done with these.
  ["POST", "/api/commands/allowed", { name: "GET", way: "all" }, "name"],
  ["POST", "/api/commands/allowed", { name: "shutdown", way: "any" }, "name"],
  ["POST", "/api/commands/allowed", { name: "config set", way: "all" }, "name"],
];

Deno.test(`${BAD_INPUT.length} bad inputs are refused by field and rule, and change nothing`, async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1,127.0.0.1:2");
  await using dashboard = await DashboardServer.start(store);
  const before = await dump(store);
  for (const [method, path, body, field] of BAD_INPUT) {
    const { status, json, text } = await dashboard.ask(method, path, body);
    const what = `${method} ${path} ${JSON.stringify(body)}: ${status} ${text}`;
    assertEquals(status, 400, what);
    assertEquals(json.field, field, what);
    assert(typeof json.rule === "string" && json.error.includes(json.rule), what);
  }
  const huge = await dashboard.ask("POST", "/api/slot", `{"from": "${"x".repeat(100_000)}"}`);
  assertEquals([huge.status, huge.json.field], [400, "body"]);
  const others: [string, string, number][] = [
    ["GET", "/api/none", 404],
    ["GET", "/api/slot/", 404],
    ["GET", "/elsewhere", 404],
    ["PATCH", "/api/slot", 405],
    ["GET", "/api/slot", 405],
    ["DELETE", "/api/slots", 405],
  ];
  for (const [method, path, status] of others) {
    assertEquals((await dashboard.ask(method, path)).status, status, `${method} ${path}`);
  }
  assertEquals(await dump(store), before);
});

Deno.test("what is refused by a rule of Codis 2.0's leaves the store as it was", async () => {
  await using folder = await StoreFolder.make();
  await using server = await RedisServer.start();
  const store = await folder.openFilled(`${server.addr},127.0.0.1:2`);
  await using dashboard = await DashboardServer.start(store);
  await createFence(store, "crashed:9000");
  const before = await dump(store);
  const refused: [string, string, unknown, RegExp][] = [
    ["POST", "/api/slot", { from: 0, to: 5, new_group: 9 }, /^group 9 is not found$/],
    ["POST", "/api/slot", { from: 0, to: 5, new_group: 1, status: "migrate" }, /^invalid status$/],
    [
      "POST",
      "/api/slots/init?is_force=true",
      undefined,
      /^Some proxies may not stop cleanly: crashed:9000$/,
    ],
    ["DELETE", "/api/server_group/1", undefined, /is using by slot 0/],
    ["DELETE", "/api/server_group/7", undefined, /group 7 is not found/],
    [
      "PUT",
      "/api/server_group/3/addServer",
      { addr: "127.0.0.1:1", type: "master" },
      /connection refused/,
    ],
    [
      "PUT",
      "/api/server_group/7/addServer",
      { addr: "127.0.0.1:1", type: "slave", must_exist: true },
      /^group 7 is not found$/,
    ],
    [
      "PUT",
      "/api/server_group/1/removeServer",
      { addr: "127.0.0.1:9" },
      /no such addr 127.0.0.1:9/,
    ],
    ["POST", "/api/server_group/1/promote", { addr: "127.0.0.1:9", group_id: 1 }, /no such addr/],
    ["POST", "/api/server_group/1/promote", { addr: server.addr, group_id: 1 }, /is the master/],
    ["POST", "/api/migrate", { from: 7, to: 7, new_group: 1 }, /^slot 7 is in group 1 already$/],
    [
      "POST",
      "/api/migrate",
      { from: 0, to: 9, new_group: 1 },
      /^slots 0 to 9 are all in group 1 already$/,
    ],
  ];
  for (const [method, path, body, text] of refused) {
    const answer = await dashboard.ask(method, path, body);
    assertEquals(answer.status, 500, `${method} ${path}: ${answer.text}`);
    assertMatch(answer.text, text);
  }
  const unregistered = await dashboard.ask("POST", "/api/proxy", { id: "none", state: "online" });
  assertEquals([unregistered.status, unregistered.json], [409, {
    error: "proxy none is not found: it is not registered, or is just being started again",
  }]);
  assertEquals(await dump(store), before);
  await dashboard.done("GET", "/api/remove_fence");
  // So does the fence of a proxy of another product, which hears of nothing.
  {
    using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const addr = `127.0.0.1:${other.addr.port}`;
    await dashboard.done("PUT", "/api/fence", { addr });
    const fenced = await dashboard.ask("POST", "/api/slots/init?is_force=true");
    assertEquals(fenced.text, `Some proxies may not stop cleanly: ${addr}`);
    // Migrations are taken, and wait: the answer says for whom.
    const move = { from: 0, to: 0, new_group: 2, delay: 0 };
    const { json, text } = await dashboard.ask("POST", "/api/migrate", move);
    assertEquals(json, { msg: "OK", ret: 0, fenced: [addr] }, text);
    await dashboard.done("POST", "/api/migrate/cancel");
    const early = await dashboard.ask("GET", "/api/remove_fence");
    assertMatch(early.text, /^127.0.0.1:\d+ still accepts connections: .* stop it first$/);
  }
  await dashboard.done("GET", "/api/remove_fence");
  await dashboard.done("POST", "/api/slots/init?is_force=true");
});

Deno.test("fences of proxies that are gone are removed also beside a record in proxy that cannot be read", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  const { coordinator, paths } = store;
  await coordinator.create(paths.proxy("foreign"), "garbage");
  await coordinator.create(paths.fence("gone:9000"), "");
  await using dashboard = await DashboardServer.start(store);
  await dashboard.done("POST", "/api/remove_fence");
  assertEquals(await coordinator.children(paths.fences), []);
  await dashboard.done("POST", "/api/slots/init?is_force=true");
});

Deno.test("a lock that a dead Codis 2.0 dashboard left refuses changes until it is removed", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  await using dashboard = await DashboardServer.start(store);
  await store.coordinator.create(`${store.paths.lock}/lock-`, '{"desc":""}', "sequential");
  const answer = await dashboard.ask("PUT", "/api/server_groups", { id: 1 });
  assertEquals([answer.status, answer.text], [500, "zkutil: obtaining lock timed out"]);
  await dashboard.done("GET", "/api/force_remove_locks");
  await dashboard.done("PUT", "/api/server_groups", { id: 1 });
});

Deno.test("with a token nothing is changed without it; pages of other sites change nothing at all", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  await using dashboard = await DashboardServer.start(store, { token: "sesame" });
  const add = (id: number, headers: Record<string, string>) =>
    dashboard.ask("PUT", "/api/server_groups", { id }, headers);
  for (
    const headers of [{}, { authorization: "Bearer wrong" }, { authorization: "Bearer sesame2" }, {
      authorization: "Basic sesame",
    }, { authorization: "Bearer " }]
  ) {
    assertEquals((await add(1, headers as Record<string, string>)).status, 401);
  }
  const right = { authorization: "Bearer sesame" };
  assertEquals((await dashboard.ask("POST", "/api/login", undefined, {})).status, 401);
  assertEquals((await dashboard.ask("POST", "/api/login", undefined, right)).status, 200);
  assertEquals((await dashboard.ask("GET", "/api/remove_fence")).status, 401);
  assertEquals((await dashboard.get("/api/server_groups")).status, 200);
  for (
    const foreign of [{ origin: "http://evil.example" }, { "sec-fetch-site": "cross-site" }, {
      origin: "null",
    }]
  ) {
    assertEquals((await add(1, { ...right, ...foreign as Record<string, string> })).status, 403);
  }
  assertEquals((await dashboard.get("/api/server_groups")).json, null);
  assertEquals((await add(1, { ...right, origin: `http://${dashboard.addr}` })).status, 200);
  const response = await fetch(`http://${dashboard.addr}/api/server_groups`, {
    headers: { origin: "http://evil.example" },
  });
  await response.body?.cancel();
  assertEquals(response.headers.get("access-control-allow-origin"), null);
});

Deno.test("a proxy that is late is named with what it waits for", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
  await using dashboard = await DashboardServer.start(store);
  await using proxy = await ProxyProcess.start({
    config: {
      ...{ embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
      backend_timeout: 6,
    },
  });
  using client = await proxy.client();
  assertEquals(await client.call("SET", "a", "1"), "OK"); // slot 579, group 2
  servers[1]!.pause();
  try {
    await client.send("GET", "a");
    await until(async () => {
      const { draining, backends } = await (await fetch(proxy.url("/stats"))).json();
      return draining.length === 0 &&
        backends.some(({ in_flight }: { in_flight: number }) => in_flight > 0);
    });
    const changing = dashboard.ask("POST", "/api/slots/init?is_force=1");
    const waiting = await (async () => {
      for (;;) {
        const { change } = (await dashboard.get("/api/cluster")).json;
        const reason = change?.waiting_for[0]?.reason ?? "";
        if (reason.startsWith("slot")) return change;
        await delay(50);
      }
    })();
    assertEquals(waiting.waiting_for, [{
      proxy_id: "one",
      reason: `slot 579 waits for 1 request in flight at ${servers[1]!.addr}`,
    }]);
    // The proxy gives the server up before the dashboard gives the proxy up.
    assertEquals((await changing).text, '{"msg":"OK","ret":0}');
  } finally {
    servers[1]!.resume();
  }
});

Deno.test("a proxy that never confirms is marked offline, named, and waited for no longer than a bound", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  await using dashboard = await DashboardServer.start(store, {
    times: { confirmMs: 600, lateMs: 100, leaveMs: 300 },
  });
  const proxy = { ...RECORD, id: "mute", state: "online", debug_var_addr: "127.0.0.1:2" } as const;
  await createProxy(store, proxy);
  await createFence(store, proxy.addr);
  const began = performance.now();
  const answer = await dashboard.ask("POST", "/api/slots/init?is_force=1");
  assert(performance.now() - began < 5_000);
  assertEquals(answer.status, 500);
  assertMatch(
    answer.text,
    /^receiver timeout: .* by mute \(it does not answer on 127.0.0.1:2: connection refused\)/,
  );
  assertEquals((await loadProxy(store, "mute"))?.state, "mark_offline");
  // The change itself was made, and nobody has to finish it.
  assertEquals((await dashboard.get("/api/slot/7")).json.state.status, "offline");
  assertEquals(await loadIntent(store), undefined);
});

/** A product with a proxy that never confirms anything, and a dashboard with the usual patience. */
async function withMute(servers: string, stack: AsyncDisposableStack) {
  const folder = stack.use(await StoreFolder.make());
  const store = await folder.openFilled(servers);
  const dashboard = stack.use(await DashboardServer.start(store));
  const proxy = { ...RECORD, id: "mute", state: "online", debug_var_addr: "127.0.0.1:2" } as const;
  await createProxy(store, proxy);
  await createFence(store, proxy.addr);
  return { store, dashboard, proxy };
}

Deno.test("a proxy that dies in the middle of a change is not waited for", async () => {
  await using stack = new AsyncDisposableStack();
  const { store, dashboard } = await withMute("127.0.0.1:1", stack);
  const changing = dashboard.ask("POST", "/api/slots/init?is_force=1");
  await until(async () => (await loadActionNames(store)).length > 0);
  const began = performance.now();
  await deleteProxy(store, "mute");
  const answer = await changing;
  assert(performance.now() - began < 3_000);
  assertMatch(answer.text, /^receiver timeout: .* was not confirmed by mute \(it is gone\)$/);
});

Deno.test("a proxy that dies and is there anew has read what it did not confirm, and stays online", async () => {
  await using stack = new AsyncDisposableStack();
  const { store, dashboard, proxy } = await withMute("127.0.0.1:1", stack);
  const changing = dashboard.done("POST", "/api/slots/init?is_force=1");
  await until(async () => (await loadActionNames(store)).length > 0);
  await deleteProxy(store, "mute");
  await createProxy(store, { ...proxy, pid: proxy.pid + 1 });
  await changing;
  assertEquals((await loadProxy(store, "mute"))?.state, "online");
});

Deno.test("a slot does not stay blocked for a proxy that died while it was being blocked", async () => {
  await using stack = new AsyncDisposableStack();
  const servers = stack.use(await RedisServer.startMany(2));
  const { store, dashboard, proxy } = await withMute(
    servers.map(({ addr }) => addr).join(","),
    stack,
  );
  await dashboard.done("POST", "/api/migrate", { from: 7, to: 7, new_group: 2 });
  await until(async () => (await loadSlot(store, 7)).state.status === "pre_migrate");
  await deleteProxy(store, "mute");
  const began = performance.now();
  await until(async () => (await loadSlot(store, 7)).state.status === "online");
  assert(performance.now() - began < 3_000);
  // Its fence keeps others from moving, too, and the page says why.
  await until(async () => {
    const [view] = (await dashboard.get("/api/cluster")).json.migrations;
    return view.problem === `Some proxies may not stop cleanly: ${proxy.addr}`;
  });
  assertEquals((await loadSlot(store, 7)).group_id, 1);
  await deleteFence(store, proxy.addr);
  await until(async () => (await loadSlot(store, 7)).group_id === 2);
});

Deno.test("a dashboard that takes over shows no migration as done that it has not read yet", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const slotIds = Array.from({ length: 50 }, (_, slotId) => slotId);
  for (const slot_id of slotIds) {
    await createMigrateTask(store, {
      ...{ slot_id, new_group: 1, delay: 0, create_at: "1700000000", percent: 0 },
      status: "pending",
    });
  }
  // The coordinator is slow.
  const { coordinator, paths } = store;
  const children = coordinator.children.bind(coordinator);
  coordinator.children = async (path) => {
    if (path === paths.migrateTasks) await delay(300);
    return await children(path);
  };
  await using dashboard = await DashboardServer.start(store, { waitsForLead: false });
  await until(async () => {
    const { status, json } = await dashboard.get("/api/cluster");
    // Group 1 does not exist: they stay.
    if (status === 200) assertEquals(json.migrations.length, 50);
    return status === 200;
  });
});
