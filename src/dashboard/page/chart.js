/**
 * Charts of figures over time, drawn by uPlot.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useLayoutEffect, useRef } from "./preact_hooks.js";
import { bytes, clockTime } from "./format.js";
import { html } from "./html.js";
import { themeColour, useTheme } from "./theme.js";
// @ts-types="npm:uplot@1.6.32"
import uPlot from "./uplot.js";

/**
 * One line of a chart.
 *
 * @typedef {object} Line
 * @property {string} label
 * @property {string} colour The name of a colour of the style sheet, `--line-1`.
 * @property {boolean} [isFilled]
 * @property {readonly (number | null)[]} values
 */

const HEIGHT_PX = 180;
const AXIS_WIDTH_PX = 62;
const DAY_S = 86_400;
/** Steps between two times on the axis, in seconds. */
const TIME_STEPS_S = [
  1,
  2,
  5,
  10,
  15,
  30,
  60,
  120,
  300,
  600,
  900,
  1800,
  3600,
  7200,
  21_600,
  86_400,
  172_800,
];
/** Steps between two values on the axis where these are whole numbers. */
const WHOLE_STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power))
  .flat();
/** Steps between two sizes in bytes on the axis. */
const BYTE_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const FONT = "11px system-ui, sans-serif";
/** Width until the real one is known. */
const FIRST_WIDTH_PX = 300;

/**
 * A chart with its legend, as wide as its parent and of a fixed height.
 *
 * @param {{
 *   title: string,
 *   at: readonly number[],
 *   lines: readonly Line[],
 *   format: (value: number | null) => string,
 *   isWhole?: boolean,
 *   span?: string,
 * }} props `at`: Unix milliseconds. `isWhole`: whether all values are whole numbers.
 * `span`: what time it shows, in words.
 */
export function Chart({ title, at, lines, format, isWhole = false, span = "the last minutes" }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const theme = useTheme();
  const data = tableOf(at, lines);

  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return;
    const width = element.clientWidth || FIRST_WIDTH_PX;
    plot.current = new uPlot(optionsOf(element, width, lines, format, isWhole), data, element);
    const observer = new ResizeObserver(([entry]) => {
      const next = Math.floor(entry?.contentRect.width ?? 0);
      if (next > 0) plot.current?.setSize({ width: next, height: HEIGHT_PX });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
    };
  }, [theme]);
  useEffect(() => plot.current?.setData(data), [at.at(-1), at.length]);

  return html`
    <figure class="chart">
      <figcaption>
        <h3>${title}</h3>
        ${lines.map(({ label, colour, values }) =>
          html`
            <span key=${label} class="key">
              <i style=${{ background: `var(${colour})` }}></i>${label}${" "}
              <b>${format(values.at(-1) ?? null)}</b>
            </span>
          `
        )}
      </figcaption>
      <div class="plot" ref=${place} role="img" aria-label=${`${title}, ${span}`}></div>
    </figure>
  `;
}

/**
 * @param {readonly number[]} at
 * @param {readonly Line[]} lines
 * @returns {uPlot.AlignedData}
 */
function tableOf(at, lines) {
  return [at.map((ms) => ms / 1000), ...lines.map(({ values }) => [...values])];
}

/**
 * @param {HTMLElement} element
 * @param {number} width
 * @param {readonly Line[]} lines
 * @param {(value: number | null) => string} format
 * @param {boolean} isWhole
 * @returns {uPlot.Options}
 */
function optionsOf(element, width, lines, format, isWhole) {
  const axis = {
    stroke: themeColour("--muted"),
    font: FONT,
    grid: { stroke: themeColour("--grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { sync: { key: "overview" }, drag: { x: false, y: false } },
    padding: [8, 28, 0, 0],
    scales: { y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      {
        ...axis,
        space: 64,
        size: 28,
        incrs: TIME_STEPS_S,
        values: (_plot, ticks, _axis, _space, stepS) =>
          ticks.map((tick) =>
            stepS >= DAY_S ? dayOf(tick) : timeOfDay(tick).slice(0, stepS < 60 ? 8 : 5)
          ),
      },
      {
        ...axis,
        size: AXIS_WIDTH_PX,
        ...isWhole ? { incrs: WHOLE_STEPS } : format === bytes ? { incrs: BYTE_STEPS } : {},
        values: (_plot, ticks) => ticks.map((tick) => format(tick)),
      },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: themeColour(line.colour),
        width: 1.75,
        ...line.isFilled
          ? { fill: `color-mix(in srgb, ${themeColour(line.colour)} 16%, transparent)` }
          : {},
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [(shown) => showValues(shown, element, lines, format)] },
  };
}

/** @param {number} seconds */
function dayOf(seconds) {
  return new Date(seconds * 1000).toLocaleDateString("en", { month: "short", day: "numeric" });
}

/** @param {number} seconds */
function timeOfDay(seconds) {
  return new Date(seconds * 1000).toTimeString().slice(0, 8);
}

/**
 * Shows the values of the lines beside the cursor.
 *
 * @param {uPlot} shown
 * @param {HTMLElement} element
 * @param {readonly Line[]} lines
 * @param {(value: number | null) => string} format
 */
function showValues(shown, element, lines, format) {
  const index = shown.cursor.idx;
  const at = index === null || index === undefined ? undefined : shown.data[0][index];
  if (at === undefined || index === null || index === undefined) {
    element.removeAttribute("data-values");
    return;
  }
  const values = lines.map(({ label }, line) =>
    `${label} ${format(shown.data[line + 1]?.[index] ?? null)}`
  );
  element.dataset["values"] = `${clockTime(at * 1000)}  ${values.join("  ")}`;
}
