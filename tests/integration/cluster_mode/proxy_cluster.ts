/**
 * Proxies with `cluster_mode = on` of one product, in front of two servers: what a client of a Redis Cluster takes
 * for its nodes.
 *
 * @module
 */

import { until } from "../../support/deadline.ts";
import type { Place } from "../../support/place.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer, type RedisServers } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";

/** A loopback address that proxies register as it is: instead of 127.0.0.1 they register the name of the machine. */
const PLACE: Place = { host: "127.1.0.1", enter: [] };

/** See the header. */
export class ProxyCluster implements AsyncDisposable {
  readonly proxies: ProxyProcess[] = [];
  readonly servers: RedisServers;
  readonly host = PLACE.host;
  #started = 0;

  private constructor(servers: RedisServers) {
    this.servers = servers;
  }

  /** Starts so many proxies, and waits until each of them knows all. */
  static async start(count: number): Promise<ProxyCluster> {
    const cluster = new ProxyCluster(await RedisServer.startMany(2));
    try {
      await cluster.add();
      await Promise.all(Array.from({ length: count - 1 }, () => cluster.add()));
      await cluster.untilKnown();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts one more proxy, with two workers. */
  async add(): Promise<ProxyProcess> {
    const first = this.proxies[0]?.folder;
    const proxy = await ProxyProcess.start({
      servers: this.servers,
      place: PLACE,
      cpu: 2,
      config: {
        cluster_mode: "on",
        proxy_id: `proxy_${++this.#started}`,
        ...first === undefined ? {} : { embedded_dir: `${first}/data` },
      },
    });
    this.proxies.push(proxy);
    return proxy;
  }

  /** Waits until each of these says that they are the nodes. */
  async untilKnown(proxies: readonly ProxyProcess[] = this.proxies): Promise<void> {
    const wanted = proxies.map(({ port }) => port).sort((a, b) => a - b);
    await Promise.all(proxies.map(({ port }) =>
      until(async () => {
        using client = await RespClient.connect(port, this.host);
        const slots = await client.call("CLUSTER", "SLOTS") as [number, number, [string, number]][];
        const ports = slots.map(([, , node]) => node[1]).sort((a, b) => a - b);
        return `${ports}` === `${wanted}`;
      })
    ));
  }

  /** How many requests each proxy has had. */
  async requests(): Promise<number[]> {
    return await Promise.all(this.proxies.map(async ({ port }) => {
      using client = await RespClient.connect(port, this.host);
      const stats = `${await client.call("INFO", "stats")}`;
      return Number(/total_commands_processed:(\d+)/.exec(stats)![1]);
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.proxies.toReversed()) await proxy[Symbol.asyncDispose]();
    await this.servers[Symbol.asyncDispose]();
  }
}
