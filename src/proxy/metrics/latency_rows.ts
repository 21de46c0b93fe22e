/**
 * How long requests take, for Prometheus: by command, by server and by user, of all workers together.
 *
 *     times ─┬─► a histogram of few buckets, since the start: proxies can be added up
 *            └─► percentiles up to 99.99 of the last one to two minutes, exact to 3.2 %
 *
 * The first commands with keys that are used have series of their own, until there are enough; all others
 * share one. A command never changes from one to the other, so that no counter goes back.
 *
 * @module
 */

import { textOfBytes } from "../../acl/users.ts";
import {
  bucketEndUs,
  PERCENTILES,
  percentileUs,
  sumCounts,
  type TimeCounts,
  totalCount,
} from "../../base/histogram.ts";
import { findByName } from "../../command/command_table.ts";
import type { Labels, MetricSection, Sample } from "../../base/prometheus.ts";
import type { StatsSnapshot } from "../../router/stats_snapshot.ts";
import { recentTimes } from "./recent_times.ts";
import type { ProxyRow } from "./row.ts";

/** Bounds of the buckets, in seconds. */
const BOUNDS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
/** Commands that have series of their own. */
const NAMED_COMMANDS_MAX = 20;
/** What the others are counted as. */
const OTHER_COMMANDS = "other";

/** The times of one command, server or user. */
interface TimesRow {
  readonly labels: Labels;
  readonly usecs: number;
  readonly times: TimeCounts;
}

const named = new Set<string>();

function commandTimes({ commands }: StatsSnapshot): TimesRow[] {
  const called = commands.filter(({ calls }) => calls > 0).sort((a, b) => b.calls - a.calls);
  for (const { name } of called) {
    if (named.size >= NAMED_COMMANDS_MAX) break;
    if (findByName(name)?.handling !== "local") named.add(name);
  }
  const rows: TimesRow[] = called.filter(({ name }) => named.has(name))
    .map(({ name, usecs, times }) => ({ labels: { command: name }, usecs, times }));
  const others = called.filter(({ name }) => !named.has(name));
  if (others.length === 0) return rows;
  return [...rows, {
    labels: { command: OTHER_COMMANDS },
    usecs: others.reduce((sum, { usecs }) => sum + usecs, 0),
    times: sumCounts(others.map(({ times }) => times)),
  }];
}

function serverTimes({ servers }: StatsSnapshot): TimesRow[] {
  return servers.map(({ address, usecs, times }) => ({
    labels: { server: address },
    usecs,
    times,
  }));
}

function userTimes({ users }: StatsSnapshot): TimesRow[] {
  return users.map(({ name, usecs, times }) => ({
    labels: { user: textOfBytes(name) },
    usecs,
    times,
  }));
}

/** The samples of a histogram. */
function* bucketsOf(rows: readonly TimesRow[]): Generator<Sample> {
  for (const { labels, usecs, times } of rows) {
    let [bucket, below] = [0, 0];
    for (const le of BOUNDS) {
      for (; bucket < times.length && bucketEndUs(bucket) <= le * 1e6 + 1; bucket++) {
        below += times[bucket]!;
      }
      yield [{ ...labels, le }, below, "_bucket"];
    }
    const count = totalCount(times);
    yield [{ ...labels, le: "+Inf" }, count, "_bucket"];
    yield [labels, usecs / 1e6, "_sum"];
    yield [labels, count, "_count"];
  }
}

/** The samples of percentiles of the last one or two minutes. */
function* percentilesOf(name: string, rows: readonly TimesRow[], nowMs: number): Generator<Sample> {
  const all = new Map(rows.map(({ labels, times }) => [JSON.stringify(labels), times]));
  for (const [i, recent] of recentTimes(name, all, nowMs).entries()) {
    for (const quantile of PERCENTILES) {
      const usecs = percentileUs(recent, quantile);
      if (usecs !== null) yield [{ ...rows[i]!.labels, quantile }, usecs / 1e6];
    }
  }
}

const KINDS = [
  {
    rows: commandTimes,
    label: "command",
    help: "Time from when a request was read until its answer was whole",
    more:
      ". The first 20 commands with keys that are used have series of their own; all others are counted as other",
    total: { name: "codis_proxy_command_seconds" },
    recent: { name: "codis_proxy_command_recent_seconds" },
  },
  {
    rows: serverTimes,
    label: "server",
    help: "Time from when a request was sent to a server until its reply was whole",
    more: "",
    total: { name: "codis_proxy_server_seconds" },
    recent: { name: "codis_proxy_server_recent_seconds" },
  },
  {
    rows: userTimes,
    label: "user",
    help: "Time from when a user's request was read until its answer was whole",
    more: "; of more than 64 users, the others are counted together",
    total: { name: "codis_proxy_user_seconds" },
    recent: { name: "codis_proxy_user_recent_seconds" },
  },
] as const;

/** What the percentiles are, for their help. */
const RECENT =
  ": percentiles of the last one to two minutes, exact to 3.2 %. Those of several proxies " +
  "cannot be added up: use the histogram for that";

/** The metrics of how long requests take. */
export const LATENCY_METRICS: MetricSection<ProxyRow> = {
  title: "Latency",
  rows: KINDS.flatMap(({ rows, label, help, more, total, recent }): ProxyRow[] => [
    {
      ...total,
      help: `${help}${more}`,
      type: "histogram",
      labels: [label],
      samples: (stats) => bucketsOf(rows(stats)),
    },
    {
      ...recent,
      help: `${help}${RECENT}`,
      type: "summary",
      labels: [label, "quantile"],
      samples: (stats, { nowMs }) => percentilesOf(recent.name, rows(stats), nowMs),
    },
  ]),
};
