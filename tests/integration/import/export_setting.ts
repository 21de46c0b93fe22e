/**
 * A product of two servers, and a server that its keys are exported to.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { assertEquals } from "@std/assert";
import type { Child } from "../../support/child.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";

/** See the header. */
export class ExportSetting implements AsyncDisposable {
  #isLoading = true;
  #loading: Promise<void> = Promise.resolve();

  /** @param replicas Servers that are made replicas of the first group. */
  static async start(replicas = 0): Promise<ExportSetting> {
    const servers = await RedisServer.startMany(3 + replicas);
    const proxy = await ProxyProcess.start({ servers: servers.slice(0, 2) });
    const product = await RespClient.connect(proxy.port);
    return new ExportSetting(servers, proxy, product, await RespClient.connect(servers[2]!.port));
  }

  private constructor(
    readonly servers: AsyncDisposable & RedisServer[],
    readonly proxy: ProxyProcess,
    readonly product: RespClient,
    readonly target: RespClient,
  ) {}

  /** Starts an export; all of one setting have one state. */
  export(...words: string[]): Child {
    const { folder } = this.proxy;
    return this.program("export", `--state=${folder}/state`, ...words);
  }

  /** Runs a `config` command to its end. */
  async config(...words: string[]): Promise<void> {
    const child = this.program("config", ...words);
    assertEquals((await child.ended).code, 0, child.stdout + child.stderr);
  }

  /** Writes through the proxy, what would show if it were repeated or lost, until {@linkcode endLoad}. */
  load(): void {
    this.#loading = (async () => {
      using client = await RespClient.connect(this.proxy.port);
      for (let i = 0; this.#isLoading; i++) {
        await client.pipeline([
          ...Array.from({ length: 30 }, (_, k) => ["INCR", `counter ${k + 30 * (i % 9)}`]),
          ...Array.from({ length: 9 }, (_, k) => ["RPUSH", `list ${k}`, i]),
          ["LTRIM", `list ${i % 9}`, -5, -1],
          ["DEL", `set ${i % 7}`],
          ["SADD", `set ${(i + 3) % 7}`, i, i + 1],
          ["SET", `soon ${i % 40}`, i, "PX", 700],
          ["APPEND", `text ${i % 20}`, "x"],
        ]);
        await delay(5);
      }
    })();
  }

  /** Ends the load. */
  async endLoad(): Promise<void> {
    this.#isLoading = false;
    await this.#loading;
  }

  /** Switches over, while the load goes on, and sees that no key differs. */
  async switchOver(): Promise<Child> {
    const last = this.export("--switch-over", "--verify=all");
    await last.waitFor(() => last.hasEnded || last.stderr.includes("are paused"));
    assertEquals((await last.ended).code, 0, last.stderr + last.stdout);
    const { compared, different } = JSON.parse(last.stdout).verified;
    assertEquals([compared > 0, different], [true, 0], last.stdout);
    return last;
  }

  program(...words: string[]): Child {
    const [target] = this.servers.slice(2);
    const to = words[0] === "export" && !words.some((word) => word.startsWith("--to="))
      ? [`--to=redis://${target!.addr}`]
      : [];
    return startProgram([...words, "-c", `${this.proxy.folder}/config.ini`, ...to]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isLoading = false;
    this.product.close();
    this.target.close();
    await this.proxy[Symbol.asyncDispose]();
    await this.servers[Symbol.asyncDispose]();
    await this.#loading.catch(() => {});
  }
}
