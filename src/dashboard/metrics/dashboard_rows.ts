/**
 * Metrics of the dashboard itself: its version, whether it leads, its coordinator, its event loop.
 *
 * @module
 */

import { loopLag, loopLagSamples } from "../../base/loop_lag.ts";
import { type MetricSection, oneSample } from "../../base/prometheus.ts";
import { COORDINATOR_STATES } from "../../coordinator/coordinator.ts";
import type { DashboardRow } from "./row.ts";

/** See the header. */
export const DASHBOARD_METRICS: MetricSection<DashboardRow> = {
  title: "Dashboard",
  rows: [
    {
      name: "codis_dashboard_info",
      help: "The version that runs, and its product; always 1",
      type: "gauge",
      labels: ["version", "product"],
      samples: ({ version, product }) => [[{ version, product }, 1]],
    },
    {
      name: "codis_dashboard_leading",
      help:
        "1 for the dashboard that leads, 0 for one that stands by: it has no metrics of the cluster",
      type: "gauge",
      labels: [],
      alerts: [{
        name: "CodisNoDashboardLeads",
        when: "sum(codis_dashboard_leading) == 0 or absent(codis_dashboard_leading)",
        minutes: 2,
        severity: "warning",
        summary:
          "No dashboard leads. Clients are served; nothing can be changed, and no failover happens.",
        fix: "Start codis-proxy dashboard. If one runs, its log says why it does not lead.",
      }],
      samples: ({ cluster }) => oneSample(cluster === undefined ? 0 : 1),
    },
    {
      name: "codis_dashboard_coordinator_state",
      help: "1 for the state that the session with the coordinator is in",
      type: "gauge",
      labels: ["state"],
      alerts: [{
        name: "CodisCoordinatorAway",
        when: 'codis_dashboard_coordinator_state{state="connected"} == 0',
        minutes: 1,
        severity: "warning",
        summary:
          "Dashboard {{ $labels.instance }} is not connected to its coordinator. Clients are served; nothing can be changed.",
        fix: "Look at ZooKeeper or etcd, and at the network between.",
      }],
      samples: ({ coordinatorState }) =>
        COORDINATOR_STATES.map((state) => [{ state }, state === coordinatorState ? 1 : 0]),
    },
    {
      name: "codis_dashboard_event_loop_lag_seconds",
      help: "How late a timer of every 0.1 s was: how long the event loop was held up",
      type: "histogram",
      labels: [],
      samples: () => loopLagSamples(loopLag()),
    },
  ],
};
