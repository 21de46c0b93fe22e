/**
 * Redis servers that speak TLS only: every kind of connection, moves and replicas work with them, and what
 * cannot work is refused with what to do.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { freePort } from "../../support/free_port.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { keyOn } from "../../support/router_server.ts";
import { redisTlsArgs, tlsFile } from "../../support/tls.ts";

const TO_SERVERS = {
  backend_tls: "on",
  backend_tls_ca: tlsFile("ca"),
  backend_tls_cert: tlsFile("client"),
  backend_tls_key: tlsFile("client-key"),
};

/** A redis-server that speaks TLS at `tls`, also to other servers. */
async function startRedis(): Promise<{ server: RedisServer; tls: { addr: string } }> {
  const port = freePort();
  const both = ["--tls-cluster", "yes", "--tls-replication", "yes"];
  const server = await RedisServer.start({ args: [...redisTlsArgs(port), ...both] });
  return { server, tls: { addr: `127.0.0.1:${port}` } };
}

/** Sends a request to the dashboard; returns status and text. */
async function api(
  proxy: ProxyProcess,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; text: string }> {
  const response = await fetch(proxy.url(path), {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  return { status: response.status, text: await response.text() };
}

Deno.test("servers that speak TLS serve clients, move slots and replicate", async (test) => {
  const [one, two, three] = [await startRedis(), await startRedis(), await startRedis()];
  await using _one = one.server;
  await using _two = two.server;
  await using _three = three.server;
  await using proxy = await ProxyProcess.start({
    servers: [one.tls, two.tls],
    cpu: 2,
    config: TO_SERVERS,
  });
  using client = await proxy.client();
  using sideOne = await one.server.client();
  using sideTwo = await two.server.client();

  await test.step("requests over shared connections and over those of one client", async () => {
    const pairs = Array.from({ length: 200 }, (_, i) => [`k${i}`, `v${i}`]).flat();
    assertEquals(await client.call("MSET", ...pairs), "OK");
    assert(Number(await sideOne.call("DBSIZE")) > 0 && Number(await sideTwo.call("DBSIZE")) > 0);
    await client.call("WATCH", "k1");
    await client.call("MULTI");
    await client.call("SET", "k1", "w");
    assertEquals(await client.call("EXEC"), ["OK"]);
    assertEquals(await client.call("BLPOP", "none", "0.05"), null);
    const large = "x".repeat(2_000_000);
    await client.call("SET", "large", large);
    assertEquals(await client.call("GET", "large"), large);
    using subscriber = await proxy.client();
    await subscriber.call("SUBSCRIBE", "news");
    await client.call("PUBLISH", "news", "hello");
    assertEquals((await subscriber.read()).value, ["message", "news", "hello"]);
  });

  await test.step("slots move while clients count", async () => {
    let isOver = false;
    const counters = Array.from({ length: 4 }, async (_, index) => {
      using own = await proxy.client();
      let n = 0;
      for (; !isOver; n++) {
        const count = Math.floor(n / 50) + 1;
        assertEquals(await own.call("INCR", `counter${index}:${n % 50}`), count);
      }
      return n;
    });
    const body = { from: 0, to: 63, new_group: 2, delay: 0 };
    const queued = await api(proxy, "POST", "/api/migrate", body);
    assertEquals(queued.status, 200, queued.text);
    await until(async () => (await api(proxy, "GET", "/api/migrate/tasks")).text.trim() === "[]");
    isOver = true;
    await Promise.all(counters);
    const keys = Array.from({ length: 198 }, (_, i) => `k${i + 2}`);
    const values = keys.map((key) => key.replace("k", "v"));
    assertEquals(await client.call("MGET", ...keys), values);
  });

  await test.step("without tls-cluster, a move is refused with what to do", async () => {
    await sideTwo.call("CONFIG", "SET", "tls-cluster", "no");
    const body = { from: 0, to: 0, new_group: 1, delay: 0 };
    await api(proxy, "POST", "/api/migrate", body);
    await until(() => proxy.stderr.includes("over TLS: tls-cluster is no there"));
    assertMatch(proxy.stderr, /cannot send keys to .* over TLS: .* run CONFIG SET tls-cluster yes/);
    await sideTwo.call("CONFIG", "SET", "tls-cluster", "yes");
    await until(async () => (await api(proxy, "GET", "/api/migrate/tasks")).text.trim() === "[]");
  });

  await test.step("a replica follows over TLS, and is promoted", async () => {
    using sideThree = await three.server.client();
    await sideThree.call("CONFIG", "SET", "tls-replication", "no");
    const add = { type: "slave", group_id: -1, addr: three.tls.addr };
    const refused = await api(proxy, "PUT", "/api/server_group/2/addServer", add);
    assertMatch(
      refused.text,
      /over TLS: tls-replication is no there: run CONFIG SET tls-replication yes/,
    );
    await sideThree.call("CONFIG", "SET", "tls-replication", "yes");
    const added = await api(proxy, "PUT", "/api/server_group/2/addServer", add);
    assertEquals(added.status, 200, added.text);
    await until(async () =>
      /master_link_status:up/.test(`${await sideThree.call("INFO", "replication")}`)
    );
    const [number, key] = [keyOn(1, 2, "n"), keyOn(1, 2, "k")];
    let isOver = false;
    let counted = 0;
    const counting = (async () => {
      using own = await proxy.client();
      // While the master changes hands, writes are refused, not lost.
      while (!isOver) if (typeof await own.call("INCR", number) === "number") counted++;
    })();
    const promote = { addr: three.tls.addr, group_id: 2 };
    const promoted = await api(proxy, "POST", "/api/server_group/2/promote", promote);
    isOver = true;
    await counting;
    assertEquals(promoted.status, 200, promoted.text);
    // A server that follows itself over TLS answers nobody for 5 s: it would be stored as offline.
    const group = JSON.parse((await api(proxy, "GET", "/api/server_group/2")).text);
    const types = group.servers.map(({ type }: { type: string }) => type);
    assertEquals(types.sort(), ["master", "slave"]);
    assertEquals(await client.call("GET", number), `${counted}`);
    await client.call("SET", key, "after");
    assertEquals(await sideThree.call("GET", key), "after");
  });
});

Deno.test("a server that cannot be trusted gets no request, and the client is told why", async () => {
  const { server, tls } = await startRedis();
  await using _server = server;
  for (
    const [change, cause] of [
      [{ backend_tls_ca: tlsFile("other-ca") }, /TLS: .*(certificate|issuer|signed)/i],
      [{ backend_tls_server_name: "other.example.com" }, /other\.example\.com/],
      [{ backend_tls_cert: "", backend_tls_key: "" }, /CertificateRequired|hung up|certificate/],
    ] as const
  ) {
    await using proxy = await ProxyProcess.start({
      servers: [tls],
      config: { ...TO_SERVERS, ...change },
    });
    using client = await proxy.client();
    const reply = JSON.stringify(await client.call("GET", "k"));
    assertMatch(reply, cause);
  }
});
