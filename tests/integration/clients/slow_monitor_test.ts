/**
 * A monitor that stops reading beside a load: it is closed with one line that says why, memory stays bounded,
 * and nobody waits for it.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { LatencyProbe } from "../../support/latency_probe.ts";
import { processFigures } from "../../support/process_figures.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

const MB = 1024 * 1024;
/** What the proxy may grow by beside the load: what monitors may leave unread, and garbage. */
const GROWTH_BYTES_MAX = 96 * MB;
/** A short run has few answers above its p99. */
const P99_SLACK_MS = 20;

Deno.test("a stopped redis-cli monitor is dropped, and nobody waits for it", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({ servers, cpu: 2 });
  using client = await proxy.client();
  await client.call("SET", "probed", 1);
  const watching = new Deno.Command("redis-cli", {
    args: ["-p", String(proxy.port), "MONITOR"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await until(async () => String(await client.call("CLIENT", "LIST")).includes("flags=O"));
    const load = async () => {
      const probe = LatencyProbe.start(proxy.port, "probed");
      const { success } = await new Deno.Command("redis-benchmark", {
        args: ["-p", String(proxy.port), "-t", "set", "-n", "60000", "-d", "400"].concat(
          ["-c", "20", "-P", "8", "-r", "100000", "-q"],
        ),
        stdout: "null",
      }).output();
      assert(success);
      return await probe.finish();
    };
    const beside = await load();
    const { rssBytes: before } = await processFigures(proxy.pid);
    watching.kill("SIGSTOP");
    const during = await load();
    assertLess((await processFigures(proxy.pid)).rssBytes - before, GROWTH_BYTES_MAX);
    assertEquals([during.errors, beside.errors], [0, 0]);
    assertLess(during.p99Ms, beside.p99Ms * 2 + P99_SLACK_MS);
    await until(async () => !String(await client.call("CLIENT", "LIST")).includes("flags=O"));
    const lines = proxy.stderr.split("\n").filter((line) => line.includes("monitor"));
    assertEquals(lines.length, 1, lines.join("\n"));
    assertMatch(
      lines[0]!,
      /session \d+ of 127\.0\.0\.1:\d+ closed: it is a monitor and has not read \d+ bytes of its lines; watch less: MONITOR with MATCH, USER, DB or SLOW/,
    );
  } finally {
    watching.kill("SIGKILL");
    await watching.status;
  }
});
