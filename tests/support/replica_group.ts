/**
 * One master and replicas of it, real redis-servers, of which each tells who it is: the key
 * {@linkcode WHO} holds `master`, `replica 0`, `replica 1`.
 *
 * @module
 */

import type { GroupServers } from "../../src/router/slot_table.ts";
import { until } from "./deadline.ts";
import { type RedisOptions, RedisServer } from "./redis_server.ts";
import type { Word } from "./resp_client.ts";
import { TcpRelay } from "./tcp_relay.ts";

/** What tells who has answered. */
export const WHO = "who";

/** See the header. */
export class ServersOfGroup implements AsyncDisposable {
  readonly master: RedisServer;
  readonly replicas: readonly RedisServer[];
  /** What each replica follows its master through. */
  readonly links: readonly TcpRelay[];

  private constructor(
    master: RedisServer,
    replicas: readonly RedisServer[],
    links: readonly TcpRelay[],
  ) {
    this.master = master;
    this.replicas = replicas;
    this.links = links;
  }

  /** Starts them, and waits until the replicas follow. */
  static async start(count: number, options: RedisOptions = {}): Promise<ServersOfGroup> {
    const args = [...options.args ?? [], "--replica-read-only", "no"];
    const master = await RedisServer.start({ ...options, args });
    const links = Array.from({ length: count }, () => TcpRelay.start(master.port));
    const starting = links.map(({ port }) =>
      RedisServer.start({ ...options, args: [...args, "--replicaof", "127.0.0.1", `${port}`] })
    );
    const group = new ServersOfGroup(master, await Promise.all(starting), links);
    await group.follow();
    await group.write(WHO, "master");
    for (const [i, replica] of group.replicas.entries()) {
      await say(replica, "SET", WHO, `replica ${i}`);
    }
    return group;
  }

  /** Waits until all replicas have what the master has. */
  async follow(): Promise<void> {
    for (const replica of this.replicas) {
      await until(async () =>
        `${await say(replica, "INFO", "replication")}`.includes("master_link_status:up")
      );
    }
  }

  /** Sets a key at the master, and waits until all replicas have it. */
  async write(key: string, value: Word): Promise<void> {
    using client = await this.master.client();
    await client.call("SET", key, value);
    await client.call("WAIT", this.replicas.length, 5000);
  }

  /** As the store would tell of it. */
  servers(change: Partial<GroupServers> = {}): GroupServers {
    const replicas = this.replicas.map(({ addr }) => ({ address: addr, distance: 2 as const }));
    return { groupId: 1, master: this.master.addr, distance: 2, replicas, ...change };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [...this.replicas, this.master]) await server[Symbol.asyncDispose]();
    for (const link of this.links) await link[Symbol.asyncDispose]();
  }
}

/** Says something to a server over a connection of its own. */
export async function say(server: RedisServer, ...words: Word[]): Promise<unknown> {
  const client = await server.client();
  try {
    return await client.call(...words);
  } finally {
    client.close();
  }
}
