/**
 * Metrics of the configuration of a process, in the way of Prometheus's own.
 *
 * @module
 */

import { type Metric, type MetricHead, type MetricSection, oneSample } from "../base/prometheus.ts";
import type { RunningConfig } from "./running.ts";

interface ConfigRow extends MetricHead {
  readonly value: (running: RunningConfig) => number;
}

/** See the header. */
export const CONFIG_METRICS: MetricSection<ConfigRow> = {
  title: "Configuration",
  rows: [
    {
      name: "codis_config_last_reload_successful",
      help:
        "0 when the last reload of the configuration failed, and what was in force before is so still",
      type: "gauge",
      labels: [],
      alerts: [{
        name: "CodisConfigNotReloaded",
        when: "codis_config_last_reload_successful == 0",
        minutes: 5,
        severity: "warning",
        summary:
          "The last reload of {{ $labels.instance }} failed. It works on with the configuration from before; a restart would fail.",
        fix:
          "Its log, and GET /api/config, name the line and the rule. Correct it, try it with codis-proxy check, and reload.",
      }],
      value: ({ lastReload }) => (lastReload?.error ?? "") === "" ? 1 : 0,
    },
    {
      name: "codis_config_last_reload_success_timestamp_seconds",
      help: "When the configuration was last read with success, in Unix seconds",
      type: "gauge",
      labels: [],
      value: ({ reloadedMs }) => reloadedMs / 1000,
    },
    {
      name: "codis_config_keys_waiting",
      help: "Keys that have another value in the configuration, and need a restart for it",
      type: "gauge",
      labels: [],
      value: (running) => running.waiting.length,
    },
  ],
};

/** The metrics at this moment; none of a process without a config file. */
export function configMetrics(running: RunningConfig | undefined): Metric[] {
  if (running === undefined) return [];
  return CONFIG_METRICS.rows.map((row) => ({ ...row, samples: oneSample(row.value(running)) }));
}
