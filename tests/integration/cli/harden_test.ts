/**
 * `config server harden`: a user who can do what proxies do for clients, and no harm by a script.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../../src/command/command_table.ts";
import { Secret } from "../../../src/base/secret.ts";
import { callCli } from "../../support/cli_call.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { json, RecordingDashboard } from "../../support/recording_dashboard.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { RouterServer, slotOf } from "../../support/router_server.ts";
import { StoreFolder } from "../../support/store.ts";

const USER = "codis-clients";

Deno.test("a hardened user serves clients, moves no key itself, and its scripts do no harm", async (t) => {
  await using servers = await RedisServer.startMany(2, { args: ["--requirepass", "root"] });
  const [source, target] = [servers[0]!, servers[1]!];
  await using dashboard = new RecordingDashboard({
    "GET /api/server_groups": json([source, target].map(({ addr }, i) => ({
      id: i + 1,
      product_name: "test",
      servers: [{ type: "master", group_id: i + 1, addr }],
    }))),
  });
  const folder = await Deno.makeTempDir();
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(folder, { recursive: true }));
  const file = `${folder}/config.ini`;
  const common = `dashboard_addr = ${dashboard.addr}\nbackend_password = root\n`;
  const words = ["config", "-c", file, "server"];
  const states = async (...more: string[]) => {
    const { code, stdout, stderr } = await callCli(...words, "harden", ...more, "--output=json");
    assertEquals([code, stderr], [0, ""]);
    return JSON.parse(stdout).servers.map(({ state }: { state: string }) => state);
  };

  await t.step("it must be named in config.ini", async () => {
    await Deno.writeTextFile(file, common);
    const { code, stderr } = await callCli(...words, "harden");
    assertEquals(code, 1);
    assertStringIncludes(stderr, "set backend_client_user and backend_client_password");
    const user = `backend_client_user = ${USER}\nbackend_client_password = hunter2\n`;
    await Deno.writeTextFile(file, `${common}${user}destructive_commands = off\n`);
  });

  await t.step("it is printed, then made, then in place", async () => {
    assertEquals(await states(), ["not there", "not there"]);
    const printed = await callCli(...words, "harden", "--output=table");
    assertStringIncludes(printed.stdout, `ACL SETUSER ${USER} reset on #`);
    assert(!printed.stdout.includes("hunter2"), printed.stdout);
    assertEquals(await states(source.addr, "--apply"), ["set"]);
    assertEquals(await states(), ["in place", "not there"]);
    assertEquals(await states("--apply"), ["set", "set"]);
  });

  using admin = await source.client();
  await admin.call("AUTH", "root");

  await t.step("rights that are others are seen", async () => {
    await admin.call("ACL", "SETUSER", USER, "+flushall");
    assertEquals(await states(), ["other rights", "in place"]);
    assertEquals(await states("--apply"), ["set", "set"]);
  });

  await t.step(
    "every command that the proxy forwards is allowed, no other is that does harm",
    async () => {
      const mayRun = async (name: string, arity: number): Promise<boolean> => {
        const command = name.split("|");
        const rest = Array.from({ length: Math.abs(arity) + 3 }, () => "1");
        const enough = [...command, ...rest.slice(0, Math.abs(arity) - command.length)];
        const answer = await admin.call("ACL", "DRYRUN", USER, ...enough);
        if (typeof answer === "string") return answer === "OK";
        // Of a fixed shape that a row of ones has not: it was let through to be looked at.
        return true;
      };
      for (const { name, arity, origin, isContainer, handling, isDestructive } of COMMANDS) {
        if (
          origin !== "redis" || isContainer || handling === "refuse" || handling === "local"
        ) continue;
        assertEquals(await mayRun(name, arity), !isDestructive, name);
      }
      for (const name of ["migrate", "swapdb", "config|get", "shutdown", "replicaof", "debug"]) {
        const { arity } = COMMANDS.find((command) => command.name === name)!;
        assertEquals(await mayRun(name, arity), false, name);
      }
    },
  );

  await t.step("a proxy serves with it, and moves keys as somebody else", async () => {
    await using proxy = await RouterServer.start({
      options: {
        backendUser: USER,
        backendPassword: "hunter2",
        moverLogin: { user: "", password: "root" },
      },
    });
    await admin.call("SET", "key", "value");
    await proxy.fill(slotOf("key"), target.addr, {
      groupId: 2,
      migrateFromAddr: source.addr,
      migrateFromGroupId: 1,
    });
    using client = await proxy.client();
    assertEquals(await client.call("GET", "key"), "value");
    assertEquals(await admin.call("EXISTS", "key"), 0);
    const users = `${await admin.call("CLIENT", "LIST")}`;
    assert(!users.includes(`user=${USER}`), users);
    using owner = await target.client();
    await owner.call("AUTH", "root");
    assertStringIncludes(`${await owner.call("CLIENT", "LIST")}`, `user=${USER} `);
    // A script that may make up keys would wait until the slot has moved.
    await proxy.fill(slotOf("key"), target.addr, { groupId: 2 });
    for (const harm of ["'flushall'", "'swapdb',0,1", "'migrate','h','1','key',0,1"]) {
      const script = `return redis.call(${harm})`;
      const reply = await client.call("EVAL", script, 1, "key");
      assert(reply instanceof ReplyError, `${harm}: ${reply}`);
      assertStringIncludes(reply.message, "can't run this command");
    }
    assertEquals(await client.call("EVAL", "return redis.call('get', KEYS[1])", 1, "key"), "value");
  });
});

Deno.test("a server that does not know the proxies' user is neither added nor promoted", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const clients = { user: USER, password: new Secret("hunter2") };
  await using servers = await RedisServer.startMany(2);
  const [master, replica] = [servers[0]!, servers[1]!];
  await using dashboard = await DashboardServer.start(store, {
    auth: { user: "", password: new Secret(""), clients },
  });
  const add = (addr: string, type: string, force = false) =>
    dashboard.ask("PUT", "/api/server_group/1/addServer", { addr, type, force });
  const advice = `config server harden ${master.addr} --apply`;
  const { status, json: { error: text } } = await add(master.addr, "master");
  assertEquals(status, 500);
  assertStringIncludes(text, `does not let proxies in as backend_client_user "${USER}"`);
  assertStringIncludes(text, advice);

  using admin = await master.client();
  await admin.call("ACL", "SETUSER", USER, "on", ">hunter2", "~*", "+@all", "-@dangerous");
  assertEquals((await add(master.addr, "master")).status, 200);
  assertEquals((await add(replica.addr, "slave")).status, 500);
  assertEquals((await add(replica.addr, "slave", true)).status, 200);
  const promote = () =>
    dashboard.ask("POST", "/api/server_group/1/promote", { group_id: 1, addr: replica.addr });
  await until(async () => (await promote()).text.includes("does not let proxies in"));
  using second = await replica.client();
  assertEquals(`${await second.call("ROLE")}`.split(",")[0], "slave");
});

Deno.test("a replica that does not let proxies in is told of before its master dies, and is promoted when it does", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const [master, replica] = [servers[0]!, servers[1]!];
  const store = await folder.openFilled(master.addr);
  const clients = { user: USER, password: new Secret("hunter2") };
  await using dashboard = await DashboardServer.start(store, {
    failover: "auto",
    failoverAfterMs: 1_000,
    auth: { user: "", password: new Secret(""), clients },
  });
  const config = {
    ...{ embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
    ...{ backend_client_user: USER, backend_client_password: "hunter2" },
  };
  const letIn = [
    "ACL",
    "SETUSER",
    USER,
    "on",
    ">hunter2",
    "~*",
    "&*",
    "+@all",
    "-@dangerous",
    "+info",
  ];
  using admin = await master.client();
  await admin.call(...letIn);
  await dashboard.done("PUT", "/api/server_group/1/addServer", {
    ...{ addr: replica.addr, type: "slave", force: true },
  });
  await using proxy = await ProxyProcess.start({ config });
  await dashboard.seesLinked(replica.addr, master.addr);
  using client = await proxy.client();
  assertEquals(await client.call("SET", "key", "value"), "OK");

  const refuses = `${replica.addr} does not let proxies in as backend_client_user "${USER}"`;
  const said = async () =>
    (await dashboard.get("/api/cluster")).json.events.map(({ text }: { text: string }) => text);
  const isSaid = (text: string) =>
    until(async () => (await said()).some((each: string) => each.includes(text)), 10_000);
  await isSaid(refuses);
  const { problems } = (await dashboard.get("/api/check")).json;
  const advice = `codis-proxy config server harden ${replica.addr} --apply`;
  assertEquals(
    problems.map(({ severity, fix }: { severity: string; fix: string }) => [severity, fix]),
    [["warning", advice]],
  );
  await master.kill();
  await isSaid("no failover");
  assertStringIncludes(
    (await said()).find((text: string) => text.includes("no failover")),
    refuses,
  );
  using second = await replica.client();
  assertEquals(`${await second.call("ROLE")}`.split(",")[0], "slave");
  await second.call(...letIn);
  await until(async () => await client.call("SET", "key", "other") === "OK", 10_000);
});
