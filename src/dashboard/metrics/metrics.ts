/**
 * `/metrics` of a dashboard for Prometheus: itself, and while it leads, the cluster. It reads nothing from the
 * coordinator, so that it answers while that is away.
 *
 * @module
 */

import type { Metric, MetricSection } from "../../base/prometheus.ts";
import { CLUSTER_METRICS, SERVER_METRICS } from "./cluster_rows.ts";
import { DASHBOARD_METRICS } from "./dashboard_rows.ts";
import { MIGRATION_METRICS } from "./migration_rows.ts";
import { OUTAGE_METRICS } from "./outage_rows.ts";
import type { ClusterRow, DashboardFacts } from "./row.ts";

/** The metrics of the cluster. */
export const CLUSTER_SECTIONS: readonly MetricSection<ClusterRow>[] = [
  CLUSTER_METRICS,
  SERVER_METRICS,
  MIGRATION_METRICS,
];

/** All metrics of a dashboard, those of its process not among them. */
export function dashboardMetrics(facts: DashboardFacts): Metric[] {
  const { cluster } = facts;
  const own = [...DASHBOARD_METRICS.rows, ...OUTAGE_METRICS.rows]
    .map((row) => ({ ...row, samples: row.samples(facts) }));
  if (cluster === undefined) return own;
  const rows = CLUSTER_SECTIONS.flatMap(({ rows }) => rows);
  return [...own, ...rows.map((row) => ({ ...row, samples: row.samples(cluster) }))];
}
