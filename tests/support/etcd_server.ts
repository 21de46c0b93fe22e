/**
 * A real etcd that the tests of a file share: `const etcd = await EtcdServer.start()`.
 *
 * @module
 */

import { DaemonServer } from "./daemon_server.ts";
import { freePort } from "./free_port.ts";

/** How an etcd is started. */
export interface EtcdOptions {
  /** Further arguments, such as `--client-cert-auth`. */
  readonly args?: readonly string[];
  /** How clients reach it. @default "http" */
  readonly scheme?: "http" | "https";
}

/** One member that is a whole cluster, with a temporary folder, on 127.0.0.1. */
export class EtcdServer extends DaemonServer {
  /** With its scheme. */
  readonly url: string;
  protected override readonly name = "etcd";
  readonly #words: readonly string[];

  private constructor(folder: string, options: EtcdOptions) {
    super(freePort(), folder);
    this.url = `${options.scheme ?? "http"}://${this.addr}`;
    const peer = `http://127.0.0.1:${freePort()}`;
    this.#words = [
      ...["etcd", "--name=test", `--data-dir=${folder}/data`, "--log-level=warn"],
      ...[`--listen-client-urls=${this.url}`, `--advertise-client-urls=${this.url}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`],
      ...[
        `--initial-cluster=test=${peer}`,
        "--unsafe-no-fsync",
        // Elections, and with them leases, of a test's length.
        "--heartbeat-interval=50",
        "--election-timeout=600",
        ...options.args ?? [],
      ],
    ];
  }

  /** Starts a server and waits until it serves. */
  static async start(options: EtcdOptions = {}): Promise<EtcdServer> {
    return await this.startNew("codis-etcd-", (folder) => new EtcdServer(folder, options));
  }

  protected override words(): readonly string[] {
    return this.#words;
  }

  protected override async isServing(): Promise<boolean> {
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
}
