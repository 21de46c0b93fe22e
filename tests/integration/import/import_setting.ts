/**
 * A server with keys, and a product of two servers to import them to.
 *
 * @module
 */

import type { Child } from "../../support/child.ts";
import { ProxyProcess, startProgram, withFlags } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";

/** What an import says when it has copied all keys. */
export const FOLLOWS = "changes are followed";

/** See the header. */
export class ImportSetting implements AsyncDisposable {
  static async start(): Promise<ImportSetting> {
    const servers = await RedisServer.startMany(3);
    const proxy = await ProxyProcess.start({ servers: servers.slice(1) });
    return new ImportSetting(
      servers,
      proxy,
      await RespClient.connect(servers[0]!.port),
      await RespClient.connect(proxy.port),
    );
  }

  private constructor(
    readonly servers: AsyncDisposable & RedisServer[],
    readonly proxy: ProxyProcess,
    readonly source: RespClient,
    readonly product: RespClient,
  ) {}

  /** Starts an import; all of one setting have one state. */
  import(...words: string[]): Child {
    const { folder } = this.proxy;
    return startProgram([
      ...["import", "-c", `${folder}/config.ini`],
      ...withFlags(
        [`--state=${folder}/state`, `--from=redis://${this.servers[0]!.addr}`],
        words,
      ),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.source.close();
    this.product.close();
    await this.proxy[Symbol.asyncDispose]();
    await this.servers[Symbol.asyncDispose]();
  }
}
