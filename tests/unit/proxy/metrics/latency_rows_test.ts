/** The metrics of how long requests take: few series, and percentiles of the last minutes. */

import { assertEquals } from "@std/assert";
import { Histogram } from "../../../../src/base/histogram.ts";
import { prometheusText } from "../../../../src/base/prometheus.ts";
import { LATENCY_METRICS } from "../../../../src/proxy/metrics/latency_rows.ts";
import type { ProxyFacts } from "../../../../src/proxy/metrics/row.ts";
import type { CommandSnapshot, StatsSnapshot } from "../../../../src/router/stats_snapshot.ts";

function statsOf(commands: readonly CommandSnapshot[]): StatsSnapshot {
  return { commands, servers: [], users: [] } as unknown as StatsSnapshot;
}

function command(name: string, times: readonly number[]): CommandSnapshot {
  const histogram = new Histogram();
  for (const usecs of times) histogram.add(usecs);
  const calls = times.length;
  const { sumUs } = histogram;
  return { name, calls, errors: 0, failures: 0, usecs: sumUs, times: histogram.counts() };
}

/** The lines of one metric, without its name. */
function linesOf(stats: StatsSnapshot, name: string, nowMs: number): string[] {
  const facts = { nowMs } as ProxyFacts;
  const metrics = LATENCY_METRICS.rows.map((row) => ({
    ...row,
    samples: row.samples(stats, facts),
  }));
  return prometheusText(metrics).split("\n")
    .filter((line) => line.startsWith(name)).map((line) => line.slice(name.length));
}

Deno.test("commands have 15 series each, and those that the proxy answers share them", () => {
  const stats = statsOf([
    command("get", [90, 200, 900_000]),
    command("config|get", [10]),
    command("ping", [20]),
  ]);
  const lines = linesOf(stats, "codis_proxy_command_seconds", 0);
  assertEquals(lines.filter((line) => line.includes('"get"')), [
    '_bucket{command="get",le="0.0001"} 1',
    '_bucket{command="get",le="0.00025"} 2',
    '_bucket{command="get",le="0.0005"} 2',
    '_bucket{command="get",le="0.001"} 2',
    '_bucket{command="get",le="0.0025"} 2',
    '_bucket{command="get",le="0.005"} 2',
    '_bucket{command="get",le="0.01"} 2',
    '_bucket{command="get",le="0.025"} 2',
    '_bucket{command="get",le="0.05"} 2',
    '_bucket{command="get",le="0.1"} 2',
    '_bucket{command="get",le="0.25"} 2',
    '_bucket{command="get",le="1"} 3',
    '_bucket{command="get",le="+Inf"} 3',
    '_sum{command="get"} 0.90029',
    '_count{command="get"} 3',
  ]);
  assertEquals(lines.filter((line) => line.startsWith("_count")), [
    '_count{command="get"} 3',
    '_count{command="other"} 2',
  ]);
});

Deno.test("however many commands are used, at most 20 have series of their own", () => {
  const names =
    "get set del incr decr append strlen hget hset hdel hlen lpush rpush lpop rpop llen " +
    "sadd srem scard zadd zrem zcard pfadd bitcount getrange setrange";
  const stats = statsOf(names.split(" ").map((name) => command(name, [5])));
  const counts = linesOf(stats, "codis_proxy_command_seconds_count", 0);
  assertEquals(counts.length, 21);
  assertEquals(counts.at(-1), '{command="other"} 6');
});

Deno.test("percentiles forget what is older than two minutes", () => {
  const p50 = (times: readonly number[], seconds: number) =>
    linesOf(statsOf([command("get", times)]), "codis_proxy_command_recent_seconds", 1_000 * seconds)
      .filter((line) => line.includes('quantile="0.5"')).map((line) => line.split(" ")[1]);
  assertEquals(p50([10], 1_000), ["0.00001"]);
  assertEquals(p50([10], 1_070), []);
  assertEquals(p50([10, 20, 20], 1_080), ["0.00002"]);
  assertEquals(p50([10, 20, 20, 30], 1_135), ["0.00002"]);
  assertEquals(p50([10, 20, 20, 30], 1_200), []);
});
