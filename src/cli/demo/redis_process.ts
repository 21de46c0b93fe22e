/**
 * The redis-servers of the demo: real ones, on free ports, saving nothing.
 *
 * @module
 */

import { listen } from "../../io/listen.ts";

/** Longest time that a server may take to start, in milliseconds. */
const START_MS = 10_000;
/** Longest time that a server may take to end before it is killed, in milliseconds. */
const END_MS = 3_000;
/** How often a start is tried when somebody else takes the free port first. */
const START_ATTEMPTS = 5;
/** What a server prints when it can be used. */
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
   * Starts a server and waits until it can be used.
   *
   * @param folder Where it may keep files.
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

  /** Ends the process, by force if need be; nothing happens when it has ended. */
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
      // Out of the terminal's reach: Ctrl-C is for us, who end the servers after the proxy.
      detached: true,
    }).spawn();
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotCapable;
    if (!isMissing) throw error;
    throw new Error(
      "there is no redis-server in PATH: install Debian's package, apt-get install redis-server",
      { cause: error },
    );
  }
}

/** Resolves to whether the server got ready; reads on until its output ends, or it would block. */
function drainUntilReady(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const drain = async () => {
    let text = "";
    for await (const chunk of stdout.pipeThrough(new TextDecoderStream())) {
      // A line may be cut by the chunks, so some of what was read is kept.
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
