/**
 * What operators may rely on when their Redis servers want a password: the dashboard knows it, gives it
 * to replicas and to moves, and shows it to nobody.
 *
 * @module
 */

import { assert, assertEquals, assertNotMatch, assertStringIncludes } from "@std/assert";
import { Secret } from "../../../src/base/secret.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { slotOf } from "../../support/router_server.ts";
import { StoreFolder } from "../../support/store.ts";

const PASSWORD = "open-sesame-7";

Deno.test("servers with a password are added, promoted, migrated, and the password is not shown", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(3, { args: ["--requirepass", PASSWORD] });
  const [a, b, c] = servers.map(({ addr }) => addr) as [string, string, string];
  const store = await folder.open();
  await using dashboard = await DashboardServer.start(store, {
    auth: { user: "", password: new Secret(PASSWORD) },
  });
  const add = (groupId: number, addr: string, type: string) =>
    dashboard.done("PUT", `/api/server_group/${groupId}/addServer`, { type, addr });
  await add(1, a, "master");
  await add(1, b, "slave");
  await add(2, c, "master");
  await dashboard.done("POST", "/api/slots/init");
  await dashboard.done("POST", "/api/slot", { from: 0, to: 1023, new_group: 1 });
  await using proxy = await ProxyProcess.start({
    config: {
      ...{ embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
      password: PASSWORD,
    },
  });
  using client = await proxy.client();
  assertEquals(await client.call("AUTH", PASSWORD), "OK");
  for (let i = 0; i < 300; i++) assertEquals(await client.call("SET", `k${i}`, i), "OK");

  await dashboard.done("POST", "/api/server_group/1/promote", { addr: b, group_id: 1 });
  await dashboard.done("POST", "/api/migrate", { from: 0, to: 511, new_group: 2 });
  await until(async () => (await dashboard.get("/api/migrate/tasks")).text === "[]", 30_000);
  for (let i = 0; i < 300; i++) assertEquals(await client.call("GET", `k${i}`), `${i}`);
  using moved = await servers[2]!.client();
  assertEquals(await moved.call("AUTH", PASSWORD), "OK");
  assert(await moved.call("DBSIZE") as number > 0);

  const shown = [
    proxy.stderr,
    proxy.stdout,
    ...await Promise.all(
      ["/api/cluster", "/api/overview", `/api/redis/${b}/stat`, "/api/proxy/debug/vars"].map(
        async (path) => (await dashboard.get(path)).text,
      ),
    ),
    await (await fetch(proxy.url("/metrics"))).text(),
    await (await fetch(proxy.url("/debug/vars"))).text(),
  ];
  assertEquals(shown.filter((text) => text.includes(PASSWORD)), []);
});

Deno.test("a server that refuses us a command is named, with what to do", async () => {
  await using folder = await StoreFolder.make();
  const user = ["--user", "codis", "on", `>${PASSWORD}`, "~*", "&*", "+@all"];
  await using servers = await RedisServer.startMany(3, { args: user });
  await using renamed = await RedisServer.start({
    args: ["--rename-command", "INFO", "HIDDEN", ...user],
  });
  const [a, b, c] = servers.map(({ addr }) => addr) as [string, string, string];
  await using dashboard = await DashboardServer.start(await folder.open(), {
    auth: { user: "codis", password: new Secret(PASSWORD) },
  });
  const rule = async (server: number, ...rules: string[]) => {
    using client = await servers[server]!.client();
    assertEquals(await client.call("ACL", "SETUSER", "codis", ...rules), "OK");
  };
  const add = (group: number, addr: string, type: string) =>
    dashboard.ask("PUT", `/api/server_group/${group}/addServer`, { type, addr });
  const remedy = (addr: string, rule: string) =>
    `(at ${addr}: run ACL SETUSER codis ${rule} there, then ACL SAVE or CONFIG REWRITE)`;

  assertStringIncludes(
    (await add(1, renamed.addr, "master")).text,
    `(at ${renamed.addr}: rename-command in its redis.conf may have taken INFO away, or its `,
  );
  await rule(0, "-info");
  assertStringIncludes((await add(1, a, "master")).text, remedy(a, "+info"));
  await rule(0, "+@all");
  await rule(1, "-config");
  assertEquals((await add(1, a, "master")).status, 200);
  assertStringIncludes((await add(1, b, "slave")).text, remedy(b, "+'config|set'"));
  await rule(1, "+@all", "resetpass");
  assertStringIncludes(
    (await add(1, b, "slave")).text,
    `(at ${b}: it has no user "codis" with the password that is configured)`,
  );
  await rule(1, `>${PASSWORD}`);
  for (const [group, addr, type] of [[1, b, "slave"], [2, c, "master"]] as const) {
    assertEquals((await add(group, addr, type)).status, 200);
  }
  await dashboard.done("POST", "/api/slots/init");
  await dashboard.done("POST", "/api/slot", { from: 0, to: 1023, new_group: 1 });
  using master = await servers[0]!.client();
  await master.call("SET", "k0", "v");

  await rule(0, "-client");
  const slot = slotOf("k0");
  await dashboard.done("POST", "/api/migrate", { from: slot, to: slot, new_group: 2 });
  const asked = remedy(a, "+'client|list'");
  await until(async () => (await dashboard.get("/api/cluster")).text.includes(asked));
  await rule(0, "+@all");
  await until(async () => (await dashboard.get("/api/migrate/tasks")).text === "[]");

  await rule(0, "-info");
  const { text } = await dashboard.ask("POST", "/api/server_group/1/promote", {
    addr: b,
    group_id: 1,
  });
  assertStringIncludes(text, remedy(a, "+info"));
});

Deno.test("a server that answers with an error is not to be started or forced: the password is named", async () => {
  await using folder = await StoreFolder.make();
  await using open = await RedisServer.start();
  await using locked = await RedisServer.start({ args: ["--requirepass", PASSWORD] });
  const store = await folder.open();
  const refusal = async (auth: Secret, addr: string) => {
    await using dashboard = await DashboardServer.start(store, {
      auth: { user: "", password: auth },
    });
    const body = { type: "master", addr };
    const { status, text, json } = await dashboard.ask(
      "PUT",
      "/api/server_group/1/addServer",
      body,
    );
    assertEquals(status, 500, text);
    return { text: json?.error ?? text, mayBeForced: json?.can_force ?? false };
  };
  const none = new Secret("");
  const one = new Secret(PASSWORD);
  for (
    const [auth, { addr }, remedy] of [
      [one, open, "set requirepass there, or correct backend_password or password in config.ini"],
      [none, locked, "set backend_password or password in config.ini"],
      [
        new Secret("wrong"),
        locked,
        'it has no user "default" with the password that is configured',
      ],
    ] as const
  ) {
    const { text, mayBeForced } = await refusal(auth, addr);
    assertStringIncludes(text, `at ${addr}: `);
    assertStringIncludes(text, remedy);
    assertNotMatch(text, /start it/);
    assertEquals(mayBeForced, false, text);
  }
  await using http = await DashboardServer.start(await folder.open("other"));
  const other = await refusal(none, http.addr);
  assertStringIncludes(other.text, "it is no Redis server");
  assertEquals(other.mayBeForced, false, other.text);

  await open.stop();
  const { text, mayBeForced } = await refusal(one, open.addr);
  assertStringIncludes(text, "start it first, or force it if it will answer later");
  assertEquals(mayBeForced, true, text);
});
