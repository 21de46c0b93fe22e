/**
 * What only etcd asks of its clients: users, certificates, and not to rely on its memory.
 *
 * @module
 */

import { assertRejects } from "@std/assert";
import { Secret } from "../../../src/base/secret.ts";
import { parseConfig } from "../../../src/config/load.ts";
import { ConfigError } from "../../../src/config/error.ts";
import type { Coordinator } from "../../../src/coordinator/coordinator.ts";
import { CoordinatorError } from "../../../src/coordinator/errors.ts";
import { EtcdCoordinator } from "../../../src/coordinator/etcd/etcd.ts";
import { openCoordinator } from "../../../src/coordinator/open.ts";
import { firstOf, until } from "../../support/deadline.ts";
import { EtcdServer } from "../../support/etcd_server.ts";
import { startEtcd } from "../../support/remote_coordinator.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";

const TLS = new URL("../../fixtures/tls/", import.meta.url).pathname;

/** Opens what a config.ini says, beside the keys that every etcd needs. */
function openConfig(zk: string, keys: Record<string, string>): Promise<Coordinator> {
  const needed = { coordinator: "etcd", proxy_id: "proxy_1", dashboard_addr: "localhost:18087" };
  const all = { ...needed, zk_session_timeout: "2000", zk, ...keys };
  const text = Object.entries(all).map(([key, value]) => `${key} = ${value}`).join("\n");
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

Deno.test("etcd behind TLS is opened with its authority and our certificate", async () => {
  await using server = await EtcdServer.start({
    scheme: "https",
    args: [
      ...[`--cert-file=${TLS}server.pem`, `--key-file=${TLS}server-key.pem`],
      ...[`--trusted-ca-file=${TLS}ca.pem`, "--client-cert-auth"],
    ],
  });
  const coordinator = await openConfig(server.url, {
    coordinator_ca: `${TLS}ca.pem`,
    coordinator_cert: `${TLS}client.pem`,
    coordinator_key: `${TLS}client-key.pem`,
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

Deno.test("what cannot be used to open etcd is said before it is tried", async () => {
  const cases: [Record<string, string>, string][] = [
    [{ coordinator_auth: "nobody" }, "coordinator_auth must be user:password"],
    [{ coordinator_cert: `${TLS}client.pem` }, "must be set together"],
    [{ coordinator_ca: `${TLS}none.pem` }, "cannot be read"],
    [{ coordinator_ca: import.meta.filename! }, "is not a PEM file"],
  ];
  for (const [keys, message] of cases) {
    const opened = async () => await openConfig("127.0.0.1:2", keys);
    await assertRejects(opened, ConfigError, message);
  }
});

Deno.test("a watch goes on although etcd has forgotten what happened meanwhile", async () => {
  const remote = await startEtcd();
  await using server = remote.server as EtcdServer;
  await using relay = TcpRelay.start(server.port);
  const other = await remote.open();
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
