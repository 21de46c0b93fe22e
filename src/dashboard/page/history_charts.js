/**
 * Charts of the cluster, a group, a server or a proxy over an hour, a day or a week.
 *
 * @module
 */

import { useState } from "./preact_hooks.js";
import { Chart } from "./chart.js";
import { Empty, Switch } from "./elements.js";
import { bytes, millis, short } from "./format.js";
import { html } from "./html.js";
import { usePolled } from "./polled.js";

/** @import { FiguresSpan, FiguresView } from "../../api/cluster_view.ts" */
/** @import { Line } from "./chart.js" */

/** Time between two questions for a history, in milliseconds: its shortest step. */
const PERIOD_MS = 10_000;

/** @type {readonly (readonly [value: FiguresSpan, text: string, words: string])[]} */
const SPAN_NAMES = [
  ["1h", "1 h", "the last hour"],
  ["24h", "24 h", "the last 24 hours"],
  ["7d", "7 d", "the last 7 days"],
];

/**
 * A chart of some figures.
 *
 * @typedef {object} ChartOf
 * @property {string} title
 * @property {(value: number | null) => string} format
 * @property {boolean} isWhole
 * @property {readonly (readonly [figure: string, label: string, colour: string])[]} lines
 */

/** @param {number | null} value */
function perSecond(value) {
  return value === null || value === 0 || value >= 10 ? short(value) : value.toFixed(1);
}

/** Every chart there is; what a subject has no figures of is left out. @type {readonly ChartOf[]} */
const CHARTS = [
  {
    title: "Requests per second",
    ...{ format: short, isWhole: true, lines: [["ops", "requests/s", "--line-1"]] },
  },
  {
    title: "Latency",
    ...{ format: millis, isWhole: false },
    lines: [["p50_ms", "p50", "--line-2"], ["p99_ms", "p99, the highest", "--line-3"]],
  },
  {
    title: "Errors/s",
    ...{ format: perSecond, isWhole: false },
    lines: [["errors", "in replies", "--line-4"], ["failures", "failed", "--bad"]],
  },
  {
    title: "Memory",
    ...{ format: bytes, isWhole: false, lines: [["memory_bytes", "used", "--line-4"]] },
  },
  { title: "Keys", format: short, isWhole: true, lines: [["keys", "keys", "--line-2"]] },
  {
    title: "Connections",
    ...{ format: short, isWhole: true },
    lines: [["sessions", "clients", "--line-4"], ["clients", "clients", "--line-4"]],
  },
  {
    title: "Replication lag",
    ...{ format: bytes, isWhole: false, lines: [["lag_bytes", "behind, the most", "--line-3"]] },
  },
];

/**
 * The charts of what is known.
 *
 * @param {FiguresView} history
 */
export function chartsOf({ figures }) {
  return CHARTS.map(({ lines, ...chart }) => ({
    ...chart,
    lines: lines.flatMap(([figure, label, colour]) => {
      const values = figures[figure];
      /** @type {Line[]} */
      const line = values === undefined
        ? []
        : [{ label, colour, values, isFilled: lines.length === 1 }];
      return line;
    }),
  })).filter(({ lines }) => lines.length > 0);
}

/**
 * @param {{ of: string, name: string, start?: unknown }} props `of`: as the API names it,
 * `server/10.0.0.1:6379`. `name`: in words. `start`: charts of the last minutes, if there are any.
 */
export function HistoryCharts({ of, name, start }) {
  const [span, setSpan] = useState(/** @type {FiguresSpan | "now"} */ (start ? "now" : "1h"));
  return html`
    <section class="history" aria-label=${`History of ${name}`}>
      <h2 class="sr-only">History of ${name}</h2>
      <${Switch}
        label=${`How long a history of ${name}`}
        value=${span}
        options=${[
          ...start ? [["now", "5 min"]] : [],
          ...SPAN_NAMES.map(([value, text]) => [value, text]),
        ]}
        onChange=${setSpan}
      />
      ${span === "now"
        ? start
        : html`<${SpanCharts} key=${`${of} ${span}`} of=${of} span=${span} />`}
    </section>
  `;
}

/** @param {{ of: string, span: FiguresSpan }} props */
function SpanCharts({ of, span }) {
  const path = `api/history?of=${encodeURIComponent(of)}&span=${span}`;
  const history = /** @type {FiguresView | null} */ (usePolled(path, PERIOD_MS));
  if (history === null) return html`<${Empty}>Loading …</${Empty}>`;
  const charts = chartsOf(history);
  if (charts.length === 0) return html`<${Empty}>Nothing is known yet: look again soon.</${Empty}>`;
  const words = SPAN_NAMES.find(([value]) => value === span)?.[2] ?? span;
  return html`
    <div class="charts">
      ${charts.map((chart) =>
        html`<${Chart} key=${chart.title} ...${chart} at=${history.at} span=${words} />`
      )}
    </div>
  `;
}
