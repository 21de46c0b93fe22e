/**
 * Makes Grafana's dashboards from the tables of metrics: a panel for each metric, and a few at the top that say
 * whether all is well.
 *
 * @module
 */

import type { MetricHead, MetricSection } from "../src/base/prometheus.ts";

/** A metric as a panel shows it. */
interface ShownMetric extends MetricHead {
  readonly isPerWorker?: true;
  readonly across?: "min" | "max";
}

/** One line at the top: what it shows, and from which value on it is yellow and red. */
interface Glance {
  readonly title: string;
  readonly expr: string;
  readonly unit: string;
  /** Left out: always green. */
  readonly limits?: readonly [yellow: number, red: number];
  /** Whether small values are the bad ones. */
  readonly isLowBad?: true;
}

/** One dashboard. */
export interface DashboardPlan {
  /** The name of its file, and its address in Grafana. */
  readonly name: string;
  readonly title: string;
  /** A metric that every process has which it shows. */
  readonly of: string;
  readonly glances: readonly Glance[];
  readonly sections: readonly MetricSection<ShownMetric>[];
}

/** Width of a dashboard, and height of a panel, in Grafana's units. */
const COLUMNS = 24;
const PANEL = { w: 8, h: 7 };
const GLANCE = { w: 4, h: 4 };

/** What is measured where: the scrape jobs and instances that are chosen at the top. */
const WHERE = 'job=~"$job",instance=~"$instance"';

/** The text of a dashboard's file. */
export function formatDashboard(plan: DashboardPlan): string {
  const panels: Record<string, unknown>[] = [];
  let y = 0;
  const place = (size: { w: number; h: number }, count: number) => {
    const perLine = COLUMNS / size.w;
    return { ...size, x: (count % perLine) * size.w, y: y + Math.floor(count / perLine) * size.h };
  };
  const heightOf = (size: { w: number; h: number }, count: number) =>
    Math.ceil(count / (COLUMNS / size.w)) * size.h;
  for (const [i, glance] of plan.glances.entries()) {
    panels.push({ ...glancePanel(glance), gridPos: place(GLANCE, i) });
  }
  y += heightOf(GLANCE, plan.glances.length);
  for (const { title, rows } of plan.sections) {
    panels.push({ type: "row", title, collapsed: false, gridPos: { h: 1, w: COLUMNS, x: 0, y } });
    y++;
    for (const [i, row] of rows.entries()) {
      panels.push({ ...metricPanel(row), gridPos: place(PANEL, i) });
    }
    y += heightOf(PANEL, rows.length);
  }
  const dashboard = {
    uid: `codis-${plan.name}`,
    title: plan.title,
    tags: ["codis"],
    schemaVersion: 36,
    version: 1,
    editable: true,
    timezone: "browser",
    refresh: "10s",
    time: { from: "now-1h", to: "now" },
    links: [{ type: "dashboards", title: "Codis", tags: ["codis"], asDropdown: true }],
    templating: { list: variables(plan.of) },
    panels: panels.map((panel, i) => ({ id: i + 1, ...panel })),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

function variables(of: string): unknown[] {
  const query = (name: string, text: string) => ({
    ...{ type: "query", name, label: name, datasource: SOURCE, refresh: 2, sort: 1 },
    ...{ includeAll: true, multi: true, allValue: ".*", current: { text: "All", value: "$__all" } },
    ...{ definition: text, query: { query: text, refId: name } },
  });
  return [
    { type: "datasource", name: "datasource", label: "Prometheus", query: "prometheus" },
    query("job", `label_values(${of}, job)`),
    query("instance", `label_values(${of}{job=~"$job"}, instance)`),
  ];
}

const SOURCE = { type: "prometheus", uid: "${datasource}" };

function glancePanel({ title, expr, unit, limits, isLowBad }: Glance): Record<string, unknown> {
  const colours = isLowBad ? ["red", "yellow", "green"] : ["green", "yellow", "red"];
  const values = isLowBad ? [...limits ?? []].reverse() : limits ?? [];
  const steps = [null, ...values].map((value, i) => ({ value, color: colours[i] }));
  return {
    type: "stat",
    title,
    datasource: SOURCE,
    targets: [target(expr.replaceAll("$where", WHERE), "")],
    fieldConfig: {
      defaults: {
        unit,
        thresholds: {
          mode: "absolute",
          steps: limits === undefined ? [{ value: null, color: "green" }] : steps,
        },
      },
      overrides: [],
    },
    options: {
      ...{ colorMode: "background", graphMode: "area", justifyMode: "center" },
      reduceOptions: { calcs: ["lastNotNull"], values: false },
    },
  };
}

function metricPanel(row: ShownMetric): Record<string, unknown> {
  return {
    type: "timeseries",
    title: titleOf(row),
    description: `${row.name}: ${row.help}`,
    datasource: SOURCE,
    targets: targetsOf(row),
    fieldConfig: {
      defaults: { unit: unitOf(row), min: 0, custom: { fillOpacity: 10, showPoints: "never" } },
      overrides: [],
    },
    options: {
      legend: { displayMode: "list", placement: "bottom", showLegend: true },
      tooltip: { mode: "multi", sort: "desc" },
    },
  };
}

/** The name of a metric in words: `codis_proxy_backend_queue` is "backend queue". */
function titleOf({ name, type }: ShownMetric): string {
  const words = name.replace(/^(codis|process)_((proxy|cluster|dashboard)_)?/, "")
    .replace(/_total$/, "").replaceAll("_", " ");
  return type === "counter" ? `${words} per second` : words;
}

function unitOf({ name, type }: ShownMetric): string {
  const base = name.replace(/_total$/, "");
  if (base === "process_start_time_seconds") return "dateTimeFromNow";
  if (base.endsWith("_bytes")) return type === "counter" ? "Bps" : "bytes";
  if (base.endsWith("_seconds")) return type === "counter" ? "percentunit" : "s";
  return type === "counter" ? "ops" : "short";
}

function targetsOf(row: ShownMetric): unknown[] {
  const { name, type, labels, isPerWorker, across = "sum" } = row;
  const by = ["instance", ...labels];
  const legend = by.map((label) => `{{${label}}}`).join(" ");
  const rate = (suffix = "") => `rate(${name}${suffix}{${WHERE}}[$__rate_interval])`;
  if (type === "histogram") {
    return [0.5, 0.99].map((share) =>
      target(
        `histogram_quantile(${share}, sum by (${["le", ...by].join(", ")}) (${rate("_bucket")}))`,
        `p${share * 100} ${legend}`,
        share === 0.5 ? "A" : "B",
      )
    );
  }
  if (type === "counter") return [target(`sum by (${by.join(", ")}) (${rate()})`, legend)];
  const unit = name === "process_start_time_seconds" ? " * 1000" : "";
  const one = `${name}{${WHERE}}${unit}`;
  return [target(isPerWorker ? `${across} by (${by.join(", ")}) (${one})` : one, legend)];
}

function target(expr: string, legendFormat: string, refId = "A") {
  return { datasource: SOURCE, expr, legendFormat, refId, range: true };
}
