/**
 * The map of a cluster follows the proxies: one that comes, drains, is upgraded, or is killed, under clients that
 * go on.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { Cluster } from "ioredis";
import { createCluster } from "redis";
import { until } from "../../support/deadline.ts";
import { RespClient } from "../../support/resp_client.ts";
import { ProxyCluster } from "./proxy_cluster.ts";

/** Writes and reads keys of all proxies until it is told to stop, and counts. */
class Load {
  requests = 0;
  readonly #errors: string[] = [];
  #isOver = false;
  readonly #client: Cluster;
  readonly #running: Promise<unknown>;

  constructor(host: string, port: number) {
    // Nobody redirects: new proxies are only found by the timer.
    this.#client = new Cluster([{ host, port }], { slotsRefreshInterval: 100 });
    this.#client.on("error", () => {});
    this.#running = Promise.all(Array.from({ length: 8 }, (_, i) => this.#run(i)));
  }

  async #run(user: number): Promise<void> {
    for (let n = 0; !this.#isOver; n++) {
      const key = `user:${user}:${n % 32}`;
      try {
        await this.#client.set(key, n);
        const read = await this.#client.get(key);
        if (read !== `${n}`) this.#errors.push(`${key} is ${read}, not ${n}`);
      } catch (error) {
        this.#errors.push(`${error}`);
      }
      this.requests++;
      await delay(2);
    }
  }

  /** Waits for requests after what was done. */
  async goesOn(): Promise<void> {
    const before = this.requests;
    await until(() => this.requests > before + 100);
  }

  /** What went wrong. */
  async end(): Promise<readonly string[]> {
    this.#isOver = true;
    await this.#running;
    this.#client.disconnect();
    return this.#errors;
  }
}

async function nodeIds(host: string, port: number): Promise<string[]> {
  using client = await RespClient.connect(port, host);
  const nodes = `${await client.call("CLUSTER", "NODES")}`.trim().split("\n");
  return nodes.map((line) => line.split(" ")[0]!).sort();
}

Deno.test("clients go on while proxies come, drain and are killed, and the map follows", async () => {
  await using cluster = await ProxyCluster.start(1);
  const { host, proxies: [first] } = cluster;
  const load = new Load(host, first!.port);
  const requestsOf = async (place: number) => (await cluster.requests())[place]!;
  try {
    const [second, third] = await Promise.all([cluster.add(), cluster.add()]);
    await cluster.untilKnown();
    assertEquals(await nodeIds(host, third.port), await nodeIds(host, first!.port));
    for (const place of [1, 2]) await until(async () => await requestsOf(place) > 50);

    // It leaves the map before its clients have gone, and they are served by the others.
    using _waiting = await blocked(host, second.port);
    const stopped = second.stop();
    await cluster.untilKnown([first!, third]);
    await load.goesOn();
    await stopped;

    await third.kill();
    await cluster.untilKnown([first!]);
    await load.goesOn();
  } finally {
    assertEquals(await load.end(), []);
  }
});

/** A client that blocks, for which a draining proxy waits. */
async function blocked(host: string, port: number): Promise<RespClient> {
  const client = await RespClient.connect(port, host);
  await client.send("BLPOP", "nothing", "1");
  return client;
}

Deno.test("node-redis goes to the other proxies when one lets its clients go: no request fails, and no message is missed", async () => {
  await using cluster = await ProxyCluster.start(2);
  const { host, proxies: [first, second] } = cluster;
  const client = createCluster({ rootNodes: [{ url: `redis://${host}:${first!.port}` }] });
  const errors: string[] = [];
  client.on("error", (error) => errors.push(`${error}`));
  await client.connect();
  try {
    let heard = 0;
    await client.sSubscribe("{news}", () => void heard++);
    let isOver = false;
    let requests = 0;
    const users = Array.from({ length: 16 }, async (_, user) => {
      for (let n = 1; !isOver; n++, requests++) {
        const count = await client.incr(`node:${user}`).catch((error) => errors.push(`${error}`));
        if (count !== n) errors.push(`node:${user} is ${count}, not ${n}`);
      }
    });
    const goOn = async () => {
      const before = requests;
      await until(() => requests > before + 500);
    };
    await goOn();
    await second!.stop();
    await goOn();
    assertEquals(client.masters.map(({ port }) => port), [first!.port]);
    isOver = true;
    await Promise.all(users);
    await client.sPublish("{news}", "hello");
    await until(() => heard === 1);
    assertEquals(errors, []);
  } finally {
    client.destroy();
  }
});

Deno.test("a proxy that another process takes over is the same node all the time", async () => {
  await using cluster = await ProxyCluster.start(1);
  const { host, proxies: [proxy] } = cluster;
  const load = new Load(host, proxy!.port);
  try {
    const ids = await nodeIds(host, proxy!.port);
    await proxy!.upgrade();
    assertEquals(await nodeIds(host, proxy!.port), ids);
    await cluster.untilKnown();
    await load.goesOn();
  } finally {
    assertEquals(await load.end(), []);
  }
});
