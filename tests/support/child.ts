/**
 * A child process whose output is collected while it runs.
 *
 * @module
 */

/** Longest wait for a child, far above what is ever needed, in milliseconds. */
const WAIT_MS = 60_000;

/** How a child process is started. */
export interface ChildOptions {
  readonly args: string[];
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly clearEnv?: boolean;
}

/** A running program, its output so far, and its end. */
export class Child {
  readonly pid: number;
  /** Settles when the process has ended and all of its output has been read. */
  readonly ended: Promise<Deno.CommandStatus>;
  #stdout = "";
  #stderr = "";
  #hasEnded = false;
  #waiters: (() => void)[] = [];
  readonly #process: Deno.ChildProcess;

  /** Starts `program`, a path or a name on PATH. */
  constructor(program: string, options: ChildOptions) {
    this.#process = new Deno.Command(program, {
      ...options,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#process.pid;
    this.ended = this.#run();
  }

  async #run(): Promise<Deno.CommandStatus> {
    await Promise.all([
      this.#collect(this.#process.stdout, (text) => this.#stdout += text),
      this.#collect(this.#process.stderr, (text) => this.#stderr += text),
    ]);
    const status = await this.#process.status;
    this.#hasEnded = true;
    this.#wake();
    return status;
  }

  async #collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>, add: (text: string) => void) {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      add(text);
      this.#wake();
    }
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** What it wrote to standard output so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** What it wrote to standard error so far. */
  get stderr(): string {
    return this.#stderr;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * Waits until `condition` holds; it is asked again after each piece of output and at the end.
   * Rejects with all output when the process has ended, or `ms` milliseconds are over.
   */
  async waitFor(condition: () => boolean, ms = WAIT_MS): Promise<void> {
    const endMs = performance.now() + ms;
    while (!condition()) {
      const output = `${this.#stdout}${this.#stderr}`;
      if (this.#hasEnded) throw new Error(`the process ended\n${output}`);
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw new Error(`it was not so within ${ms} ms\n${output}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, leftMs);
      this.#waiters.push(resolve);
      await promise;
      clearTimeout(timer);
    }
  }

  /** Sends a signal; does nothing when the process has ended. */
  signal(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch (error) {
      // It may have ended a moment ago.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Sends a signal and waits for the end. */
  async end(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    this.signal(signal);
    return await this.ended;
  }
}
