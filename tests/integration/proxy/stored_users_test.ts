/**
 * Users in the store of a whole system in one process: `config acl`, and ACL SETUSER in any worker.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { loadRedisUsers } from "../../../src/store/redis_users.ts";
import { callCli, type Ended } from "../../support/cli_call.ts";
import { CodisProxy } from "../../support/codis_proxy.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { StoreFolder } from "../../support/store.ts";

const NO_SET = new ReplyError("NOPERM this user has no permissions to run the 'set' command");
const WRONG_PASS = new ReplyError(
  "WRONGPASS invalid username-password pair or user is disabled.",
);

function aclOf(file: string): (...words: string[]) => Promise<Ended> {
  return (...words) => callCli("config", "-c", file, "acl", ...words, "--output=table");
}

async function done(ended: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await ended;
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

async function all(clients: readonly RespClient[], ...words: string[]): Promise<RespValue[]> {
  return await Promise.all(clients.map((client) => client.call(...words)));
}

Deno.test("config acl: rules are in force in all workers when they are answered", async () => {
  await using redis = await RedisServer.start({ args: ["--requirepass", "of-config"] });
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    cpu: 2,
    config: { acl: "store", password: "of-config" },
  });
  const acl = aclOf(`${proxy.folder}/config.ini`);
  // Clients of both workers.
  const everybody = await Promise.all(Array.from({ length: 8 }, () => proxy.client()));
  const isEach = (values: readonly RespValue[], value: RespValue) =>
    assertEquals(values, values.map(() => value));
  try {
    assertMatch(await done(acl("list")), /there are no users/);
    isEach(await all(everybody, "AUTH", "alice", "secret"), WRONG_PASS);
    assertEquals(
      await done(acl("set", "alice", "on", ">secret", "~a:*", "+@all", "-set")),
      "user alice is in force at all proxies\n",
    );
    isEach(await all(everybody, "AUTH", "alice", "secret"), "OK");
    isEach(await all(everybody, "SET", "a:1", "x"), NO_SET);
    isEach(await all(everybody, "GET", "a:1"), null);
    await done(acl("set", "alice", "+set"));
    isEach(await all(everybody, "SET", "a:1", "x"), "OK");
    assertMatch(await done(acl("show", "alice")), /logs in +1 password\nrules +~a:\* .*\+@all/);

    const wrong = await acl("set", "alice", "+nothing-such");
    assertEquals(wrong.code, 1);
    assertMatch(wrong.stderr, /Error in ACL SETUSER modifier '\+nothing-such': Unknown command/);
    const everyone = await acl("set", "default", "-@dangerous");
    assertMatch(everyone.stderr, /say how it logs in, with >password, nopass or off/);
    assertEquals(await everybody[0]!.call("AUTH", "of-config"), "OK");
    await done(acl("set", "default", "off"));
    assertEquals(await everybody[1]!.call("AUTH", "of-config"), WRONG_PASS);
    assertMatch((await acl("delete", "default")).stderr, /'default' user cannot be removed/);

    const file = `${proxy.folder}/users.acl`;
    await Deno.writeTextFile(file, "user bob on nopass +ping\nuser alice on nopass +get ~*\n");
    assertEquals(await done(acl("import", file)), "2 users in force: bob, alice\n");
    isEach(await all(everybody.slice(2), "SET", "a:1", "x"), NO_SET);
    await Deno.writeTextFile(file, "# a comment\nuser bob on +nonsense\n");
    const refused = await acl("import", file);
    assertEquals(refused.code, 1);
    assertMatch(refused.stderr, /users\.acl:1 should start with user keyword.*users\.acl:2:/);

    await done(acl("delete", "alice"));
    await Promise.all(everybody.slice(2).map((client) => client.readToEnd()));
    assertMatch((await acl("show", "alice")).stderr, /there is no user alice/);
  } finally {
    for (const client of everybody) client[Symbol.dispose]();
  }
});

Deno.test("ACL SETUSER and DELUSER change the store, with the answers of redis-server", async () => {
  await using redis = await RedisServer.start({ args: ["--requirepass", "of-config"] });
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    cpu: 2,
    config: { acl: "store", password: "of-config" },
  });
  const acl = aclOf(`${proxy.folder}/config.ini`);
  using admin = await proxy.client();
  using other = await proxy.client();
  await all([admin, other], "AUTH", "of-config");
  assertEquals(
    await admin.call("ACL", "SETUSER", "alice", "on", ">my secret", "+@read", "~*"),
    "OK",
  );
  assertMatch(await done(acl("list")), /^alice +1 password +~\* .*\+@read/m);
  assertEquals(
    await admin.call("ACL", "SETUSER", "alice", "+no-such"),
    new ReplyError(
      "ERR Error in ACL SETUSER modifier '+no-such': Unknown command or category name in ACL",
    ),
  );
  using alice = await proxy.client();
  assertEquals(await alice.call("AUTH", "alice", "my secret"), "OK");
  assertEquals(await alice.call("SET", "a", "x"), NO_SET);

  // The password of config.ini stays when the default user is stored for the first time.
  assertEquals(await admin.call("ACL", "SETUSER", "default", "-flushall"), "OK");
  assertMatch(await done(acl("show", "default")), /logs in +1 password/);
  using fresh = await proxy.client();
  assertEquals(await fresh.call("AUTH", "of-config"), "OK");
  assertMatch(`${(await fresh.call("FLUSHALL") as ReplyError).message}`, /^NOPERM/);
  assertEquals(await fresh.call("ACL", "SAVE"), "OK");
  assertEquals(
    await fresh.call("ACL", "DELUSER", "default"),
    new ReplyError("ERR The 'default' user cannot be removed"),
  );

  const rules = await admin.call("ACL", "LIST");
  assertEquals(await proxy.stop(), 0);
  await proxy.restart();
  using again = await proxy.client();
  await again.call("AUTH", "of-config");
  assertEquals(await again.call("ACL", "LIST"), rules, "users outlive the process");
  assertEquals(await again.call("ACL", "SETUSER", "me", "on", "nopass", "+@all", "~*"), "OK");
  await again.call("AUTH", "me", "x");
  assertEquals(await again.call("ACL", "DELUSER", "alice", "me", "nobody"), 2, "its own user, too");
  assertEquals(await again.readToEnd(), new Uint8Array());
  assertMatch(await done(acl("list")), /^name.*\ndefault [^\n]*\n?$/m);
});

Deno.test("a change is refused, and nothing is stored, while a proxy is there that knows no users", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  await using dashboard = await DashboardServer.start(store);
  await using _codis = await CodisProxy.start(store, "go");
  const { status, text } = await dashboard.ask("PUT", "/api/redis_users/a", { rules: ["on"] });
  assertEquals([status, await loadRedisUsers(store)], [500, []]);
  assertMatch(text, /proxy go at here:9000 is a proxy of Codis, or too old/);
});

Deno.test("the store refuses what it could not hold, and keeps what it has", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  await using dashboard = await DashboardServer.start(store);
  const put = async (path: string, body: unknown) =>
    (await dashboard.ask("PUT", `/api/redis_users/${path}`, body)).status;
  assertEquals(await put("a%2Fb", { rules: ["on", "~\u00e4/*"] }), 200);
  const kept = await loadRedisUsers(store);
  assertEquals(kept.map(({ name }) => name), ["a/b"]);
  const long = Array.from({ length: 60 }, (_, i) => `~${i}${"x".repeat(1_000)}`);
  for (let i = 0; i < 4; i++) assertEquals(await put(`long${i}`, { rules: long }), 200);
  assertEquals(await put("one_more", { rules: long }), 500);
  assertEquals(await put("a", { rules: "on" }), 400);
  assertEquals(await put("a%20b", { rules: ["on"] }), 500);
  assertEquals(await put("a%2Fb/limits", { connections: -1 }), 400);
  assertEquals(await put("nobody/limits", { connections: 1 }), 500);
  assertEquals(await put("a%2Fb/read_from", { read_from: "slave" }), 400);
  assertEquals(await put("nobody/read_from", { read_from: "replica" }), 500);
  assertEquals((await loadRedisUsers(store)).length, 5);
  const { text } = await dashboard.ask("GET", "/api/redis_users");
  assertEquals(JSON.parse(text).users[0].name, "a/b");
});
