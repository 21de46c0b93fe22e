/**
 * A new process takes over from an old one, as their clients see it.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { createClient } from "redis";
import { callCli } from "../../support/cli_call.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { PushMessage } from "../../support/resp_value.ts";
import { UpgradeLoad } from "../../support/upgrade_load.ts";
import { until } from "../../support/deadline.ts";

/** `drain_timeout`, unless it is set. */
const DRAIN_TIMEOUT_MS = 15_000;

let servers: RedisServer[] = [];

Deno.test.beforeAll(async () => {
  servers = await Promise.all([RedisServer.start(), RedisServer.start()]);
});
Deno.test.afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
});

Deno.test("new processes take over: no connection fails, no write is lost or done twice, while slots move", async () => {
  await using proxy = await ProxyProcess.start({ servers, cpu: 2, args: ["--take-over"] });
  const load = new UpgradeLoad({ port: proxy.port, steady: 20, short: 4, pauseMs: 20 });
  load.start();
  const move = (new_group: number) =>
    fetch(proxy.url("/api/migrate"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ from: 0, to: 1023, new_group }),
    }).then((response) => response.text());
  await move(1);
  for (let i = 0; i < 2; i++) {
    const end = await proxy.upgrade();
    assertEquals(end.code, 0);
    if (i === 0) await move(2);
  }
  const { wrong, failedConnects, causes, commands } = await load.stop();
  assert(commands > 100);
  assertEquals({ wrong, failedConnects, causes }, { wrong: [], failedConnects: 0, causes: {} });
  assertEquals(
    await (await fetch(proxy.url("/healthz"))).json().then(({ status }) => status),
    "ok",
  );
});

Deno.test("an old process lets its clients finish: a transaction, what blocks", async () => {
  await using proxy = await ProxyProcess.start({ servers, config: { drain_timeout: 3 } });
  using idle = await proxy.client();
  using queueing = await proxy.client();
  using subscribed = await proxy.client();
  using blocked = await proxy.client();
  assertEquals(await idle.call("SET", "before", "1"), "OK");
  assertEquals(await queueing.call("MULTI"), "OK");
  assertEquals(await queueing.call("INCR", "queued"), "QUEUED");
  await subscribed.call("SUBSCRIBE", "news");
  await blocked.send("BLPOP", "no list", 0);
  await delay(1_100); // so that the first one is idle
  const upgrading = proxy.upgrade();
  assertEquals(await idle.readToEnd(), new Uint8Array(0));
  // Who waited longer would hear no more of what is said while it connects again.
  assertEquals(await subscribed.readToEnd(), new Uint8Array(0));
  using fresh = await proxy.client();
  assertEquals(await queueing.call("EXEC"), [1]);
  assertEquals(await queueing.readToEnd(), new Uint8Array(0));
  // This one stays until the time is over.
  assertStringIncludes(new TextDecoder().decode(await blocked.readToEnd()), "-");
  assertEquals((await upgrading).code, 0);
  assertEquals(await fresh.call("RPUSH", "no list", "an element"), 1);
  assertEquals(await fresh.call("LPOP", "no list"), "an element");
});

Deno.test("clients that want to be told go by themselves: no request of many on one connection fails", async () => {
  await using proxy = await ProxyProcess.start({ servers });
  const raw = await proxy.client();
  await raw.call("HELLO", 3);
  const words = ["CLIENT", "MAINT_NOTIFICATIONS", "ON", "moving-endpoint-type"];
  assertEquals(await raw.call(...words, "none"), "OK");
  assertStringIncludes(
    JSON.stringify(await raw.call(...words, "external-ip")),
    "moving-endpoint-type 'external-ip' is not known here: use 'none'",
  );
  const options = { maintNotifications: "auto", maintEndpointType: "none" } as const;
  const socket = { host: "127.0.0.1", port: proxy.port };
  const clients = Array.from({ length: 8 }, () => createClient({ socket, ...options }));
  let isOver = false;
  const callers = clients.map(async (client, i) => {
    client.on("error", () => {}); // the calls tell
    await client.connect();
    // Hardly ever is no request under way.
    await Promise.all(Array.from({ length: 4 }, async (_, j) => {
      for (let value = 1; !isOver; value++) {
        assertEquals(await client.incr(`told ${i} ${j}`), value);
        await delay(Math.random() * 4);
      }
    }));
  });
  await delay(200);
  const upgrading = proxy.upgrade();
  assertEquals((await raw.read()).value, new PushMessage(["MOVING", 1, 2, null]));
  raw[Symbol.dispose]();
  assertEquals((await upgrading).code, 0);
  await delay(200);
  isOver = true;
  await Promise.all(callers);
  for (const client of clients) client.destroy();
});

Deno.test("a process that cannot take over says why, and the old one serves as before", async () => {
  await using proxy = await ProxyProcess.start({ servers });
  const words = ["proxy", "-c", `${proxy.folder}/config.ini`, "--take-over"];
  const env = { TMPDIR: proxy.folder };
  const elsewhere = startProgram([...words, "--addr=127.0.0.1:1", "--http-addr=:0"], env);
  assertEquals((await elsewhere.ended).code, 1);
  assertStringIncludes(
    elsewhere.stderr,
    `it listens on port ${proxy.port}, this process would on 1`,
  );
  const alien = startProgram([...words, `--addr=127.0.0.1:0`, "--http-addr=:0"], {
    TMPDIR: "/nowhere",
  });
  const ended = await alien.ended;
  assertEquals(ended.code, 1);
  assertStringIncludes(alien.stderr, "cannot take over proxy_id");
  using client = await proxy.client();
  assertEquals(await client.call("PING"), "PONG");
  // And it can be taken over later.
  assertEquals((await proxy.upgrade()).code, 0);
});

Deno.test("when the new process is killed on the way, the old one serves as before", async () => {
  await using proxy = await ProxyProcess.start({ servers });
  const killed = proxy.startBeside();
  await until(() => proxy.stderr.includes("is about to take over"));
  await killed.end("SIGKILL");
  using client = await proxy.client();
  assertEquals(await client.call("PING"), "PONG");
  assertEquals((await proxy.upgrade()).code, 0);
});

Deno.test("when the old process is killed on the way, the new one serves in its place", async () => {
  await using proxy = await ProxyProcess.start({ servers });
  const { child: old } = proxy;
  const upgrading = proxy.upgrade();
  await until(() => old.stderr.includes("is about to take over"));
  await old.end("SIGKILL");
  await upgrading;
  await proxy.waitUntilHealthy(10_000);
  using client = await proxy.client();
  assertEquals(await client.call("INCR", "after the kill"), 1);
  assertEquals((await proxy.upgrade()).code, 0);
});

Deno.test("every process that is taken over from ends alike, also one that has taken over itself", async () => {
  await using proxy = await ProxyProcess.start({ servers, args: ["--take-over"] });
  for (let i = 0; i < 3; i++) {
    const { child: old } = proxy;
    assertEquals((await proxy.upgrade()).code, 0);
    assertEquals(old.stderr.match(/^.*WARN\] proxy.*$/gm), null);
    // What proves its end goes with it: the new process has heard of it.
    const files = [...Deno.readDirSync(proxy.folder)].map(({ name }) => name);
    assertEquals(files.filter((name) => name.endsWith(".life")).length, 1);
  }
});

Deno.test("codis-proxy drain lets the clients go, also where the proxy serves the dashboard", async () => {
  await using proxy = await ProxyProcess.start({ servers });
  using client = await proxy.client();
  assertEquals(await client.call("PING"), "PONG");
  // They do not go by themselves, and are not waited for.
  using subscribed = await proxy.client();
  await subscribed.call("SUBSCRIBE", "news");
  using monitor = await proxy.client();
  await monitor.call("MONITOR");
  const startedMs = performance.now();
  const words = ["drain", "-c", `${proxy.folder}/config.ini`];
  const ended = await callCli(...words, `--http-addr=127.0.0.1:${proxy.httpPort}`);
  const stdout = `no client is left at 127.0.0.1:${proxy.httpPort}\n`;
  assertEquals(ended, { code: 0, stdout, stderr: "" });
  assertLess(performance.now() - startedMs, DRAIN_TIMEOUT_MS);
  const health = await fetch(proxy.url("/healthz"));
  const { status, sessions } = await health.json();
  assertEquals([health.status, status, sessions], [503, "drained", 0]);
});

Deno.test("codis-proxy drain ends when no client is accepted any more, also where there is none", async () => {
  for (const config of [{}, { drain_delay: 2 }]) {
    for (const cpu of [1, 2]) {
      await using proxy = await ProxyProcess.start({ servers, config, cpu });
      const http = `--http-addr=127.0.0.1:${proxy.httpPort}`;
      const drain = startProgram(["drain", "-c", `${proxy.folder}/config.ini`, http]);
      if ("drain_delay" in config) {
        const health = async () => (await (await fetch(proxy.url("/healthz"))).json()).status;
        await until(async () => await health() === "draining");
        using late = await proxy.client();
        assertEquals(await late.call("PING"), "PONG");
      }
      assertEquals((await drain.ended).code, 0, drain.stderr);
      await assertRejects(() => proxy.client(), Deno.errors.ConnectionRefused);
    }
  }
});

Deno.test("with nobody to take over from, a process starts as usual", async () => {
  await using proxy = await ProxyProcess.start({ servers, args: ["--take-over"] });
  using client = await proxy.client();
  assertEquals(await client.call("PING"), "PONG");
});
