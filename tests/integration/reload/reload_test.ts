/**
 * The configuration of a proxy with two workers changes while clients use it, by SIGHUP, `reload`, CONFIG SET and
 * HTTP; a mistake changes nothing.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { tlsFile } from "../../support/tls.ts";

interface KeyView {
  readonly key: string;
  readonly value: string;
  readonly source: string;
  readonly from: string;
  readonly waits?: { readonly value: string };
}

const textOf = (reply: unknown) => JSON.stringify(reply);

/** Writes lines behind those that the proxy was started with. */
class EditedProxy {
  readonly proxy: ProxyProcess;
  readonly #first: string;

  constructor(proxy: ProxyProcess) {
    this.proxy = proxy;
    this.#first = Deno.readTextFileSync(this.file);
  }

  get file(): string {
    return `${this.proxy.folder}/config.ini`;
  }

  write(...lines: string[]): void {
    Deno.writeTextFileSync(this.file, `${this.#first}${lines.join("\n")}\n`);
  }

  /** Runs a command of the program; returns its exit code and what it printed. */
  async run(...words: string[]): Promise<[code: number, text: string]> {
    const { httpPort } = this.proxy;
    const child = startProgram([...words, "-c", this.file, `--http-addr=127.0.0.1:${httpPort}`]);
    const { code } = await child.ended;
    return [code, child.stdout + child.stderr];
  }

  async post(query = ""): Promise<[status: number, answer: Record<string, unknown>]> {
    const response = await fetch(this.proxy.url(`/api/reload${query}`), { method: "POST" });
    return [response.status, await response.json()];
  }

  async keys(): Promise<Map<string, KeyView>> {
    const { keys } = await (await fetch(this.proxy.url("/api/config"))).json();
    return new Map(keys.map((view: KeyView) => [view.key, view]));
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(this.proxy.url("/metrics"))).text();
    return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]);
  }
}

Deno.test("a proxy takes another configuration, all of it or nothing, and loses no client", async (test) => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({
    servers,
    cpu: 2,
    config: { server_commands: "on", "user.app": "on >one ~* +@all" },
  });
  const edited = new EditedProxy(proxy);
  // Some of them are at each worker.
  const clients = await Promise.all(Array.from({ length: 8 }, () => proxy.client()));
  const [first] = clients as [RespClient];
  const eachSees = async (key: string) =>
    new Set(
      await Promise.all(
        clients.map(async (client) => (await client.call("CONFIG", "GET", key) as string[])[1]),
      ),
    );

  await test.step("SIGHUP: every worker has it, and the log says what has changed", async () => {
    edited.write("read_from = prefer_master", "slowlog_slower_than = 77", "proto = tcp4");
    proxy.child.signal("SIGHUP");
    await until(() => proxy.stderr.includes("SIGHUP: "));
    assertEquals(await eachSees("read_from"), new Set(["prefer_master"]));
    assertEquals(await eachSees("slowlog-log-slower-than"), new Set(["77"]));
    assertEquals(await eachSees("proto"), new Set(["tcp"]));
    assertMatch(
      proxy.stderr,
      /read again: read_from master → prefer_master \(.*config\.ini:\d+\), slowlog/,
    );
    assertMatch(proxy.stderr, /waits for a restart: proto tcp → tcp4/);
    assertEquals((await edited.keys()).get("proto")!.waits!.value, "tcp4");
  });

  const refused = async (why: RegExp) => {
    const [status, answer] = await edited.post();
    assertEquals(status, 400);
    assertMatch(JSON.stringify(answer), why);
  };

  await test.step("a mistake: nothing has changed, and everybody is told why", async () => {
    edited.write("read_from = master", "max_clients = lots");
    const [code, text] = await edited.run("reload");
    assertEquals(code, 1);
    assertMatch(text, /config\.ini:\d+: max_clients = "lots": must be a whole number/);
    assertEquals(await eachSees("read_from"), new Set(["prefer_master"]));
    assertEquals(await edited.metric("codis_config_last_reload_successful"), 0);
    assertEquals((await edited.run("check"))[0], 1);
    // A file that cannot be used is a mistake, too, also one that only a restart would use.
    edited.write("read_from = master", "webhook_url = http://127.0.0.1:1/", "aclfile = /nowhere");
    assertEquals((await edited.post())[0], 400);
    edited.write("read_from = master", "webhook_url = https://[::1]:1/", "webhook_ca = /nowhere");
    await refused(/config\.ini:\d+: webhook_ca = .*: no such file/);
    edited.write("backend_tls = on", "backend_tls_ca = /nowhere");
    await refused(/config\.ini:\d+: backend_tls_ca = .*: no such file/);
    edited.write("tls_addr = 127.0.0.1:1", "tls_cert = /nowhere", "tls_key = /nowhere");
    await refused(/config\.ini:\d+: tls_cert = .*: no such file/);
    edited.write("access_log = /nowhere/access.log");
    await refused(/config\.ini:\d+: access_log = .*: no folder/);
    const entry = ["jodis_addr = https://127.0.0.1:1", "jodis_name = etcd"];
    edited.write(...entry, "coordinator_ca = /nowhere");
    await refused(/config\.ini:\d+: coordinator_ca = .*: no such file/);
    edited.write(...entry, `coordinator_cert = ${tlsFile("client")}`, "coordinator_key = /nowhere");
    await refused(/config\.ini:\d+: coordinator_key = .*: no such file/);
    assertEquals(await eachSees("read_from"), new Set(["prefer_master"]));
  });

  await test.step("reload and check say what would change, and what did", async () => {
    edited.write("max_clients = 500", "dashboard_token = secret-token");
    const [, would] = await edited.run("check");
    assertMatch(would, /a reload would change: max_clients 1000 → 500/);
    assertMatch(would, /needs a restart: dashboard_token not set → \*\*\*/);
    assertMatch(would, /ok: no error was found/);
    edited.write("max_clients = 500");
    assertMatch(
      (await edited.run("reload", "--dry-run"))[1],
      /would change: max_clients 1000 → 500/,
    );
    assertEquals(await eachSees("max_clients"), new Set(["1000"]));
    const [code, did] = await edited.run("reload");
    assertEquals(code, 0);
    assertMatch(did, /^changed: read_from prefer_master → master \(default\)/m);
    assertEquals(await eachSees("max_clients"), new Set(["500"]));
    assertEquals(await edited.metric("codis_config_last_reload_successful"), 1);
    const audit = await (await fetch(proxy.url("/api/audit"))).text();
    assertMatch(audit, /POST \/api\/reload/);
    assertMatch(audit, /SIGHUP/);
  });

  await test.step("CONFIG SET and REWRITE", async () => {
    edited.write("# mine", "max_clients = 500");
    assertEquals(
      await first.call("CONFIG", "SET", "max_clients", "400", "undeclared_keys", "allow"),
      "OK",
    );
    assertEquals(await eachSees("max_clients"), new Set(["400"]));
    assertEquals((await edited.keys()).get("max_clients")!.source, "set");
    assertMatch(
      textOf(await first.call("CONFIG", "SET", "read_from", "replica", "max_clients", "-1")),
      /ERR CONFIG SET failed \(possibly related to argument 'max_clients'\) - .*must not be negative/,
    );
    assertEquals(await eachSees("read_from"), new Set(["master"]));
    assertMatch(
      textOf(await first.call("CONFIG", "SET", "proto", "tcp4")),
      /immutable config: proto needs/,
    );
    assertMatch(
      textOf(await first.call("CONFIG", "SET", "max_clients", "1", "maxmemory", "1gb")),
      /send two commands/,
    );
    // The file was changed since it was read.
    assertMatch(
      textOf(await first.call("CONFIG", "REWRITE")),
      /ERR Rewriting config file: .*changed since/,
    );
    assertEquals((await edited.post())[0], 200);
    // The servers have no config files: that is no error.
    assertEquals(await first.call("CONFIG", "REWRITE"), "OK");
    const text = Deno.readTextFileSync(edited.file);
    assertMatch(text, /\n# mine\nmax_clients = 400\nundeclared_keys = allow\n$/);
    assertEquals((await edited.keys()).get("max_clients")!.source, "file");
    // A server that cannot be asked is named, and the proxy's file is written.
    await first.call("CONFIG", "SET", "max_clients", "300");
    await servers[1]!.kill();
    const refusal = textOf(await first.call("CONFIG", "REWRITE"));
    assertMatch(
      refusal,
      /ERR CONFIG REWRITE has written the proxy's file, but not the file of 127/,
    );
    assert(refusal.includes(`${servers[1]!.addr}: ERR `), refusal);
    assert(!refusal.includes(servers[0]!.addr), refusal);
    assertMatch(Deno.readTextFileSync(edited.file), /\nmax_clients = 300\n/);
  });

  await test.step("many at once are made one after the other", async () => {
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, () => edited.post()),
      ...clients.map((client, i) => client.call("CONFIG", "SET", "max_clients", `${600 + i}`)),
    ]);
    assertEquals(answers.slice(5), clients.map(() => "OK"));
    assertEquals((await eachSees("max_clients")).size, 1);
  });

  await test.step("CONFIG SET by the names that Redis has for them", async () => {
    for (const [seconds, clients] of [["1830", "401"], ["1800", "500"]] as const) {
      assertEquals(
        await first.call("CONFIG", "SET", "timeout", seconds, "maxclients", clients),
        "OK",
      );
      assertEquals(await eachSees("session_max_timeout"), new Set([seconds]));
      assertEquals(await eachSees("timeout"), new Set([seconds]));
      assertEquals(await eachSees("max_clients"), new Set([clients]));
    }
  });

  await test.step("a refusal names the key as the client does, by its own name or by Redis's", async () => {
    for (const name of ["timeout", "session_max_timeout", "maxclients", "max_clients"]) {
      assertEquals(
        (await first.call("CONFIG", "SET", name, "-1") as Error).message,
        `ERR CONFIG SET failed (possibly related to argument '${name}') - ` +
          `${name} = "-1": must not be negative`,
      );
    }
    // Both are the same key.
    assertEquals(
      (await first.call("CONFIG", "SET", "timeout", "1", "session_max_timeout", "2") as Error)
        .message,
      "ERR CONFIG SET failed (possibly related to argument 'session_max_timeout') - duplicate parameter",
    );
  });

  for (const client of clients) {
    assertEquals(await client.call("PING"), "PONG");
    client.close();
  }
  assertEquals(await proxy.stop(), 0);
});

Deno.test("a reload with a mistake in the file that has the token says what the mistake is", async () => {
  await using server = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [server],
    config: { dashboard_token: "secret-token" },
  });
  const edited = new EditedProxy(proxy);
  edited.write("sentinel_quorum = 101");
  const [code, text] = await edited.run("reload");
  assertEquals(code, 1);
  assertMatch(text, /config\.ini:\d+: sentinel_quorum = "101": must be a whole number, 0 to 100/);
  edited.write("sentinel_quorum = 3");
  assertEquals((await edited.run("reload"))[0], 0);
});

Deno.test("the log goes where the file says now, and a flag counts more than the file", async () => {
  await using server = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [server],
    cpu: 2,
    config: { server_commands: "on" },
    args: ["--log-level=info"],
  });
  // The last line of a start.
  await until(() => proxy.stderr.includes("this dashboard leads"));
  const edited = new EditedProxy(proxy);
  edited.write(`log_file = ${proxy.folder}/one.log`, "log_format = json", "log_level = error");
  assertEquals((await edited.post())[0], 200);
  // --log-level wins over the file, and the log goes where the file says now.
  const keys = await edited.keys();
  assertEquals([keys.get("log_level")!.value, keys.get("log_level")!.source], ["info", "flag"]);
  // It is written to as soon as it is in force: another module may be first.
  const changed = () =>
    Deno.readTextFileSync(`${proxy.folder}/one.log.0`).split("\n").slice(0, -1)
      .find((line) => line.includes("log_file"));
  await until(() => changed() !== undefined);
  assertEquals(JSON.parse(changed()!).module, "config");
  // What is only tried leaves nothing.
  edited.write(`log_file = ${proxy.folder}/two.log`);
  assertMatch((await edited.run("reload", "--dry-run"))[1], /would change: log_file .*two\.log/);
  edited.write(`log_file = ${proxy.folder}/two.log`, "aclfile = /nowhere");
  assertEquals((await edited.post())[0], 400);
  const logs = [...Deno.readDirSync(proxy.folder)].filter(({ name }) => name.includes(".log"));
  assertEquals(logs.map(({ name }) => name), ["one.log.0"]);
  edited.write("log_file = /nowhere/at/all");
  const [status, { error }] = await edited.post();
  assertEquals(status, 400);
  assertMatch(`${error}`, /log file "\/nowhere\/at\/all" cannot be opened/);
  assert(!proxy.child.hasEnded);
});
