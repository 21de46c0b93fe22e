/**
 * Writes what is made from the tables of metrics: `deno task gen:metrics`.
 *
 *     src/proxy/metrics, src/dashboard/metrics ─┬─► docs/metrics.md, its tables
 *                                               ├─► deploy/alerts.yml, for Prometheus
 *                                               └─► deploy/grafana/*.json
 *
 * @module
 */

import { replaceGeneratedSection } from "../src/base/generated_section.ts";
import { PROCESS_METRICS } from "../src/base/process_metrics.ts";
import { CONFIG_METRICS } from "../src/config/config_metrics.ts";
import type { Alert, MetricHead, MetricSection } from "../src/base/prometheus.ts";
import { CLUSTER_SECTIONS } from "../src/dashboard/metrics/metrics.ts";
import { DASHBOARD_METRICS } from "../src/dashboard/metrics/dashboard_rows.ts";
import { MIGRATION_METRICS } from "../src/dashboard/metrics/migration_rows.ts";
import { OUTAGE_METRICS } from "../src/dashboard/metrics/outage_rows.ts";
import { PROXY_METRICS } from "../src/proxy/metrics/metrics.ts";
import { type DashboardPlan, formatDashboard } from "./grafana_dashboards.ts";

/** A metric as the documents show it. */
interface DocumentedMetric extends MetricHead {
  readonly isPerWorker?: true;
}

/** Every table of metrics, in the order of the document. */
export const ALL_METRICS: readonly MetricSection<DocumentedMetric>[] = [
  ...PROXY_METRICS,
  DASHBOARD_METRICS,
  OUTAGE_METRICS,
  ...CLUSTER_SECTIONS,
  CONFIG_METRICS,
  PROCESS_METRICS,
];

/** What Grafana shows. */
const DASHBOARDS: readonly DashboardPlan[] = [
  {
    name: "cluster",
    title: "Codis: cluster",
    of: "codis_dashboard_info",
    glances: [
      {
        title: "Slots served",
        expr: "max(codis_cluster_slots_served{$where})",
        unit: "short",
        limits: [1024, 1023],
        isLowBad: true,
      },
      {
        title: "Masters down",
        expr: 'count(codis_cluster_server_up{type="master",$where} == 0) or vector(0)',
        unit: "short",
        limits: [1, 1],
      },
      {
        title: "Proxies online",
        expr: 'max(codis_cluster_proxies{state="online",$where})',
        unit: "short",
        limits: [1, 0],
        isLowBad: true,
      },
      { title: "Keys", expr: masters("codis_cluster_server_keys"), unit: "short" },
      { title: "Memory", expr: masters("codis_cluster_server_memory_bytes"), unit: "bytes" },
      {
        title: "Dead fences",
        expr: "max(codis_cluster_dead_fences{$where})",
        unit: "short",
        limits: [1, 2],
      },
    ],
    sections: [...CLUSTER_SECTIONS.filter((section) => section !== MIGRATION_METRICS)]
      .concat([DASHBOARD_METRICS, OUTAGE_METRICS] as MetricSection<never>[]),
  },
  {
    name: "proxy",
    title: "Codis: proxies",
    of: "codis_proxy_info",
    glances: [
      {
        title: "Requests per second",
        expr: "sum(rate(codis_proxy_commands_total{$where}[$__rate_interval]))",
        unit: "ops",
      },
      {
        title: "p99",
        expr: "histogram_quantile(0.99, sum by (le) " +
          "(rate(codis_proxy_command_seconds_bucket{$where}[$__rate_interval])))",
        unit: "s",
        limits: [0.05, 0.5],
      },
      {
        title: "Failed per second",
        expr:
          "sum(rate(codis_proxy_command_failures_total{$where}[$__rate_interval])) or vector(0)",
        unit: "ops",
        limits: [0.01, 1],
      },
      { title: "Clients", expr: "sum(codis_proxy_sessions{$where})", unit: "short" },
      {
        title: "Servers not reached",
        expr: "count(min by (server) (codis_proxy_backend_up{$where}) == 0) or vector(0)",
        unit: "short",
        limits: [1, 1],
      },
      {
        title: "CPUs used",
        expr: "sum(rate(process_cpu_seconds_total{$where}[$__rate_interval]))",
        unit: "short",
      },
    ],
    sections: [...PROXY_METRICS, CONFIG_METRICS, PROCESS_METRICS],
  },
  {
    name: "migration",
    title: "Codis: migrations",
    of: "codis_dashboard_info",
    glances: [
      {
        title: "Slots left",
        expr: "max(codis_cluster_migration_slots_left{$where})",
        unit: "short",
      },
      {
        title: "Keys left",
        expr: "max(codis_cluster_migration_keys_left{$where})",
        unit: "short",
      },
      {
        title: "Time left",
        expr: "max(codis_cluster_migration_seconds_left{$where})",
        unit: "s",
      },
      {
        title: "Keys per second",
        expr: "sum(rate(codis_cluster_migrated_keys_total{$where}[$__rate_interval]))",
        unit: "ops",
      },
      {
        title: "Bytes per second",
        expr: "sum(rate(codis_cluster_migrated_bytes_total{$where}[$__rate_interval]))",
        unit: "Bps",
      },
      {
        title: "Cannot go on",
        expr: 'sum(codis_cluster_migrations{phase=~"stuck|failed",$where})',
        unit: "short",
        limits: [1, 10],
      },
    ],
    sections: [MIGRATION_METRICS],
  },
];

function masters(metric: string): string {
  return `sum(${metric}{$where} and on (group, server) codis_cluster_server_up{type="master",$where})`;
}

/** The files that are made whole, by their path. */
export function monitoringFiles(): Map<string, string> {
  const files = new Map(
    DASHBOARDS.map((plan) => [`deploy/grafana/${plan.name}.json`, formatDashboard(plan)]),
  );
  return files.set("deploy/alerts.yml", formatAlerts());
}

/** Every alert, with the subject of its metric. */
export function allAlerts(): { title: string; alert: Alert }[] {
  return ALL_METRICS.flatMap(({ title, rows }) =>
    rows.flatMap(({ alerts = [] }) => alerts.map((alert) => ({ title, alert })))
  );
}

/** Prometheus's file of rules. */
function formatAlerts(): string {
  const head =
    "# Alerts for Prometheus. Generated from the tables of metrics by: deno task gen:metrics\n" +
    "# severity critical: clients get errors. severity warning: look at it soon.\ngroups:\n";
  const titles = [...new Set(allAlerts().map(({ title }) => title))];
  const text = (value: string) => JSON.stringify(value); // a string of JSON is one of YAML
  return head + titles.map((name) => {
    const rules = allAlerts().filter(({ title }) => title === name).map(({ alert }) =>
      [
        `      - alert: ${alert.name}`,
        `        expr: ${text(alert.when)}`,
        `        for: ${alert.minutes}m`,
        "        labels:",
        `          severity: ${alert.severity}`,
        "        annotations:",
        `          summary: ${text(alert.summary)}`,
        `          description: ${text(alert.fix)}`,
      ].join("\n")
    );
    return `  - name: ${text(`Codis: ${name}`)}\n    rules:\n${rules.join("\n")}\n`;
  }).join("");
}

/** The tables of docs/metrics.md. */
export function formatMetricTables(): string {
  return ALL_METRICS.map(({ title, rows }) => {
    const lines = rows.map(({ name, help, type, labels, isPerWorker }) => {
      const all = [
        ...isPerWorker ? ["worker"] : [],
        ...labels,
        ...type === "histogram" ? ["le"] : [],
      ];
      const cells = [`\`${name}\``, type, all.map((label) => `\`${label}\``).join(", "), help];
      return `| ${cells.join(" | ")} |`;
    });
    return [
      `### ${title}`,
      "",
      "| metric | type | labels | meaning |",
      "|---|---|---|---|",
      ...lines,
    ]
      .join("\n");
  }).join("\n\n");
}

/** The table of alerts of docs/metrics.md. */
export function formatAlertTable(): string {
  const lines = allAlerts().map(({ alert: { name, when, minutes, severity, fix } }) => {
    const lasts = minutes === 0 ? "" : `${minutes} min`;
    return `| ${name} | \`${when.replaceAll("|", "\\|")}\` | ${lasts} | ${severity} | ${
      fix.replaceAll("<", "&lt;")
    } |`;
  });
  return ["| alert | when | for | severity | what to do |", "|---|---|---|---|---|", ...lines].join(
    "\n",
  );
}

/** The document with its tables renewed. */
export function replaceMetricTables(document: string): string {
  const tables = replaceGeneratedSection(document, "metrics", formatMetricTables());
  return replaceGeneratedSection(tables, "alerts", formatAlertTable());
}

if (import.meta.main) {
  await Deno.mkdir("deploy/grafana", { recursive: true });
  for (const [path, text] of monitoringFiles()) await Deno.writeTextFile(path, text);
  const document = "docs/metrics.md";
  await Deno.writeTextFile(document, replaceMetricTables(await Deno.readTextFile(document)));
}
