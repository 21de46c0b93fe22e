/**
 * Figures of the last hour, day or week: a ring with a fixed number of points for each, however long it goes
 * on. A point is the mean of what was seen within its step; of waits and lags, the longest.
 *
 * @module
 */

import type { FiguresSpan, FiguresView } from "../api/cluster_view.ts";

/** The step of each ring in milliseconds, and its points. */
export const SPANS: Readonly<Record<FiguresSpan, { stepMs: number; points: number }>> = {
  "1h": { stepMs: 10_000, points: 360 },
  "24h": { stepMs: 120_000, points: 720 },
  "7d": { stepMs: 900_000, points: 672 },
};
/** Series that a ring has at most: what comes then is left out until others have ended. */
const SERIES_MAX = 5_000;
/** Figures of which the highest counts. */
const HIGHEST = new Set(["p99_ms", "lag_bytes"]);
/** Between a subject and a figure in the name of a series. */
const SEPARATOR = "\n";
/** What a file begins with. */
const FORMAT = 1;

/** Figures by what they are of, `cluster`, `group/7`, `server/10.0.0.1:6379`, `proxy/proxy_1`. */
export type Figures = ReadonlyMap<string, Readonly<Record<string, number | null>>>;

interface Series {
  readonly values: Float32Array<ArrayBuffer>;
  /** The step of its newest value. */
  step: number;
  /** Values that the newest one is made of. */
  count: number;
}

interface Header {
  readonly format: number;
  readonly stepMs: number;
  readonly points: number;
  readonly step: number;
  readonly series: readonly (readonly [name: string, step: number, count: number])[];
}

/** See the header. */
export class FigureRing {
  readonly stepMs: number;
  readonly points: number;
  readonly #series = new Map<string, Series>();
  /** The newest step, counted from 1970. */
  #step = 0;

  constructor({ stepMs, points }: { stepMs: number; points: number }) {
    this.stepMs = stepMs;
    this.points = points;
  }

  /** How many series there are. */
  get size(): number {
    return this.#series.size;
  }

  /** Adds what was seen at a time; Unix milliseconds. */
  add(at: number, figures: Figures): void {
    const step = Math.floor(at / this.stepMs);
    // A clock that was set back by more than all of it starts a new history.
    if (step < this.#step - this.points) this.#series.clear();
    else if (step < this.#step) return;
    if (step !== this.#step) this.#goTo(step);
    for (const [subject, values] of figures) {
      for (const [figure, value] of Object.entries(values)) {
        if (value !== null) this.#put(`${subject}${SEPARATOR}${figure}`, figure, value);
      }
    }
  }

  /** Where the value of a step is. */
  #place(step: number): number {
    return Math.max(0, step) % this.points;
  }

  #goTo(step: number): void {
    const first = Math.max(this.#step + 1, step - this.points + 1);
    for (const [name, series] of this.#series) {
      if (series.step <= step - this.points) {
        this.#series.delete(name);
        continue;
      }
      for (let empty = first; empty <= step; empty++) series.values[this.#place(empty)] = NaN;
    }
    this.#step = step;
  }

  #put(name: string, figure: string, value: number): void {
    let series = this.#series.get(name);
    if (series === undefined) {
      if (this.#series.size >= SERIES_MAX) return;
      const values = new Float32Array(this.points).fill(NaN);
      this.#series.set(name, series = { values, step: this.#step, count: 0 });
    }
    if (series.step !== this.#step) series.count = 0;
    series.step = this.#step;
    const i = this.#place(this.#step);
    const before = series.values[i]!;
    series.count++;
    if (series.count === 1) series.values[i] = value;
    else if (HIGHEST.has(figure)) series.values[i] = Math.max(before, value);
    else series.values[i] = before + (value - before) / series.count;
  }

  /** All figures of a subject, oldest first; those before the first one that is known are left out. */
  view(subject: string): FiguresView {
    const own = [...this.#series].filter(([name]) => name.startsWith(`${subject}${SEPARATOR}`));
    const at = Array.from({ length: this.points }, (_, i) => this.#step - this.points + 1 + i)
      .filter((step) => step >= 0);
    const isKnown = (step: number) =>
      own.some(([, { values }]) => !Number.isNaN(values[this.#place(step)]));
    const begin = at.findIndex(isKnown);
    const steps = begin < 0 ? [] : at.slice(begin);
    return {
      step_ms: this.stepMs,
      at: steps.map((step) => step * this.stepMs),
      figures: Object.fromEntries(own.map(([name, { values }]) => [
        name.slice(subject.length + SEPARATOR.length),
        steps.map((step) => shown(values[this.#place(step)]!)),
      ])),
    };
  }

  /** All of it, for a file. */
  encode(): Uint8Array<ArrayBuffer> {
    const header: Header = {
      ...{ format: FORMAT, stepMs: this.stepMs, points: this.points, step: this.#step },
      series: [...this.#series].map(([name, { step, count }]) => [name, step, count]),
    };
    const head = new TextEncoder().encode(`${JSON.stringify(header)}\n`);
    const bytes = new Uint8Array(head.length + 4 * this.points * this.#series.size);
    bytes.set(head);
    let end = head.length;
    for (const { values } of this.#series.values()) {
      bytes.set(new Uint8Array(values.buffer), end);
      end += values.byteLength;
    }
    return bytes;
  }

  /**
   * Takes over what a file has.
   *
   * @throws {Error} When it is none of this ring's; then nothing has changed.
   */
  decode(bytes: Uint8Array<ArrayBuffer>): void {
    const headEnd = bytes.indexOf(0x0a);
    const head = new TextDecoder().decode(bytes.subarray(0, Math.max(0, headEnd)));
    const header: Header = JSON.parse(head);
    const { format, stepMs, points, step, series } = header;
    if (format !== FORMAT || stepMs !== this.stepMs || points !== this.points) {
      throw new Error("it has another form");
    }
    const length = headEnd + 1 + 4 * points * series.length;
    if (bytes.length !== length) throw new Error(`it has ${bytes.length} bytes, not ${length}`);
    this.#series.clear();
    this.#step = step;
    for (const [i, [name, lastStep, count]] of series.entries()) {
      const begin = headEnd + 1 + 4 * points * i;
      const values = new Float32Array(bytes.slice(begin, begin + 4 * points).buffer);
      this.#series.set(name, { values, step: lastStep, count });
    }
  }
}

/** With the digits that a 32-bit number has. */
function shown(value: number): number | null {
  return Number.isNaN(value) ? null : Number(value.toPrecision(6));
}
