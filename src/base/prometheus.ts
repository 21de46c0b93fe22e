/**
 * Prometheus's text format, of metrics that were counted elsewhere; and what a table of metrics says of
 * each, from which the documents, the alerts and the Grafana dashboards are made.
 *
 * Prometheus's client library counts itself, and offers no histogram that is handed its buckets.
 *
 * @module
 */

/** The content type of {@linkcode prometheusText}. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Labels of a sample, in the order in which they are printed. */
export type Labels = Readonly<Record<string, string | number>>;

/** A value, and what a histogram's sample has behind the metric's name: `_bucket`, `_sum`, `_count`. */
export type Sample = readonly [labels: Labels, value: number, suffix?: string];

/** When somebody should look, by an expression of Prometheus. */
export interface Alert {
  /** As Prometheus names alerts: `CodisSlotsOffline`. */
  readonly name: string;
  readonly when: string;
  /** How long the expression must hold, in minutes; 0: not at all. */
  readonly minutes: number;
  /** `critical`: clients get errors, wake somebody; `warning`: look at it in the morning. */
  readonly severity: "critical" | "warning";
  /** What has happened; may name labels as Prometheus's templates do. */
  readonly summary: string;
  /** What to do. */
  readonly fix: string;
}

/** What is known of a metric before it is measured. */
export interface MetricHead {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  /** The labels that its samples have, `worker` and `le` not among them. */
  readonly labels: readonly string[];
  /** How the values of several workers are put together; left out: they are added up. */
  readonly across?: "min" | "max";
  readonly alerts?: readonly Alert[];
}

/** Metrics of one subject, in a document and on a dashboard. */
export interface MetricSection<R extends MetricHead = MetricHead> {
  readonly title: string;
  readonly rows: readonly R[];
}

/** One metric with all its samples. */
export interface Metric extends Pick<MetricHead, "name" | "help" | "type"> {
  readonly samples: Iterable<Sample>;
}

/** The sample of a metric without labels. */
export function oneSample(value: number): Sample[] {
  return [[{}, value]];
}

/** Prints metrics in their order, an empty line between two. */
export function prometheusText(metrics: Iterable<Metric>): string {
  return `${Array.from(metrics, metricText).join("\n\n")}\n`;
}

function metricText({ name, help, type, samples }: Metric): string {
  let text = `# HELP ${name} ${escape(help)}\n# TYPE ${name} ${type}`;
  for (const [labels, value, suffix = ""] of samples) {
    text += `\n${name}${suffix}${labelsText(labels)} ${valueText(value)}`;
  }
  return text;
}

function labelsText(labels: Labels): string {
  let text = "";
  for (const name in labels) {
    const value = `${labels[name]}`;
    text += `${text === "" ? "{" : ","}${name}="${escape(value).replaceAll('"', '\\"')}"`;
  }
  return text === "" ? "" : `${text}}`;
}

function valueText(value: number): string {
  if (Number.isFinite(value)) return `${value}`;
  return Number.isNaN(value) ? "NaN" : value < 0 ? "-Inf" : "+Inf";
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
