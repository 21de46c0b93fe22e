/**
 * `GET /proxy/stats`: the counters of a proxy in the form of Codis 3.2.
 *
 * @module
 */

import type { Codis3ProxyStats } from "../api/codis3_stats.ts";
import { cpuSeconds } from "../base/process_metrics.ts";
import { formatStartAt, type ProxyRecord } from "../model/proxy.ts";
import { type StatsSnapshot, totalCalls, totalOf } from "../router/stats_snapshot.ts";

/** Rates are over so long at least, in milliseconds. */
const RATE_MS = 1_000;

/** What was counted at a moment. */
interface Reading {
  readonly atMs: number;
  readonly ops: number;
  readonly cpuSeconds: number;
}

/** What rates count from: since the last question that is old enough, and at first since the start. */
const START: Reading = { atMs: 0, ops: 0, cpuSeconds: 0 };
let [from, next] = [START, START];

/** The counters at this moment, of all workers together. */
export function codis3ProxyStats(stats: StatsSnapshot, { state }: ProxyRecord): Codis3ProxyStats {
  const nowMs = performance.now();
  const fails = totalOf(stats, "failures");
  const now = { atMs: nowMs, ops: totalCalls(stats), cpuSeconds: cpuSeconds() };
  if (nowMs - next.atMs >= RATE_MS) [from, next] = [next, now];
  const seconds = Math.max(nowMs - from.atMs, RATE_MS) / 1000;
  return {
    online: state === "online",
    closed: false,
    ops: {
      total: now.ops + fails,
      fails,
      redis: { errors: totalOf(stats, "errors") },
      qps: Math.round((now.ops - from.ops) / seconds),
      cmd: stats.commands.map((command) => {
        const { name, calls, failures, errors } = command;
        const usecs = Math.round(command.usecs);
        return {
          opstr: name.toUpperCase().replace("|", " "),
          calls,
          usecs,
          usecs_percall: calls === 0 ? 0 : Math.floor(usecs / calls),
          fails: failures,
          redis_errtype: errors,
        };
      }).sort((a, b) => a.opstr < b.opstr ? -1 : 1),
    },
    sessions: { total: stats.totals.connections, alive: stats.sessions },
    rusage: {
      now: formatStartAt(Date.now()),
      cpu: (now.cpuSeconds - from.cpuSeconds) / seconds,
      mem: Deno.memoryUsage().rss,
    },
  };
}
