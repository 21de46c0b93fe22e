/**
 * A slot that moves to and fro between two servers: `await using moving = await MovingSlot.start()`.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { type RedisOptions, RedisServer } from "./redis_server.ts";
import { RouterServer, slotOf } from "./router_server.ts";

/** What every key of the slot has in its name. */
export const TAG = "{m}";

const SLOT = slotOf(TAG);

/** Two servers and a proxy whose slot {m} can be moved between them as the dashboard does it. */
export class MovingSlot implements AsyncDisposable {
  readonly servers: RedisServer[];
  readonly proxy: RouterServer;
  /** Which of the servers owns the slot. */
  owner = 0;

  private constructor(servers: RedisServer[], proxy: RouterServer) {
    this.servers = servers;
    this.proxy = proxy;
  }

  /** Starts two servers and a proxy; the first server owns all slots. */
  static async start(options: RedisOptions = {}): Promise<MovingSlot> {
    const servers = await RedisServer.startMany(2, options);
    const proxy = await RouterServer.start({ servers: [servers[0]!] });
    return new MovingSlot(servers, proxy);
  }

  /** Blocked, then migrating, then open at the other server. */
  async move(migratingMs = 0): Promise<void> {
    const from = this.servers[this.owner]!;
    this.owner = 1 - this.owner;
    const to = this.servers[this.owner]!;
    await this.proxy.fill(SLOT, from.addr, { isBlocked: true });
    await this.proxy.fill(SLOT, to.addr, {
      groupId: 2,
      migrateFromAddr: from.addr,
      migrateFromGroupId: 1,
    });
    await delay(migratingMs);
    await this.moveKeys(from, to);
    await this.proxy.fill(SLOT, to.addr, { groupId: 2 });
  }

  /** Moves all keys that are still at the source. */
  async moveKeys(from: RedisServer, to: RedisServer): Promise<void> {
    using old = await from.client();
    const keys = await old.call("KEYS", "*") as string[];
    for (const key of keys) await old.call("MIGRATE", "127.0.0.1", to.port, key, 0, 5000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()));
  }
}
