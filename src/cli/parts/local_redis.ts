/**
 * Redis servers that we start ourselves: real ones, on free ports of this machine.
 *
 * @module
 */

import { listen } from "../../io/listen.ts";

/** How a server is started. */
export interface LocalRedisOptions {
  /** Its working folder. */
  readonly folder: string;
  /** Further words of its command line. */
  readonly args?: readonly string[];
  /** Longest time that it may take until it is ready, in milliseconds. @default 10_000 */
  readonly startMs?: number;
  /** Aborted to end it before it is ready. */
  readonly signal?: AbortSignal;
}

const START_MS = 10_000;
/** Longest time that a server may take to end before it is killed, in milliseconds. */
const END_MS = 3_000;
/** Attempts to start a server, in case another process takes the free port first. */
const START_ATTEMPTS = 5;
/** What a server prints when it is ready. */
const READY = "Ready to accept connections";
const KEPT_CHARACTERS = 1_000;

/** Without persistence. */
const SAVES_NOTHING = ["--save", "", "--appendonly", "no"];

/** One redis-server process. */
export class LocalRedis {
  /** Where it listens, `host:port`. */
  readonly addr: string;
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #isReady: Promise<boolean>;

  /** The last that it has printed. */
  #said = "";

  private constructor(port: number, { folder, args = [] }: LocalRedisOptions) {
    this.port = port;
    this.addr = `127.0.0.1:${port}`;
    this.#child = spawn([
      ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder],
      ...SAVES_NOTHING,
      ...args,
    ]);
    this.#isReady = this.#drainUntilReady();
  }

  /**
   * Starts a server and waits until it is ready.
   *
   * @throws {Error} When there is no redis-server program, or it does not start.
   */
  static async start(options: LocalRedisOptions): Promise<LocalRedis> {
    const { startMs = START_MS, signal } = options;
    for (let attempt = 1;; attempt++) {
      const redis = new LocalRedis(freePort(), options);
      const end = () => redis.#signal("SIGKILL");
      signal?.addEventListener("abort", end);
      if (signal?.aborted) end();
      const outcome = await redis.#starts(startMs);
      signal?.removeEventListener("abort", end);
      if (outcome === "ready") return redis;
      await redis.stop();
      if (outcome === "late") {
        throw new Error(`redis-server on ${redis.addr} did not start within ${startMs} ms`);
      }
      if (signal?.aborted) throw new Error("stopped");
      const isPortTaken = /Address already in use/i.test(redis.#said);
      if (attempt < START_ATTEMPTS && isPortTaken) continue;
      throw new Error(`redis-server does not start: ${lastLine(redis.#said)}`);
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

  async #starts(startMs: number): Promise<"ready" | "ended" | "late"> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#signal("SIGKILL");
    }, startMs);
    try {
      if (await this.#isReady) return "ready";
      return isLate ? "late" : "ended";
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves to whether the server is ready. Reads its output to the end: otherwise it would block. */
  #drainUntilReady(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const drain = async () => {
      for await (const chunk of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
        // A chunk may end within a line, so the end of the text is kept.
        this.#said = this.#said.slice(-KEPT_CHARACTERS) + chunk;
        if (this.#said.includes(READY)) resolve(true);
      }
      resolve(false);
    };
    drain().catch(() => resolve(false));
    return promise;
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

/** The last line that says something, without process id and time. */
function lastLine(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return (lines.at(-1) ?? "it has said nothing").replace(/^\d+:\S+ .*?\d [*#-] /, "");
}

function freePort(): number {
  const listener = listen("127.0.0.1", 0);
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}
