/**
 * The Redis servers of the demo: real ones, on free ports, without persistence.
 *
 * @module
 */

import { listen } from "../../io/listen.ts";

/** Longest time that a server may take to start, in milliseconds. */
const START_MS = 10_000;
/** Longest time that a server may take to end before it is killed, in milliseconds. */
const END_MS = 3_000;
/** Attempts to start a server, in case another process takes the free port first. */
const START_ATTEMPTS = 5;
/** What a server prints when it is ready. */
const READY = "Ready to accept connections";

/** One redis-server process. */
export class DemoRedis {
  /** Where it listens, `host:port`. */
  readonly addr: string;
  readonly #child: Deno.ChildProcess;
  readonly #isReady: Promise<boolean>;

  private constructor(port: number, folder: string) {
    this.addr = `127.0.0.1:${port}`;
    this.#child = spawn([
      ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder],
      ...["--save", "", "--appendonly", "no"],
    ]);
    this.#isReady = drainUntilReady(this.#child.stdout);
  }

  /**
   * Starts a server and waits until it is ready.
   *
   * @param folder Its working folder.
   * @throws {Error} When there is no redis-server program, or it does not start.
   */
  static async start(folder: string): Promise<DemoRedis> {
    for (let attempt = 1;; attempt++) {
      const redis = new DemoRedis(freePort(), folder);
      if (await redis.#starts()) return redis;
      await redis.stop();
      if (attempt === START_ATTEMPTS) {
        throw new Error(`redis-server on ${redis.addr} did not start within ${START_MS} ms`);
      }
    }
  }

  /** Settles when the process has ended. */
  get ended(): Promise<unknown> {
    return this.#child.status;
  }

  /** Ends the process, if necessary with SIGKILL; does nothing when it has ended. */
  async stop(): Promise<void> {
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.#signal("SIGKILL"), END_MS);
    await this.#child.status;
    clearTimeout(timer);
    await this.#isReady;
  }

  async #starts(): Promise<boolean> {
    const timer = setTimeout(() => this.#signal("SIGKILL"), START_MS);
    try {
      return await this.#isReady;
    } finally {
      clearTimeout(timer);
    }
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
  }
}

function spawn(args: string[]): Deno.ChildProcess {
  try {
    return new Deno.Command("redis-server", {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      // Not in our process group: Ctrl-C must reach only us. We end the servers after the proxy.
      detached: true,
    }).spawn();
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotCapable;
    if (!isMissing) throw error;
    throw new Error(
      "redis-server is not in PATH: install it, for example with apt-get install redis-server",
      { cause: error },
    );
  }
}

/** Resolves to whether the server is ready. Reads its output to the end: otherwise it would block. */
function drainUntilReady(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const drain = async () => {
    let text = "";
    for await (const chunk of stdout.pipeThrough(new TextDecoderStream())) {
      // A chunk may end within a line, so the end of the text is kept.
      text = text.slice(-READY.length) + chunk;
      if (text.includes(READY)) resolve(true);
    }
    resolve(false);
  };
  drain().catch(() => resolve(false));
  return promise;
}

function freePort(): number {
  const listener = listen("127.0.0.1", 0);
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}
