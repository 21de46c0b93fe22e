/**
 * A real etcd that the tests of a file share: `const etcd = await EtcdServer.start()`.
 *
 * @module
 */

import { Daemon } from "./daemon.ts";
import { until } from "./deadline.ts";
import { freePort } from "./free_port.ts";

/** How an etcd is started. */
export interface EtcdOptions {
  /** Further arguments, such as `--client-cert-auth`. */
  readonly args?: readonly string[];
  /** How clients reach it. @default "http" */
  readonly scheme?: "http" | "https";
}

/** How often a start is tried on other ports. */
const START_ATTEMPTS = 5;

/** How long a start may take on a busy machine, in milliseconds. */
const START_MS = 30_000;

/** One member that is a whole cluster, with a temporary folder, on 127.0.0.1. */
export class EtcdServer implements AsyncDisposable {
  readonly port: number;
  /** `host:port`, as config.ini writes it. */
  readonly addr: string;
  /** With its scheme. */
  readonly url: string;
  readonly #folder: string;
  readonly #words: readonly string[];
  #daemon: Daemon | undefined;

  private constructor(folder: string, options: EtcdOptions) {
    this.port = freePort();
    this.addr = `127.0.0.1:${this.port}`;
    this.url = `${options.scheme ?? "http"}://${this.addr}`;
    this.#folder = folder;
    const peer = `http://127.0.0.1:${freePort()}`;
    this.#words = [
      ...["etcd", "--name=test", `--data-dir=${folder}/data`, "--log-level=warn"],
      ...[`--listen-client-urls=${this.url}`, `--advertise-client-urls=${this.url}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`],
      ...[
        `--initial-cluster=test=${peer}`,
        "--unsafe-no-fsync",
        // Elections, and with them leases, of a test's length.
        "--heartbeat-interval=20",
        "--election-timeout=200",
        ...options.args ?? [],
      ],
    ];
  }

  /** Starts a server and waits until it serves. */
  static async start(options: EtcdOptions = {}): Promise<EtcdServer> {
    for (let attempt = 1;; attempt++) {
      const folder = await Deno.makeTempDir({ prefix: "codis-etcd-" });
      const server = new EtcdServer(folder, options);
      try {
        await server.restart();
        globalThis.addEventListener("unload", () => server.#daemon?.killNow());
        return server;
      } catch (error) {
        // Somebody else may have taken a port.
        await server[Symbol.asyncDispose]();
        if (attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  /** Starts the server again on the same port and data, after `stop` or `kill`. */
  async restart(): Promise<void> {
    if (this.#daemon !== undefined) throw new Error(`etcd ${this.addr} runs already`);
    const [folder, log] = [this.#folder, `${this.#folder}/log`];
    this.#daemon = await Daemon.start(this.#words, { folder, log });
    try {
      await until(async () => {
        if (!await this.#daemon!.isAlive()) throw new Error("it has ended");
        return await this.#isServing();
      }, START_MS);
    } catch (error) {
      const output = await Deno.readTextFile(log).catch(() => "");
      throw new Error(`etcd did not start: ${(error as Error).message}\n${output}`);
    }
  }

  async #isServing(): Promise<boolean> {
    if (this.url.startsWith("https:")) return await this.#isListening();
    try {
      const response = await fetch(`${this.url}/health`);
      return (await response.text()).includes('"true"');
    } catch {
      return false;
    }
  }

  async #isListening(): Promise<boolean> {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
      return true;
    } catch {
      return false;
    }
  }

  /** Ends it as an operator would; does nothing when it does not run. */
  async stop(): Promise<void> {
    await this.#end("TERM");
  }

  /** Ends it with SIGKILL, as a crash would. */
  async kill(): Promise<void> {
    await this.#end("KILL");
  }

  async #end(signal: "TERM" | "KILL"): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    await daemon?.end(signal);
  }

  /** Deletes all that it has stored; it must not be running. */
  async wipe(): Promise<void> {
    await Deno.remove(`${this.#folder}/data`, { recursive: true });
  }

  /** Stops it for a while without ending it: connections stay open and nothing is answered. */
  async pause(): Promise<void> {
    await this.#daemon?.pause();
  }

  /** Goes on after `pause`. */
  async resume(): Promise<void> {
    await this.#daemon?.signal("CONT");
  }

  /** Kills the server and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
