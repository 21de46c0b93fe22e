/**
 * A session with a coordinator in a process of its own, which a test may pause and kill.
 *
 * @module
 */

const SCRIPT = new URL("coordinator_session.ts", import.meta.url).pathname;

/** The process; disposing ends it in order, if it is still there. */
export class CoordinatorProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncGenerator<string>;
  #isAlive = true;

  private constructor(config: string) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", SCRIPT, config],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = readLines(this.#child.stdout);
  }

  /** Starts the process and waits until its session is open. */
  static async start(config: string): Promise<CoordinatorProcess> {
    const process = new CoordinatorProcess(config);
    await process.#answer();
    return process;
  }

  /**
   * Makes one call of the coordinator, or one of those in coordinator_session.ts.
   *
   * @throws {Error} What the call threw; its name is the class of the original.
   */
  async call(call: string, ...args: unknown[]): Promise<unknown> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify({ call, args })}\n`));
    return await this.#answer();
  }

  /** Sends a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Kills the process, as kill -9 does, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#isAlive = false;
    this.#child.kill("SIGKILL");
    await this.#writer.abort().catch(() => {});
    await this.#child.status;
    await this.#lines.return(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    await this.#writer.close();
    await this.#child.status;
    await this.#lines.return(undefined);
  }

  async #answer(): Promise<unknown> {
    const { value: line, done } = await this.#lines.next();
    if (done) throw new Error("the session's process has ended");
    const answer = JSON.parse(line);
    if (answer.error === undefined) return answer.value;
    throw Object.assign(new Error(answer.message), { name: answer.error });
  }
}

async function* readLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
