/**
 * Metrics of requests, by command.
 *
 * @module
 */

import type { MetricSection, Sample } from "../../base/prometheus.ts";
import type { StatsSnapshot } from "../../router/stats_snapshot.ts";
import type { ProxyRow } from "./row.ts";

/** See the header. */
export const COMMAND_METRICS: MetricSection<ProxyRow> = {
  title: "Commands",
  rows: [
    {
      name: "codis_proxy_commands_total",
      help: "Requests answered, error replies included",
      type: "counter",
      labels: ["command"],
      isPerWorker: true,
      samples: (stats) => perCommand(stats, "calls"),
    },
    {
      name: "codis_proxy_command_errors_total",
      help: "Answers that were errors",
      type: "counter",
      labels: ["command"],
      isPerWorker: true,
      samples: (stats) => perCommand(stats, "errors"),
    },
    {
      name: "codis_proxy_command_failures_total",
      help: "Requests that the proxy failed itself: no server, lost connection, deadline",
      type: "counter",
      labels: ["command"],
      isPerWorker: true,
      alerts: [{
        name: "CodisProxyRequestsFail",
        when: "sum by (instance) (rate(codis_proxy_command_failures_total[1m])) > 0",
        minutes: 1,
        severity: "critical",
        summary:
          "Proxy {{ $labels.instance }} fails {{ $value | humanize }} requests each second: no server, lost connection, deadline.",
        fix:
          "codis-proxy config status shows which server or slot. The log of the proxy names the cause.",
      }],
      samples: (stats) => perCommand(stats, "failures"),
    },
  ],
};

function perCommand(
  { commands }: StatsSnapshot,
  counter: "calls" | "errors" | "failures",
): Sample[] {
  return commands.map((command) => [{ command: command.name }, command[counter]]);
}
