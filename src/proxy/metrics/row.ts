/**
 * A row of the proxy's table of metrics.
 *
 * @module
 */

import type { DrainState } from "../../api/proxy_stats.ts";
import type { MetricHead, Sample } from "../../base/prometheus.ts";
import type { CoordinatorState } from "../../coordinator/coordinator.ts";
import type { UserUsage } from "../../router/limits/limit_cells.ts";
import type { StatsSnapshot } from "../../router/stats_snapshot.ts";

/** What metrics show that routers do not know. */
export interface ProxyFacts {
  readonly version: string;
  /** `online`, `offline`, … as in the store. */
  readonly state: string;
  /** Whether this process lets its clients go, or has let them go. */
  readonly drain: DrainState | undefined;
  /** Where the session with the coordinator stands. */
  readonly coordinatorState: CoordinatorState;
  /** Seconds since the table was last known to agree with the coordinator. */
  readonly staleSeconds: number;
  /** Most clients that are served at one time. */
  readonly clientsMax: number;
  /** The monotonic clock. */
  readonly nowMs: number;
  /** What users with limits have taken. */
  readonly usage: readonly UserUsage[];
}

/** See the header. */
export interface ProxyRow extends MetricHead {
  /** Whether each worker has samples of its own, with the label `worker`; otherwise they are the process's. */
  readonly isPerWorker?: true;
  readonly samples: (stats: StatsSnapshot, facts: ProxyFacts) => Iterable<Sample>;
}
