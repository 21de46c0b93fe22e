/**
 * `config server harden`: a user who can do what proxies do for clients, and no harm by a script.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../src/command/command_table.ts";
import { callCli } from "../support/cli_call.ts";
import { json, OK, RecordingDashboard } from "../support/recording_dashboard.ts";
import { RedisServer } from "../support/redis_server.ts";
import { ReplyError } from "../support/resp_value.ts";
import { RouterServer, slotOf } from "../support/router_server.ts";

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
    "PUT /api/server_group/3/addServer": OK,
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

  await t.step("a server that does not know it is not added", async () => {
    const { code, stderr } = await callCli(...words, "add", "3", source.addr, "master");
    assertEquals(code, 1);
    assertStringIncludes(stderr, `config server harden ${source.addr} --apply`);
    assertEquals(dashboard.requests, []);
  });

  await t.step("it is printed, then made, then in place", async () => {
    assertEquals(await states(), ["not there", "not there"]);
    const printed = await callCli(...words, "harden", "--output=table");
    assertStringIncludes(printed.stdout, `ACL SETUSER ${USER} reset on #`);
    assert(!printed.stdout.includes("hunter2"), printed.stdout);
    assertEquals(await states(source.addr, "--apply"), ["set"]);
    assertEquals(await states(), ["in place", "not there"]);
    assertEquals(await states("--apply"), ["set", "set"]);
    assertEquals((await callCli(...words, "add", "3", source.addr, "master")).code, 0);
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
    for (const harm of ["'flushall'", "'swapdb',0,1", "'migrate','h','1','key',0,1"]) {
      const script = `return redis.call(${harm})`;
      const reply = await client.call("EVAL", script, 1, "key");
      assert(reply instanceof ReplyError, `${harm}: ${reply}`);
      assertStringIncludes(reply.message, "can't run this command");
    }
    assertEquals(await client.call("EVAL", "return redis.call('get', KEYS[1])", 1, "key"), "value");
  });
});
