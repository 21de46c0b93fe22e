/**
 * `/metrics` of a proxy for Prometheus: one table of what is measured, read when asked. With several workers,
 * what each of them counts for itself is one series for each, told apart by the label `worker`.
 *
 * @module
 */

import { type Metric, type MetricSection, type Sample } from "../../base/prometheus.ts";
import type { PlaneStats } from "../workers/data_plane.ts";
import { BACKEND_METRICS } from "./backend_rows.ts";
import { CLIENT_METRICS } from "./client_rows.ts";
import { COMMAND_METRICS } from "./command_rows.ts";
import { LATENCY_METRICS } from "./latency_rows.ts";
import { REPLICA_METRICS } from "./replica_rows.ts";
import type { ProxyFacts, ProxyRow } from "./row.ts";
import { STATE_METRICS } from "./state_rows.ts";

/** The table. */
export const PROXY_METRICS: readonly MetricSection<ProxyRow>[] = [
  STATE_METRICS,
  CLIENT_METRICS,
  COMMAND_METRICS,
  LATENCY_METRICS,
  BACKEND_METRICS,
  REPLICA_METRICS,
];

/** All metrics of a proxy at this moment. */
export function proxyMetrics(stats: PlaneStats, facts: ProxyFacts): Metric[] {
  return PROXY_METRICS.flatMap(({ rows }) => rows)
    .map((row) => ({ ...row, samples: samplesOf(row, stats, facts) }));
}

/** A row's samples, of the process or of each worker. */
function* samplesOf(
  row: ProxyRow,
  { sum, workers }: PlaneStats,
  facts: ProxyFacts,
): Generator<Sample> {
  if (!row.isPerWorker || workers.length === 1) return yield* row.samples(sum, facts);
  for (const [worker, stats] of workers.entries()) {
    for (const [labels, value, suffix] of row.samples(stats, facts)) {
      const sample: Sample = [{ worker, ...labels }, value];
      yield suffix === undefined ? sample : [sample[0], value, suffix];
    }
  }
}
