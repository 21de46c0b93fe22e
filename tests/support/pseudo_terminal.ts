/**
 * A program in a terminal of its own, with keys pressed and windows resized:
 * `await using terminal = PseudoTerminal.start(words, { columns: 80, rows: 24 })`.
 *
 * @module
 */

import { until, within } from "./deadline.ts";

/** What Deno cannot do: opens the terminal, starts the program in it, and does what each line says. */
const HELPER = `
import fcntl, json, os, pty, select, signal, struct, sys, termios
columns, rows, *words = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    # The size must be there before the program looks.
    os.read(0, 1)
    os.execvp(words[0], words)
def resize(columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))
resize(columns, rows)
before = termios.tcgetattr(fd)
os.write(fd, b"\\n")
pending = b""
watched = [fd, 0]
while True:
    ready, _, _ = select.select(watched, [], [], 0.1)
    if fd not in watched and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT): break
    if fd in ready:
        try: data = os.read(fd, 65536)
        except OSError: data = b""
        if not data: break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 65536)
        if not data and 0 in watched: watched.remove(0)
        *lines, pending = (pending + data).split(b"\\n")
        for line in lines:
            order = json.loads(line)
            if "keys" in order: os.write(fd, order["keys"].encode())
            if "size" in order: resize(*order["size"])
            if "deaf" in order: watched.remove(fd)
            if "signal" in order: os.kill(pid, getattr(signal, order["signal"]))
_, status = os.waitpid(pid, 0)
print(json.dumps({
    "code": os.waitstatus_to_exitcode(status),
    "isAsBefore": termios.tcgetattr(fd) == before,
}), file=sys.stderr)
`;

/** Clears or moves nothing that matters for what is on a screen that is drawn as a whole. */
// deno-lint-ignore no-control-regex
const SEQUENCES = /\x1b\[[0-9;?]*[A-Za-z]/g;
/** Where a screen begins. */
const HOME = "\x1b[H";

/** How it ended. */
export interface TerminalEnd {
  readonly code: number;
  /** Whether the terminal's settings are as they were. */
  readonly isAsBefore: boolean;
}

/** See the header. */
export class PseudoTerminal implements AsyncDisposable {
  /** Everything that the program has written. */
  output = "";
  readonly #process: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<void>;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#keys = process.stdin.getWriter();
    this.#read = this.#collect();
  }

  /** Starts a program. */
  static start(
    words: readonly string[],
    size: { readonly columns: number; readonly rows: number },
    env: Readonly<Record<string, string>> = {},
  ): PseudoTerminal {
    return new PseudoTerminal(
      new Deno.Command("/usr/bin/python3", {
        args: ["-c", HELPER, `${size.columns}`, `${size.rows}`, ...words],
        env,
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn(),
    );
  }

  /** What is on the screen, without styles. */
  get screen(): string {
    const last = this.output.slice(this.output.lastIndexOf(HOME) + HOME.length);
    return last.replace(SEQUENCES, "").replaceAll("\r", "");
  }

  /** Waits until something is on the screen. */
  async shows(text: string | RegExp): Promise<void> {
    try {
      await until(() => this.screen.search(text) >= 0, 30_000);
    } catch (error) {
      throw new Error(`"${text}" is not shown:\n${this.screen}`, { cause: error });
    }
  }

  async press(keys: string): Promise<void> {
    await this.#order({ keys });
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#order({ size: [columns, rows] });
  }

  /** Takes nothing more of what the program writes, as a connection that hangs. */
  async stall(): Promise<void> {
    await this.#order({ deaf: true });
  }

  async signal(signal: Deno.Signal): Promise<void> {
    await this.#order({ signal });
  }

  /** Waits for the end of the program. */
  async ended(): Promise<TerminalEnd> {
    await within(this.#read, 30_000, "the end of the program");
    return JSON.parse(await new Response(this.#process.stderr).text());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // It ends when its terminal does.
      this.#process.kill("SIGKILL");
    } catch { /* It has ended. */ }
    await this.#keys.close().catch(() => {});
    await this.#read;
    await this.#process.stderr.cancel().catch(() => {});
    await this.#process.status;
  }

  async #order(order: unknown): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`));
  }

  async #collect(): Promise<void> {
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      this.output += text;
    }
  }
}
