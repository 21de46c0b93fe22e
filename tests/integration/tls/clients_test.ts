/**
 * Redis clients that speak TLS get from the proxy what others get, with several workers, too, and a new
 * certificate disturbs nobody.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { Child } from "../../support/child.ts";
import { until } from "../../support/deadline.ts";
import { freePort } from "../../support/free_port.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { encodeRequests } from "../../support/resp_client.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { tlsClient, tlsFile, tlsText } from "../../support/tls.ts";

/** Config keys of a proxy that speaks TLS at a port of its own. */
function tlsKeys(port: number): Record<string, string | number> {
  return {
    tls_addr: `127.0.0.1:${port}`,
    tls_cert: tlsFile("server"),
    tls_key: tlsFile("server-key"),
  };
}

async function redisCli(port: number, ...words: string[]): Promise<string> {
  const trust = ["--tls", "--cacert", tlsFile("ca")];
  const cli = new Child("redis-cli", { args: ["-p", `${port}`, ...trust, ...words] });
  await cli.ended;
  return cli.stdout.trim() + cli.stderr.trim();
}

Deno.test("client libraries and redis-cli work over TLS, beside plain clients", async (test) => {
  const port = freePort();
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({
    servers,
    cpu: 2,
    config: {
      ...tlsKeys(port),
      tls_client_ca: tlsFile("ca"),
      tls_auth_clients: "optional",
      max_clients: 60,
    },
  });
  using plain = await proxy.client();

  await test.step("redis-cli", async () => {
    assertEquals(await redisCli(port, "SET", "from-cli", "1"), "OK");
    assertEquals(await plain.call("GET", "from-cli"), "1");
  });

  await test.step("ioredis, with and without a certificate of its own", async () => {
    for (const own of [{}, { cert: tlsText("client"), key: tlsText("client-key") }]) {
      const redis = new Redis({ port, host: "localhost", tls: { ca: tlsText("ca"), ...own } });
      await redis.mset("a", "1", "b", "2", "c", "3");
      assertEquals(await redis.mget("a", "b", "c", "d"), ["1", "2", "3", null]);
      assertEquals((await redis.multi().incr("{n}1").get("{n}1").exec())?.length, 2);
      redis.disconnect();
    }
  });

  await test.step("node-redis, which asks for RESP3, with a subscription", async () => {
    const redis = createClient({
      socket: { port, host: "localhost", tls: true, ca: tlsText("ca") },
    });
    await redis.connect();
    const subscriber = redis.duplicate();
    await subscriber.connect();
    const heard: string[] = [];
    await subscriber.subscribe("news", (message) => void heard.push(message));
    await redis.publish("news", "over TLS");
    await until(() => heard.length === 1);
    assertEquals(heard, ["over TLS"]);
    redis.destroy();
    subscriber.destroy();
  });

  await test.step("a value of 8 MB passes in both directions, and half-close loses nothing", async () => {
    const value = new Uint8Array(8 * 1024 * 1024).fill(120);
    using client = await tlsClient(port);
    await client.send("SET", "large", value);
    await client.send("GET", "large");
    await client.closeWrite();
    assertEquals((await client.read()).value, "OK");
    assertEquals(String((await client.read()).value).length, value.length);
    assertEquals(await plain.call("STRLEN", "large"), value.length);
    await plain.call("DEL", "large");
  });

  await test.step("CLIENT LIST shows them with their address", async () => {
    using client = await tlsClient(port);
    await client.call("CLIENT", "SETNAME", "by-tls");
    const line = String(await plain.call("CLIENT", "LIST")).split("\n")
      .find((each) => each.includes("name=by-tls"));
    assertMatch(line ?? "", new RegExp(` laddr=127.0.0.1:${port} `));
  });

  await test.step("workers share the port, and max_clients counts both kinds", async () => {
    await until(async () => /^connected_clients:1\r$/m.test(`${await plain.call("INFO")}`));
    const clients = [];
    for (let i = 0; i < 59; i++) clients.push(await tlsClient(port));
    for (const client of clients) assertEquals(await client.call("PING"), "PONG");
    using one = await tlsClient(port);
    assertMatch(JSON.stringify((await one.read()).value), /max number of clients reached/);
    const metrics = await (await fetch(proxy.url("/metrics"))).text();
    const sessions = [...metrics.matchAll(/codis_proxy_sessions\{worker="\d"\} (\d+)/g)];
    assert(sessions.every(([, count]) => Number(count) > 0), metrics.slice(0, 2000));
    for (const client of clients) client.close();
    one.close();
    await until(async () => /^connected_clients:1\r$/m.test(`${await plain.call("INFO")}`));
  });

  await test.step("who speaks no TLS there is cut, counted, and logged by address", async () => {
    const cli = new Child("redis-cli", { args: ["-p", `${port}`, "PING"] });
    await cli.ended;
    assertMatch(cli.stdout + cli.stderr, /closed the connection|reset by peer/);
    await until(() => proxy.stderr.includes("TLS client 127.0.0.1 was cut: it does not speak TLS"));
    const metrics = await (await fetch(proxy.url("/metrics"))).text();
    assertMatch(metrics, /codis_proxy_tls_handshakes_failed_total\{worker="\d"\} [1-9]/);
  });

  await test.step("a stop ends TLS clients in order: no request is lost", async () => {
    using client = await tlsClient(port);
    const count = 200;
    await client.sendRaw(encodeRequests(Array.from({ length: count }, () => ["INCR", "n"])));
    assertEquals((await client.read()).value, 1);
    assertEquals(await proxy.stop(), 0);
    for (let n = 2; n <= count; n++) assertEquals((await client.read()).value, n);
  });
});

Deno.test("a certificate is renewed under load without an error, in all workers", async () => {
  const port = freePort();
  await using redis = await RedisServer.start();
  const folder = await Deno.makeTempDir();
  const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const put = async (name: "server" | "other-server", keyName = name) => {
    await Deno.writeTextFile(key, tlsText(`${keyName}-key`));
    await Deno.writeTextFile(cert, tlsText(name));
  };
  await put("server");
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    cpu: 2,
    config: { ...tlsKeys(port), tls_cert: cert, tls_key: key },
  });
  let isOver = false;
  let calls = 0;
  const steady = Array.from({ length: 8 }, async () => {
    using client = await tlsClient(port);
    for (; !isOver; calls++) assertEquals(await client.call("INCR", "n") as number > 0, true);
  });
  // New connections all the time: whichever certificate they meet is one of the two.
  const trust = [tlsText("ca"), tlsText("other-ca")];
  let connections = 0;
  const coming = (async () => {
    for (; !isOver; connections++) {
      const conn = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: trust });
      await conn.handshake();
      conn.close();
    }
  })();

  await put("server", "other-server");
  proxy.child.signal("SIGHUP");
  await until(() => proxy.stderr.includes("TLS files not renewed"));
  assertMatch(proxy.stderr, /tls_key = ".*key.pem": does not belong to the certificate/);
  (await tlsClient(port)).close();

  await put("other-server");
  await until(() => proxy.stderr.includes("tls_cert, tls_key read again"));
  await delay(50);
  for (let i = 0; i < 20; i++) {
    (await tlsClient(port, { trust: "other-ca" })).close();
    await assertRejects(() => tlsClient(port));
  }
  isOver = true;
  await Promise.all([...steady, coming]);
  assert(calls > 100 && connections > 10, `${calls} calls, ${connections} connections`);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("without the plain port TLS serves alone, with an expired certificate, too, and a warning", async () => {
  const port = freePort();
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    config: { ...tlsKeys(port), tls_cert: tlsFile("expired"), tls_key: tlsFile("expired-key") },
    args: ["--addr=off"],
  });
  assertMatch(proxy.stderr, /tls_cert = .*expired.pem: the certificate expired at 2020-02-01/);
  assertEquals(await redisCli(port, "--insecure", "PING"), "PONG");
  await assertRejects(() => proxy.client(), Error);
});

Deno.test("what TLS cannot start with is refused in one line, with exit code 1", async () => {
  const folder = await Deno.makeTempDir();
  const cases: [Record<string, string>, string, string[]?][] = [
    [{ tls_addr: ":0" }, "config.ini:1: tls_addr needs tls_cert and tls_key"],
    [
      { ...tlsKeys(0), tls_key: tlsFile("client-key") } as Record<string, string>,
      `config.ini:3: tls_key = "${
        tlsFile("client-key")
      }": does not belong to the certificate of tls_cert`,
    ],
    [
      { dashboard_addr: "https://127.0.0.1:1", dashboard_ca: "/nowhere.pem" },
      'config.ini:2: dashboard_ca = "/nowhere.pem": no such file',
    ],
    [
      { webhook_url: "https://127.0.0.1:1/", webhook_ca: "/nowhere.pem" },
      'config.ini:2: webhook_ca = "/nowhere.pem": no such file',
    ],
    [{}, "--addr=off needs tls_addr: otherwise no client can connect", ["--addr=off"]],
  ];
  for (const [config, message, args = ["--addr=:0"]] of cases) {
    const text = Object.entries(config).map(([key, value]) => `${key} = ${value}\n`).join("");
    await Deno.writeTextFile(`${folder}/config.ini`, text);
    const child = startProgram(
      ["proxy", "-c", "config.ini", "--http-addr=:0", ...args],
      {},
      folder,
    );
    const { code } = await child.ended;
    assertEquals(code, 1);
    assert(child.stderr.includes(message), `${child.stderr}\nlacks ${message}`);
  }
  await Deno.remove(folder, { recursive: true });
});
