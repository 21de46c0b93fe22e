/**
 * What only etcd asks of its clients: users, certificates, and not to rely on its memory.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { Secret } from "../../../src/base/secret.ts";
import { parseConfig } from "../../../src/config/load.ts";
import type { Coordinator } from "../../../src/coordinator/coordinator.ts";
import { CoordinatorError } from "../../../src/coordinator/errors.ts";
import { EtcdCoordinator } from "../../../src/coordinator/etcd/etcd.ts";
import { openCoordinator } from "../../../src/coordinator/open.ts";
import { callCli } from "../../support/cli_call.ts";
import { firstOf, until } from "../../support/deadline.ts";
import { EtcdServer } from "../../support/etcd_server.ts";
import { freePort } from "../../support/free_port.ts";
import { startEtcd, WATCHER_SESSION_MS } from "../../support/remote_coordinator.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";
import { tlsFile } from "../../support/tls.ts";

/** The keys that every etcd needs. */
function etcdLines(zk: string): string {
  const keys = { coordinator: "etcd", proxy_id: "proxy_1", dashboard_addr: "localhost:18087" };
  const all = { ...keys, zk_session_timeout: `${WATCHER_SESSION_MS}`, zk };
  return Object.entries(all).map(([key, value]) => `${key} = ${value}`).join("\n");
}

/** Opens what a config.ini says, beside those. */
function openConfig(zk: string, keys: Record<string, string>): Promise<Coordinator> {
  const own = Object.entries(keys).map(([key, value]) => `${key} = ${value}`);
  const text = [etcdLines(zk), ...own].join("\n");
  return openCoordinator(parseConfig(text, "config.ini").config);
}

async function post(server: EtcdServer, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
}

Deno.test("etcd with users is opened with the right password, and again when it forgot us", async () => {
  await using server = await EtcdServer.start();
  const early = openConfig(server.addr, { coordinator_auth: "root:pass:word" });
  await assertRejects(() => early, CoordinatorError, "authentication is not enabled");
  await post(server, "/v3/auth/user/add", { name: "root", password: "pass:word" });
  await post(server, "/v3/auth/user/grant", { user: "root", role: "root" });
  await post(server, "/v3/auth/enable", {});
  const coordinator = await openConfig(server.addr, { coordinator_auth: "root:pass:word" });
  try {
    await coordinator.create("/own", "mine", "ephemeral");
    const watch = coordinator.watchData("/data");
    await watch.next();
    // It keeps tokens in memory only.
    await server.kill();
    await server.restart();
    await until(() => coordinator.create("/data", "1").then(() => true, () => false));
    await firstOf(watch, (entry) => entry?.data === "1");
  } finally {
    await coordinator.close();
  }
  const wrong = openConfig(server.addr, { coordinator_auth: "root:wrong" });
  await assertRejects(() => wrong, CoordinatorError, "authentication failed");
  // A lease is anybody's, entries are not.
  const nobody = await openConfig(server.addr, {});
  await assertRejects(() => nobody.read("/data"), CoordinatorError, "user name is empty");
  await nobody.close();
});

/** An etcd that wants a client's certificate. */
function startOverTls(): Promise<EtcdServer> {
  return EtcdServer.start({
    scheme: "https",
    args: [
      ...[`--cert-file=${tlsFile("server")}`, `--key-file=${tlsFile("server-key")}`],
      ...[`--trusted-ca-file=${tlsFile("ca")}`, "--client-cert-auth"],
    ],
  });
}

Deno.test("etcd behind TLS is opened with its authority and our certificate", async () => {
  await using server = await startOverTls();
  const coordinator = await openConfig(server.url, {
    coordinator_ca: tlsFile("ca"),
    coordinator_cert: tlsFile("client"),
    coordinator_key: tlsFile("client-key"),
  });
  const watch = coordinator.watchData("/data");
  await coordinator.create("/data", "1");
  await firstOf(watch, (entry) => entry?.data === "1");
  await coordinator.close();
  const untrusting = EtcdCoordinator.open({
    endpoints: [server.url],
    tls: {},
    auth: new Secret(""),
    sessionTimeoutMs: 500,
    callTimeoutMs: 500,
  });
  await assertRejects(() => untrusting, CoordinatorError, "certificate");
});

/** Runs a command with a config, and says how long it took to fail, in milliseconds, and why. */
async function failing(folder: string, words: string[], keys: Record<string, string>) {
  const file = `${folder}/config.ini`;
  const own = Object.entries(keys).map(([key, value]) => `${key} = ${value}\n`).join("");
  await Deno.writeTextFile(file, `proxy_id = a\ndashboard_addr = localhost:18087\n${own}`);
  const began = performance.now();
  const { code, stdout, stderr } = await callCli(...words, "-c", file);
  assertEquals(code, 1, `${words}: ${stdout}${stderr}`);
  return { tookMs: performance.now() - began, said: `${stdout}${stderr}` };
}

const READERS = [["check"], ["config", "check"], ["config", "dump"]];

Deno.test("a certificate that is refused, by etcd or by us, is told at once: waiting mends nothing", async () => {
  await using server = await startOverTls();
  const folder = await Deno.makeTempDir();
  try {
    const [coordinator, zk] = ["etcd", server.url];
    const refused = {
      "ours is missing": { coordinator_ca: tlsFile("ca") },
      "ours is another authority's": {
        coordinator_ca: tlsFile("ca"),
        coordinator_cert: tlsFile("other-client"),
        coordinator_key: tlsFile("other-client-key"),
      },
      "etcd's is another authority's": {},
    };
    for (const [why, keys] of Object.entries(refused)) {
      for (const words of READERS) {
        const { tookMs, said } = await failing(folder, words, { coordinator, zk, ...keys });
        assertMatch(said, /cannot open etcd .*(certificate|fatal alert)/i, `${why}: ${words}`);
        assert(tookMs < 4_000, `${why}: ${words}: ${tookMs} ms: ${said}`);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("commands wait 5 s for a coordinator that is away, whatever the session timeout", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const [coordinator, name] of [["etcd", "etcd"], ["zookeeper", "ZooKeeper"]] as const) {
      const keys = { coordinator, zk: `127.0.0.1:${freePort()}`, zk_session_timeout: "30000" };
      const { tookMs, said } = await failing(folder, ["config", "check"], keys);
      assertStringIncludes(said, `cannot open ${name}`);
      assert(tookMs < 10_000, `${tookMs} ms: ${said}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what cannot be used to open etcd is said before it is tried, with the line that says it", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/config.ini`;
  const [ca, cert, key] = [tlsFile("ca"), tlsFile("client"), tlsFile("client-key")];
  const cases = [
    ["coordinator_auth = nobody", "coordinator_auth must be user:password"],
    [`coordinator_cert = ${cert}`, "must be set together"],
    ["coordinator_ca = /nowhere", 'coordinator_ca = "/nowhere": no such file'],
    [`coordinator_ca = ${import.meta.filename}`, "is not a PEM file"],
    [`coordinator_ca = ${key}`, "has no certificate"],
    [`coordinator_key = ${ca}\ncoordinator_cert = ${cert}`, "is not a private key"],
    [
      `coordinator_key = ${tlsFile("other-client-key")}\ncoordinator_cert = ${cert}`,
      "does not belong to the certificate",
    ],
  ] as const;
  const commands = [
    ["check"],
    ["proxy", "--addr=127.0.0.1:0", "--http-addr=127.0.0.1:0"],
    ["dashboard", "--addr=127.0.0.1:0"],
    ["config", "check"],
  ];
  try {
    for (const [lines, message] of cases) {
      await Deno.writeTextFile(file, `${lines}\n${etcdLines("127.0.0.1:2")}\n`);
      for (const words of commands) {
        const { code, stdout, stderr } = await callCli(...words, "-c", file);
        assertEquals(code, 1, words[0]);
        const said = `${stdout}${stderr}`.split("\n").filter((line) => line.includes(message));
        assertEquals(said.length, 1, `${words}: ${message}: ${stdout}${stderr}`);
        assertStringIncludes(said[0]!, `${file}:1: coordinator_`);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a watch goes on although etcd has forgotten what happened meanwhile", async () => {
  const remote = await startEtcd();
  await using server = remote.server as EtcdServer;
  await using relay = TcpRelay.start(server.port);
  const other = await remote.open({ sessionTimeoutMs: WATCHER_SESSION_MS });
  const session = await remote.open({ ports: [relay.port], sessionTimeoutMs: 30_000 });
  try {
    const data = session.watchData("/data");
    const names = session.watchChildren("/names");
    await other.create("/names/0", "");
    await firstOf(names, ({ length }) => length === 1);
    relay.stall();
    let revision = await other.create("/data", "0").then(() => 0);
    for (let i = 1; i <= 20; i++) {
      await other.create(`/names/${i}`, "");
      revision = await other.write("/data", `${i}`);
    }
    await other.deleteTree("/names/7");
    await post(server, "/v3/kv/compaction", { revision: `${revision}`, physical: true });
    relay.cut();
    relay.resume();
    await firstOf(data, (entry) => entry?.data === "20");
    await firstOf(names, (all) => all.length === 20 && !all.includes("7"));
  } finally {
    await Promise.all([session.close(), other.close()]);
  }
});
