/**
 * MONITOR with filters: what a client sees who does not want to see everything, of one worker and of several.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

const utf8 = new TextDecoder();

/** What a monitor has seen until this client says `end`: lines without time and address. */
async function seenBy(monitor: RespClient, teller: RespClient, ...end: Word[]): Promise<string[]> {
  await teller.call(...end);
  const last = end.map((word) => `"${word}"`).join(" ");
  for (const lines: string[] = [];;) {
    const line = utf8.decode((await monitor.read()).raw);
    assertMatch(line, /^\+\d{10}\.\d{6} \[\d+ 127\.0\.0\.1:\d+\] /);
    const shown = line.slice(line.indexOf("] ") + 2).trimEnd();
    if (shown.startsWith(last)) return lines;
    lines.push(shown);
  }
}

Deno.test("MONITOR with MATCH, USER and DB shows what all of them let through", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using admin = await proxy.client();
  assertEquals(await admin.call("ACL", "SETUSER", "app", "on", ">secret", "+@all", "~*"), "OK");
  using app = await proxy.client();
  assertEquals(await app.call("AUTH", "app", "secret"), "OK");
  using monitor = await proxy.client();
  assertEquals(
    await monitor.call("MONITOR", "match", "user:*", "USER", "app", "DB", 0),
    "OK",
  );
  using other = await proxy.client();
  await other.call("SET", "user:1", "other");
  await app.call("SET", "user:2", "v");
  await app.call("SET", "note", "user:2");
  await app.call("MGET", "a", "user:3");
  await app.pipeline([["MULTI"], ["GET", "user:4"], ["GET", "b"], ["EXEC"]]);
  await app.pipeline([["SELECT", 1], ["GET", "user:5"], ["SELECT", 0]]);
  assertEquals(await seenBy(monitor, app, "GET", "user:end"), [
    '"SET" "user:2" "v"',
    '"MGET" "a" "user:3"',
    '"GET" "user:4"',
  ]);

  assertEquals(await monitor.call("RESET"), "RESET");
  assertEquals(await monitor.call("MONITOR", "MATCH", "*"), "OK");
  await app.call("PING");
  await app.call("GET", "");
  assertEquals(await seenBy(monitor, app, "GET", "user:end"), ['"GET" ""']);
  await monitor.send("MONITOR", "DB", 1);
  assertMatch(utf8.decode((await monitor.read()).raw), /^-ERR this client is a monitor already/);
  assertEquals(await monitor.call("RESET"), "RESET");
  assertEquals(proxy.router.shared.isOverseen, false);
  await monitor.send("MONITOR", "DB", 16);
  assertMatch(utf8.decode((await monitor.read()).raw), /^-ERR MONITOR DB takes 0 to 15, not '16'/);
  assertEquals(await monitor.call("GET", "note"), "user:2", "after an error it is no monitor");
});

Deno.test("MONITOR needs its permission, whatever its filters are", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using admin = await proxy.client();
  await admin.call("ACL", "SETUSER", "app", "on", ">secret", "+@all", "-monitor", "~*");
  using app = await proxy.client();
  await app.call("AUTH", "app", "secret");
  for (const words of [["MONITOR"], ["MONITOR", "USER", "app"]]) {
    await app.send(...words);
    assertMatch(utf8.decode((await app.read()).raw), /^-NOPERM .*'monitor' command/);
  }
});

Deno.test("MONITOR SLOW shows slow requests once they are answered, and where the time went", async () => {
  const slowMs = 500; // a fast one takes less also on a busy machine
  await using redis = await RedisServer.start();
  using direct = await redis.client();
  await using proxy = await RouterServer.start({ servers: [redis], options: { slowerThanUs: -1 } });
  using monitor = await proxy.client();
  await monitor.send("MONITOR", "SLOW");
  assertMatch(utf8.decode((await monitor.read()).raw), /^-ERR the slow log is off/);
  assertEquals(await monitor.call("MONITOR", "SLOW", slowMs, "MATCH", "key:*"), "OK");
  assertEquals(proxy.router.shared.isOverseen, false, "other requests go their usual way");
  using client = await proxy.client();
  const value = "x".repeat(200);
  await client.call("SET", "key:fast", value);
  // One that is slow without a key that matches, and one with it.
  let tookMs = 0;
  for (const key of ["other", "key:slow"]) {
    await direct.call("CLIENT", "PAUSE", 60_000, "WRITE");
    const startMs = performance.now();
    const answer = client.call("SET", key, value);
    await until(() => proxy.leftovers().length > 0);
    await delay(slowMs + 10);
    await direct.call("CLIENT", "UNPAUSE");
    assertEquals(await answer, "OK");
    tookMs = performance.now() - startMs;
  }
  const line = utf8.decode((await monitor.read()).raw);
  assertMatch(
    line,
    /\[0 127\.0\.0\.1:\d+\] "SET" "key:slow" "x{128}\.\.\. \(72 more bytes\)" \((\d+\.\d{3}) ms, server \d+\.\d{3} ms, 127\.0\.0\.1:\d+\)\r\n$/,
  );
  const ms = Number(/\((\d+\.\d{3}) ms,/.exec(line)![1]);
  assert(ms >= slowMs && ms <= tookMs, `${tookMs} ms: ${line}`);
  assertEquals(await monitor.call("RESET"), "RESET");
  assertEquals(proxy.router.shared.slowLog.isOn, false);
});

Deno.test("MONITOR SLOW 0 shows each request of a pipeline, and no password", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using monitor = await proxy.client();
  assertEquals(await monitor.call("MONITOR", "SLOW", 0), "OK");
  using client = await proxy.client();
  const many = Array.from({ length: 300 }, (_, i) => ["SET", `k${i}`, i]);
  await client.pipeline([...many, ["AUTH", "default", "secret"], ["CLIENT", "LIST"]]);
  const lines = await seenBy(monitor, client, "ECHO", "end");
  assertEquals(
    lines.map((line) => line.replace(/ \([^)]*\)$/, "")),
    [
      ...many.map((words) => words.map((word) => `"${word}"`).join(" ")),
      '"AUTH" "(redacted)" "(redacted)"',
    ].sort(byOrder(lines)),
  );
});

/** Requests that the proxy answers itself may be done before those that a server answers. */
function byOrder(lines: readonly string[]): (a: string, b: string) => number {
  const at = (text: string) => lines.findIndex((line) => line.startsWith(text));
  return (a, b) => at(a) - at(b);
}

Deno.test("a large request that is passed on as it comes is shown by its key", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using monitor = await proxy.client();
  assertEquals(await monitor.call("MONITOR", "MATCH", "l*"), "OK");
  using client = await proxy.client();
  const value = "x".repeat(2 * 1024 * 1024);
  assertEquals(await client.call("SET", "large", value), "OK");
  assertEquals(await client.call("SET", "other", value), "OK");
  assertEquals(await seenBy(monitor, client, "GET", "l"), [
    '"set" "large" "... (1 more arguments)"',
  ]);
});

Deno.test("monitors of each worker see what they want of all workers", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ servers: [redis], cpu: 2 });
  const clients = await Promise.all(Array.from({ length: 12 }, () => proxy.client()));
  const monitors = await Promise.all(Array.from({ length: 8 }, () => proxy.client()));
  try {
    for (const [i, monitor] of monitors.entries()) {
      const words = i % 2 === 0 ? ["MATCH", "odd:*"] : ["SLOW", 0, "MATCH", "slow:*"];
      assertEquals(await monitor.call("MONITOR", ...words), "OK");
    }
    for (const [i, client] of clients.entries()) {
      await client.call("GET", `odd:${i}`);
      await client.call("GET", `even:${i}`);
      await client.call("GET", `slow:${i}`);
    }
    for (const [i, monitor] of monitors.entries()) {
      const missing = new Set(clients.map((_, at) => `"${i % 2 === 0 ? "odd" : "slow"}:${at}"`));
      while (missing.size > 0) {
        const line = utf8.decode((await monitor.read()).raw);
        const key = / "GET" ("[^"]*")/.exec(line)?.[1];
        assert(key !== undefined && missing.delete(key), line);
        assertEquals(line.includes(" ms"), i % 2 === 1, line);
      }
      await monitor.call("QUIT");
    }
    await until(async () => {
      await clients[0]!.call("GET", "odd:again");
      return !String(await clients[0]!.call("CLIENT", "LIST")).includes("flags=O");
    });
  } finally {
    for (const client of [...clients, ...monitors]) client.close();
  }
});
