/**
 * A real redis-server of a test's own: `await using redis = await RedisServer.start()`.
 *
 * @module
 */

import { Child } from "./child.ts";
import { freePort } from "./free_port.ts";
import { commandIn, HERE, type Place } from "./place.ts";
import { RespClient } from "./resp_client.ts";

/** How a redis-server is started. */
export interface RedisOptions {
  /** Further arguments, such as `--requirepass` and a word. */
  readonly args?: readonly string[];
  /** The port; by default a free one. */
  readonly port?: number;
  /** The program, where it is another than the redis-server of this machine. */
  readonly program?: string;
  /** Where it runs. @default HERE */
  readonly place?: Place | undefined;
}

/** Servers that end together. */
export type RedisServers = RedisServer[] & AsyncDisposable;

/** What servers of all versions say when they serve. */
const READY = /ready to accept connections/i;
/** How often a start is tried anew when somebody else took the free port. */
const START_ATTEMPTS = 5;

/** One redis-server process with a temporary folder, saving nothing. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  /** `host:port`, as config.ini writes it. */
  readonly addr: string;
  readonly #folder: string;
  readonly #args: readonly string[];
  readonly #program: string;
  readonly #place: Place;
  #child: Child | undefined;

  private constructor(port: number, folder: string, options: RedisOptions) {
    this.port = port;
    this.#place = options.place ?? HERE;
    this.addr = `${this.#place.host}:${port}`;
    this.#folder = folder;
    this.#args = options.args ?? [];
    this.#program = options.program ?? "redis-server";
  }

  /** Starts a server and waits until it accepts connections. */
  static async start(options: RedisOptions = {}): Promise<RedisServer> {
    const folder = await Deno.makeTempDir({ prefix: "codis-redis-" });
    for (let attempt = 1;; attempt++) {
      const server = new RedisServer(options.port ?? freePort(), folder, options);
      try {
        await server.restart();
        return server;
      } catch (error) {
        if (options.port === undefined && attempt < START_ATTEMPTS) continue;
        await Deno.remove(folder, { recursive: true });
        throw error;
      }
    }
  }

  /** Starts `count` servers at once; disposing the list disposes all of them. */
  static async startMany(count: number, options: RedisOptions = {}): Promise<RedisServers> {
    const started = Array.from({ length: count }, () => RedisServer.start(options));
    return Object.assign(await Promise.all(started), {
      async [Symbol.asyncDispose](this: RedisServer[]) {
        await Promise.all(this.map((server) => server[Symbol.asyncDispose]()));
      },
    });
  }

  /** The process id; throws when the server does not run. */
  get pid(): number {
    if (this.#child === undefined) throw new Error(`redis-server ${this.addr} does not run`);
    return this.#child.pid;
  }

  /** Starts the server again on the same port, after `stop` or `kill`. */
  async restart(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`redis-server ${this.addr} runs already`);
    const { host } = this.#place;
    const [program, words] = commandIn(this.#place, [this.#program]);
    const child = new Child(program, {
      args: [
        ...words,
        ...["--port", `${this.port}`, "--bind", host, "--dir", this.#folder],
        // A replica's first sync begins 5 s after it was asked for, otherwise.
        ...["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", ...this.#args],
      ],
    });
    await child.waitFor(() => READY.test(child.stdout));
    this.#child = child;
  }

  /** Ends it as an operator would, with SIGTERM; does nothing when it does not run. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Ends it with SIGKILL, as a crash would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await child?.end(signal);
  }

  /** Stops it for a while without ending it: connections stay open and nothing is answered. */
  pause(): void {
    this.#child?.signal("SIGSTOP");
  }

  /** Goes on after `pause`. */
  resume(): void {
    this.#child?.signal("SIGCONT");
  }

  /** Opens a connection to this server. */
  client(): Promise<RespClient> {
    return RespClient.connect(this.port, this.#place.host);
  }

  /** Kills the server and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
