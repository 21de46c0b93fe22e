/**
 * Prometheus's text format, of metrics that were counted elsewhere. Its client library counts itself, and
 * offers no histogram that is handed its buckets.
 *
 * @module
 */

/** The content type of {@linkcode prometheusText}. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Labels of a sample, in the order in which they are printed. */
export type Labels = Readonly<Record<string, string | number>>;

/** A value, and what a histogram's sample has behind the metric's name: `_bucket`, `_sum`, `_count`. */
export type Sample = readonly [labels: Labels, value: number, suffix?: string];

/** One metric with all its samples. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: Iterable<Sample>;
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
