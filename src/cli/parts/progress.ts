/**
 * The progress of a long command: a bar on a terminal, a line every few seconds elsewhere.
 *
 * It goes to standard error, so that standard output holds only the result.
 *
 * @module
 */

/** Least time between two lines where there is no terminal, in milliseconds. */
const LINE_PERIOD_MS = 5_000;
/** Characters of a whole bar. */
const BAR_WIDTH = 30;
/** Width of a terminal whose width is not known. */
const COLUMNS = 80;
/** Moves to the start of the line and clears it. */
const CLEAR = "\r\u001b[K";

/** Where progress is shown. */
export interface ProgressPlace {
  /** Whether the line can be drawn again. */
  readonly isTerminal: boolean;
  write(text: string): void;
}

/** Standard error. */
const STANDARD_ERROR: ProgressPlace = {
  isTerminal: Deno.stderr.isTerminal(),
  write: (text) => Deno.stderr.writeSync(new TextEncoder().encode(text)),
};

/** A progress bar; `using progress = new Progress()` removes it at the end. */
export class Progress implements Disposable {
  readonly #place: ProgressPlace;
  #lastLineMs = performance.now();

  /** Shows nothing yet. */
  constructor(place: ProgressPlace = STANDARD_ERROR) {
    this.#place = place;
  }

  /** Whether a bar is drawn. */
  get isTerminal(): boolean {
    return this.#place.isTerminal;
  }

  /** Shows that `done` of `total` are done, and a text. */
  show(done: number, total: number, text: string): void {
    const count = `${done}/${total}${text === "" ? "" : `  ${text}`}`;
    if (this.#place.isTerminal) {
      this.#place.write(CLEAR + `${bar(done, total)} ${count}`.slice(0, columns() - 1));
      return;
    }
    const nowMs = performance.now();
    if (nowMs - this.#lastLineMs < LINE_PERIOD_MS) return;
    this.#lastLineMs = nowMs;
    this.#place.write(`${count}\n`);
  }

  /** Prints a line that stays. */
  say(text: string): void {
    this.#place.write(`${this.#place.isTerminal ? CLEAR : ""}${text}\n`);
  }

  [Symbol.dispose](): void {
    if (this.#place.isTerminal) this.#place.write(CLEAR);
  }
}

function bar(done: number, total: number): string {
  const filled = total === 0 ? BAR_WIDTH : Math.floor(BAR_WIDTH * done / total);
  return `[${"#".repeat(filled).padEnd(BAR_WIDTH)}]`;
}

function columns(): number {
  try {
    return Deno.consoleSize().columns || COLUMNS;
  } catch {
    return COLUMNS;
  }
}
