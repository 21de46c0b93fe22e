/**
 * The terminal while a screen is drawn on it: keys in, screens out, and as it was before in the end.
 *
 *     alternate screen, no cursor, raw keys ─► screens ─► whatever ends the program ─► as before
 *
 * @module
 */

import { type Line, type Look, renderLine } from "./text.ts";
import type { Size } from "./screen.ts";

/** Alternate screen; cursor hidden; long lines are cut, not wrapped. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_REST = "\x1b[J";

/** Terminals that move no cursor, and those with few characters. */
const DUMB: readonly string[] = ["dumb", ""];
const WITHOUT_BLOCKS: readonly string[] = [...DUMB, "linux", "vt100", "vt220"];

/** Where the size is not known. */
const SIZE: Size = { columns: 80, rows: 24 };

/** Longest time that the terminal may take to be as before, in milliseconds. */
const LEAVE_MS = 1_000;

/** What ends a program without its `finally`. */
const ENDS = ["error", "unhandledrejection"] as const;

/** See the header; `await using` puts the terminal back. */
export class Terminal implements AsyncDisposable {
  readonly #look: Look;
  readonly #isDumb: boolean;
  readonly #hasKeys: boolean;
  readonly #onEnd = () => this.#leaveNow();
  #shown = "";
  #written = Promise.resolve();
  #isEntered = true;

  /** Takes the terminal of standard input and output. */
  static async open(): Promise<Terminal> {
    const terminal = new Terminal(Deno.env.get("TERM") ?? "");
    await terminal.#write(terminal.#isDumb ? "" : ENTER);
    return terminal;
  }

  private constructor(name: string) {
    this.#isDumb = DUMB.includes(name);
    this.#look = {
      hasColours: !Deno.noColor && !this.#isDumb,
      hasBlocks: !WITHOUT_BLOCKS.includes(name),
    };
    this.#hasKeys = Deno.stdin.isTerminal();
    for (const end of ENDS) globalThis.addEventListener(end, this.#onEnd);
    if (this.#hasKeys) Deno.stdin.setRaw(true);
  }

  /** Its size now. */
  get size(): Size {
    return terminalSize();
  }

  /** Shows a screen, if it is another one. A terminal without a cursor gets one below the other. */
  async draw(lines: readonly Line[]): Promise<void> {
    const rendered = lines.map((line) => renderLine(line, this.#look));
    const text = this.#isDumb
      ? `${rendered.map((line) => line.trimEnd()).join("\r\n")}\r\n\r\n`
      : HOME + rendered.join(`${CLEAR_LINE}\r\n`) + CLEAR_LINE + CLEAR_REST;
    if (text === this.#shown || !this.#isEntered) return;
    this.#shown = text;
    await this.#write(text);
  }

  /** Draws the next screen as a whole, whatever is there. */
  forget(): void {
    this.#shown = "";
  }

  /** What is typed, as it comes; ends with the terminal. Never ends where keys come from none. */
  async *typed(): AsyncGenerator<string> {
    if (!this.#hasKeys) return await new Promise<never>(() => {});
    const buffer = new Uint8Array(256);
    const decoder = new TextDecoder();
    for (;;) {
      const count = await Deno.stdin.read(buffer).catch(() => null);
      if (count === null) return;
      yield decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    for (const end of ENDS) globalThis.removeEventListener(end, this.#onEnd);
    const left = this.#write(this.#isDumb ? "" : LEAVE).then(() => true, () => true);
    const late = new Promise<false>((resolve) => void setTimeout(() => resolve(false), LEAVE_MS));
    // A terminal that takes nothing must not keep us; changing its mode would wait for it.
    if (await Promise.race([left, late])) this.#cook();
  }

  /** Before the runtime prints an error and ends. */
  #leaveNow(): void {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    this.#cook();
    if (!this.#isDumb) Deno.stdout.writeSync(new TextEncoder().encode(LEAVE));
  }

  #cook(): void {
    try {
      if (this.#hasKeys) Deno.stdin.setRaw(false);
    } catch { /* The terminal is gone. */ }
  }

  /** Writes after what is being written. */
  #write(text: string): Promise<void> {
    return this.#written = this.#written.then(() => this.#writeNow(text));
  }

  async #writeNow(text: string): Promise<void> {
    let bytes = new TextEncoder().encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(await Deno.stdout.write(bytes));
  }
}

/** The size of the terminal; 80 columns and 24 lines where it is not known. */
export function terminalSize(): Size {
  try {
    const { columns, rows } = Deno.consoleSize();
    return { columns: columns || SIZE.columns, rows: rows || SIZE.rows };
  } catch {
    return SIZE;
  }
}
