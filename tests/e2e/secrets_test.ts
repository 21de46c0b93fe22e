/**
 * No secret is shown: everything is started with secrets that can be found again, used rightly and
 * wrongly, and then everything that was printed, logged, answered and stored is searched for them.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { callCli } from "../support/cli_call.ts";
import { until, within } from "../support/deadline.ts";
import { EtcdServer } from "../support/etcd_server.ts";
import { freePort } from "../support/free_port.ts";
import { configText, ProxyProcess, startProgram } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { RespClient } from "../support/resp_client.ts";
import { ZookeeperServer } from "../support/zookeeper_server.ts";

/** In every secret; nothing else has it. */
const MARK = "zqXmark";
const secret = (name: string) => `${MARK}-${name}`;

/** Everything that was shown to anybody. */
class Shown {
  readonly #texts: (readonly [where: string, text: string])[] = [];

  add(where: string, text: string): void {
    this.#texts.push([where, text]);
  }

  json(where: string, value: unknown): void {
    this.add(where, JSON.stringify(value));
  }

  /** Fails where a secret is found, with what stands around it. */
  check(): void {
    const found = this.#texts.flatMap(([where, text]) => {
      const at = text.indexOf(MARK);
      return at < 0 ? [] : [`${where}: …${text.slice(Math.max(0, at - 80), at + 40)}…`];
    });
    assertEquals(found, []);
  }
}

/** Runs a command until it ends, or until it has printed what is waited for; adds what it printed. */
async function run(
  shown: Shown,
  words: readonly string[],
  awaited: RegExp,
): Promise<void> {
  const child = startProgram(words);
  const text = () => `${child.stdout}${child.stderr}`;
  await until(() => child.hasEnded || awaited.test(text())).catch((error) => {
    throw new Error(`${words.join(" ")}\n${text()}`, { cause: error });
  });
  await child.end("SIGTERM");
  shown.add(words.join(" "), text());
  assertMatch(text(), awaited);
}

/** Calls a command in this process, to its end; returns what it printed. */
async function call(shown: Shown, words: readonly string[]): Promise<string> {
  const { stdout, stderr } = await callCli(...words);
  shown.add(words.join(" "), stdout + stderr);
  return stdout + stderr;
}

const READS = [
  ...["/", "/healthz", "/slots", "/stats", "/metrics", "/debug/vars", "/admin", "/api/cluster"],
  ...["/api/overview", "/api/slots", "/api/server_groups", "/api/server_group/1"],
  ...["/api/proxy/list", "/api/proxy/debug/vars", "/api/migrate/status", "/api/migrate/tasks"],
  ...["/api/audit", "/api/users", "/api/tokens", "/api/commands/allowed", "/api/slot_rules"],
  ...["/api/check", "/api/login"],
];

/** What a client may ask for, rightly and wrongly. */
async function useAsClient(shown: Shown, proxy: ProxyProcess): Promise<void> {
  using monitor = await proxy.client();
  assertEquals(await monitor.call("AUTH", secret("client")), "OK");
  assertEquals(await monitor.call("MONITOR"), "OK");
  using slow = await proxy.client();
  assertEquals(await slow.call("AUTH", secret("client")), "OK");
  assertEquals(await slow.call("MONITOR", "SLOW", "0"), "OK");
  using client = await proxy.client();
  const wrong: string[][] = [
    ["AUTH", secret("typed")],
    ["AUTH", "default", secret("typed")],
    ["AUTH", secret("typed"), secret("typed")],
    ["HELLO", "3", "AUTH", "default", secret("typed")],
    ["GET", "k"],
  ];
  for (const words of wrong) shown.json(words[0]!, await client.call(...words));
  assertEquals(await client.call("AUTH", "alice", secret("alice")), "OK");
  await client.call("HELLO", "3", "AUTH", "default", secret("client"), "SETNAME", "me");
  const asked: string[][] = [
    ...[["INFO", "everything"], ["CONFIG", "GET", "*"], ["CLIENT", "LIST"], ["CLIENT", "INFO"]],
    ...[["ACL", "LIST"], ["ACL", "LOG"], ["ACL", "GETUSER", "alice"], ["ACL", "USERS"]],
    ...[["CONFIG", "GET", "requirepass"], ["CONFIG", "GET", "masterauth"]],
    ["ACL", "SETUSER", "bob", "on", `>${secret("bob")}`, "+@all"],
    ["CONFIG", "SET", "requirepass", secret("set")],
    ["CONFIG", "SET", "masterauth", secret("set")],
    ["MIGRATE", "127.0.0.1", "1", "k", "0", "100", "AUTH", secret("migrate")],
    ["MIGRATE", "127.0.0.1", "1", "", "0", "100", "AUTH2", "u", secret("migrate"), "KEYS", "k"],
    ["AUTH", "bob", secret("bob")],
    ["AUTH", "nobody", secret("typed")],
    ...[["SLOWLOG", "GET", "100"], ["COMMAND", "COUNT"], ["MEMORY", "DOCTOR"], ["ROLE"]],
    ...[["ACL", "LIST"], ["ACL", "LOG"], ["CLIENT", "LIST"], ["INFO"], ["CONFIG", "GET", "*"]],
  ];
  for (const words of asked) shown.json(words.slice(0, 2).join(" "), await client.call(...words));
  using other = await proxy.client();
  await other.call("AUTH", secret("client-old"));
  assertEquals(await other.call("SET", "last", "one"), "OK");
  for (const watching of [monitor, slow]) {
    const lines: string[] = [];
    while (!lines.at(-1)?.includes("last")) {
      lines.push(JSON.stringify((await within(watching.read())).value));
    }
    assert(lines.length > 3, lines.join("\n"));
    shown.json("MONITOR", lines);
  }
}

async function useHttp(shown: Shown, proxy: ProxyProcess): Promise<void> {
  for (const token of ["token", "typed"]) {
    const headers = { authorization: `Bearer ${secret(token)}` };
    const isRight = token === "token";
    // Wrong ones are answered later and later.
    for (const path of isRight ? READS : ["/api/cluster"]) {
      const response = await fetch(proxy.url(path), { headers });
      shown.add(`GET ${path}`, `${await response.text()}${JSON.stringify([...response.headers])}`);
    }
    const changes: [string, string, unknown][] = [
      ["PUT", "/api/server_group/3/addServer", { type: "master", addr: "127.0.0.1:1" }],
      ["POST", "/api/login/user", { name: "nobody", password: secret("typed") }],
      ["POST", "/api/login", { token: secret("typed") }],
      ["PUT", "/api/users/carol", { password: secret("carol"), role: "admin" }],
      ["POST", "/api/slot", secret("body")],
      ["PUT", "/api/users/carol", { passwort: secret("carol") }],
      ["PUT", "/api/users/carol", { password: [secret("carol")] }],
      ["PUT", "/api/users/carol", { a: [{ pwd: secret("carol") }] }],
      ["POST", "/api/tokens", { name: "t", token: secret("carol") }],
      ["POST", "/api/migrate", { from: 0, to: 3, new_group: 2 }],
      ["POST", "/api/users", { name: "carol", password: secret("carol"), x: 4 }],
    ];
    for (const [method, path, body] of isRight ? changes : changes.slice(0, 1)) {
      const response = await fetch(proxy.url(path), {
        method,
        headers,
        // The last one lacks its end.
        body: JSON.stringify(body).replace(/4\}$/, ""),
      });
      shown.add(`${method} ${path}`, await response.text());
    }
  }
}

Deno.test("no secret of a proxy, its servers, its dashboard and its clients is shown", async () => {
  const shown = new Shown();
  const args = ["--requirepass", secret("servers"), "--masterauth", secret("servers")];
  await using servers = await RedisServer.startMany(2, { args });
  const files = await Deno.makeTempDir();
  await Deno.writeTextFile(`${files}/password`, `${secret("client")}\n${secret("client-old")}\n`);
  const env = { CODIS_PROXY_BACKEND_PASSWORD: secret("servers") };
  await using proxy = await ProxyProcess.start({
    servers,
    cpu: 2,
    env,
    args: ["--log-level=debug"],
    config: {
      password_file: `${files}/password`,
      dashboard_token: secret("token"),
      "user.alice": `on >${secret("alice")} ~* &* +@all`,
      ...{ access_log: "stdout", request_sample: 1 },
    },
  });
  await useAsClient(shown, proxy);
  await useHttp(shown, proxy);
  // A server that has another password now: clients, the page and moves are told so.
  const [, second] = servers;
  using admin = await RespClient.connect(second!.port);
  await admin.call("AUTH", secret("servers"));
  await admin.call("CONFIG", "SET", "requirepass", secret("other"));
  await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  using client = await proxy.client();
  await client.call("AUTH", secret("client"));
  await until(async () => {
    const requests = Array.from({ length: 20 }, (_, i) => ["GET", `k${i}`]);
    const replies = (await client.pipeline(requests)).map(({ value }) => value);
    shown.json("GET", replies);
    return JSON.stringify(replies).includes("WRONGPASS");
  });
  await useHttp(shown, proxy);
  // A file that is wrong now.
  await Deno.writeTextFile(`${files}/password`, `${secret("client")}\n\n${secret("client")}`);
  proxy.child.signal("SIGHUP");
  await until(() => proxy.stderr.includes("SIGHUP: nothing was changed"));
  await Deno.writeTextFile(`${files}/password`, secret("client"));

  const file = `${proxy.folder}/config.ini`;
  const wrongFile = `${files}/wrong.ini`;
  const text = await Deno.readTextFile(file);
  await Deno.writeTextFile(wrongFile, text.replaceAll(secret("token"), secret("typed")));
  Deno.env.set("CODIS_PROXY_BACKEND_PASSWORD", secret("servers"));
  try {
    for (
      const words of [
        ...["status", "check", "server list", "slot list", "proxy list", "server harden"],
        `server add 3 ${second!.addr} master`,
      ]
    ) await call(shown, ["config", "-c", file, ...words.split(" ")]);
    await call(shown, ["config", "-c", wrongFile, "slot", "init"]);
    Deno.env.set("CODIS_PROXY_PASSWORD", secret("client"));
    assertMatch(await call(shown, ["proxy", "-c", file]), /are both set: keep one of them/);
  } finally {
    Deno.env.delete("CODIS_PROXY_BACKEND_PASSWORD");
    Deno.env.delete("CODIS_PROXY_PASSWORD");
  }
  // Deno wants every permission to read /proc itself; cat needs but one.
  const list = await new Deno.Command("cat", { args: [`/proc/${proxy.pid}/cmdline`] }).output();
  assert(list.success && list.stdout.length > 0);
  shown.add("the list of processes", new TextDecoder().decode(list.stdout));
  for await (const path of filesBelow(`${proxy.folder}/data`)) {
    shown.add(path, new TextDecoder().decode(await Deno.readFile(path)));
  }
  await proxy.stop();
  assertMatch(proxy.stdout, /"command":"auth"/, "the access log");
  shown.add("standard output", proxy.stdout);
  shown.add("the log", proxy.stderr);
  assertMatch(proxy.stderr, /gave a wrong password|wrong passwords from/);
  await Deno.remove(files, { recursive: true });
  shown.check();
});

Deno.test("no secret for a coordinator is shown, whatever is wrong with it", async () => {
  const shown = new Shown();
  const folder = await Deno.makeTempDir();
  await using etcd = await EtcdServer.start();
  await using zookeeper = await ZookeeperServer.start();
  for (
    const [path, body] of [
      ["user/add", { name: "root", password: secret("etcd") }],
      ["user/grant", { user: "root", role: "root" }],
      ["enable", {}],
    ] as const
  ) {
    const response = await fetch(`${etcd.url}/v3/auth/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    assertEquals(response.ok, true, await response.text());
  }
  const start = async (coordinator: string, zk: string, auth: string, awaited: RegExp) => {
    const port = freePort();
    const file = `${folder}/${port}.ini`;
    await Deno.writeTextFile(
      file,
      configText({
        ...{ coordinator, zk, coordinator_auth: auth, proxy_id: `p${port}`, protected_mode: "yes" },
        ...{ dashboard_addr: `127.0.0.1:${port}`, password: secret("client") },
        ...{ dashboard_token: secret("token"), zk_session_timeout: 2000 },
      }),
    );
    const proxy = ["proxy", "-c", file, "--cpu=1", "--log-level=debug"];
    await run(shown, [...proxy, "--addr=127.0.0.1:0", "--http-addr=127.0.0.1:0"], awaited);
    if (coordinator === "etcd") return;
    await run(shown, ["dashboard", "-c", file, `--addr=127.0.0.1:${port}`], awaited);
  };
  // The tree is of a user that has another password.
  const owner = `${folder}/owner.ini`;
  await Deno.writeTextFile(
    owner,
    configText({
      ...{ coordinator: "zookeeper", zk: zookeeper.addr, coordinator_auth: `a:${secret("own")}` },
      ...{ dashboard_addr: `127.0.0.1:${freePort()}` },
    }),
  );
  const dashboard = startProgram(["dashboard", "-c", owner, `--addr=127.0.0.1:${freePort()}`]);
  await until(() => dashboard.stderr.includes("this dashboard leads"));
  await dashboard.end("SIGTERM");
  shown.add("the owner's dashboard", dashboard.stderr);
  await Promise.all([
    start("etcd", "127.0.0.1:1", `root:${secret("none")}`, /refused|reached/),
    start("etcd", etcd.addr, `root:${secret("wrong")}`, /authentication failed/),
    start("zookeeper", zookeeper.addr, `a:${secret("wrong")}`, /ZooKeeper: no auth/),
    start("etcd", etcd.addr, secret("no-user"), /coordinator_auth must be user:password/),
  ]);
  await Deno.remove(folder, { recursive: true });
  shown.check();
});

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    if (isDirectory) yield* filesBelow(`${folder}/${name}`);
    if (isFile) yield `${folder}/${name}`;
  }
}
