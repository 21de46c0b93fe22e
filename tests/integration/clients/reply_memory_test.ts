/**
 * Many clients that ask for large replies and read next to nothing: what the process holds stays within
 * `proxy_max_buffer` and a bit, comes back when they are gone, and a client beside them hardly notices.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { LatencyProbe } from "../../support/latency_probe.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, type Word } from "../../support/resp_client.ts";

const MB = 1024 * 1024;
const BUDGET_MB = 32;
/** What the process may hold besides. */
const SLACK_MB = 64;
const CLIENTS = 24;
/** More than the system takes of a connection whose client does not read. */
const REPLY_BYTES = 10 * MB;
/** A few such replies' time, on a busy machine; all of them would take much longer. */
const WAIT_MS_MAX = 1500;
const GIVEN_BACK_MS = 10_000;

for (const cpu of [1, 2]) {
  Deno.test(`clients with large replies under way do not grow the process past its budget, ${cpu} worker(s)`, async () => {
    await using server = await RedisServer.start();
    await using proxy = await ProxyProcess.start({
      servers: [server],
      cpu,
      config: { proxy_max_buffer: `${BUDGET_MB}mb`, session_max_buffer: `${BUDGET_MB}mb` },
    });
    {
      using setUp = await server.client();
      const value = "x".repeat(REPLY_BYTES);
      for (let i = 0; i < 4; i++) await setUp.call("SET", `large${i}`, value);
      await setUp.call("SET", "small", "x");
    }
    const rss = async () => (await proxy.figures()).rssBytes;
    const idle = await rss();
    const probe = LatencyProbe.start(proxy.port, "small");
    await delay(500);
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => proxy.client()));
    const requests = Array.from({ length: 30 }, (_, i): Word[] => ["GET", `large${i % 4}`]);
    for (const client of clients) await client.sendRaw(encodeRequests(requests));
    let most = 0;
    let closed = 0;
    const counter = async () => {
      const metrics = await (await fetch(proxy.url("/metrics"))).text();
      const samples = metrics.matchAll(
        /^codis_proxy_closed_sessions_total\{[^}]*reason="eviction"\} (\d+)/gm,
      );
      return [...samples].reduce((sum, [, count]) => sum + Number(count), 0);
    };
    // They are many: some have to go in the end.
    for (let endMs = performance.now() + 15_000; performance.now() < endMs;) {
      most = Math.max(most, await rss());
      if (closed === 0 && (closed = await counter()) > 0) endMs = performance.now() + 1500;
      await delay(20);
    }
    closed = await counter();
    const { errors, maxMs } = await probe.finish();
    console.log(
      `RSS ${(idle / MB).toFixed(0)} MB, at most ${(most / MB).toFixed(0)}, wait at most ${
        maxMs.toFixed(0)
      } ms, ${closed} closed`,
    );
    assertLess(most - idle, (BUDGET_MB + SLACK_MB) * MB);
    assertEquals(errors, 0);
    assertLess(maxMs, WAIT_MS_MAX);
    assert(closed > 0, "nobody was closed");
    assert(
      /all sessions hold more than proxy_max_buffer, and it holds most/.test(
        proxy.stdout + proxy.stderr,
      ),
    );
    for (const client of clients) client.close();
    await until(async () => await rss() - idle < 32 * MB * cpu, GIVEN_BACK_MS);
  });
}
