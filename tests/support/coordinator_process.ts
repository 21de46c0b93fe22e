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

  private constructor(config: string, fileBlocksMax: number | undefined) {
    const args = [Deno.execPath(), "run", "--quiet", "--allow-all", SCRIPT, config];
    // Writes fail as on a full disk: the first one that goes beyond is short.
    const limited = `trap '' XFSZ; ulimit -f ${fileBlocksMax}; exec "$@"`;
    if (fileBlocksMax !== undefined) args.unshift("sh", "-c", limited, "sh");
    this.#child = new Deno.Command(args[0]!, {
      args: args.slice(1),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = readLines(this.#child.stdout);
  }

  /**
   * Starts the process and waits until its session is open.
   *
   * @param fileBlocksMax How long a file may become that it writes, in blocks of 512 bytes. @default any length
   */
  static async start(config: string, fileBlocksMax?: number): Promise<CoordinatorProcess> {
    const process = new CoordinatorProcess(config, fileBlocksMax);
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
