/**
 * A row of the dashboard's table of metrics.
 *
 * @module
 */

import type { MigrationTotals, MigrationView } from "../../api/cluster_view.ts";
import type { MetricHead, Sample } from "../../base/prometheus.ts";
import type { CoordinatorState } from "../../coordinator/coordinator.ts";
import type { MovedKeys } from "../../migration/progress.ts";
import type { MonitoredView } from "../../monitor/cluster_view.ts";
import type { OutageTrail } from "../outages/outage_trail.ts";

/** What a dashboard knows at one moment. */
export interface DashboardFacts {
  readonly version: string;
  readonly product: string;
  readonly coordinatorState: CoordinatorState;
  readonly outages: Pick<OutageTrail, "counts" | "webhookFigures">;
  /** Only while this dashboard leads; a dashboard that stands by knows nothing of the cluster. */
  readonly cluster: ClusterFacts | undefined;
}

/** What the dashboard that leads knows of the cluster. */
export interface ClusterFacts {
  readonly view: MonitoredView;
  /** Addresses with a fence. */
  readonly fences: number;
  readonly migrations: readonly MigrationView[];
  readonly totals: MigrationTotals | null;
  readonly isPaused: boolean;
  /** Since this dashboard leads. */
  readonly moved: MovedKeys;
  /** Whether this dashboard promotes a replica by itself. */
  readonly isFailoverOn: boolean;
  readonly failovers: FailoverCounts;
  /** Since when a change is being carried out, in Unix milliseconds; `undefined`: none is. */
  readonly changeSince: number | undefined;
}

/** Promotions that this dashboard decided, since it started. */
export interface FailoverCounts {
  done: number;
  failed: number;
}

/** See the header. */
export interface DashboardRow extends MetricHead {
  readonly samples: (facts: DashboardFacts) => Iterable<Sample>;
}

/** A row with samples only while this dashboard leads. */
export interface ClusterRow extends MetricHead {
  readonly samples: (facts: ClusterFacts) => Iterable<Sample>;
}
