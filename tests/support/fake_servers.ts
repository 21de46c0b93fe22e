/**
 * A group of a master and a replica that answer INFO, or do not, when a test says so.
 *
 * @module
 */

import type { GroupRecord } from "../../src/model/group.ts";
import { ServerMonitor } from "../../src/monitor/servers.ts";
import type { RedisConnection } from "../../src/redis/connection.ts";
import { FakeTimers } from "./fake_timers.ts";

/** The master's address. */
export const MASTER = "m:1";
/** The replica's address. */
export const REPLICA = "r:1";
/** Both as they are stored. */
export const [STORED_MASTER, STORED_REPLICA] = [
  { type: "master", group_id: 1, addr: MASTER },
  { type: "slave", group_id: 1, addr: REPLICA },
] as const;

/** See the header. */
export class FakeServers {
  readonly timers = new FakeTimers();
  /** Those that do not answer. */
  readonly down = new Set<string>();
  /** Why one of them takes no connection. */
  downCause = "connection refused";
  /** Those that are stored. */
  group: GroupRecord = { id: 1, product_name: "test", servers: [STORED_MASTER, STORED_REPLICA] };
  /** Fields of INFO. */
  readonly info: Record<string, Record<string, string>> = {
    [MASTER]: {
      ...{ run_id: "a", maxmemory: "0", role: "master" },
      ...{ master_replid: "x", master_repl_offset: "90" },
    },
    [REPLICA]: {
      ...{ run_id: "b", maxmemory: "0", role: "slave", master_host: "m", master_port: "1" },
      ...{ master_link_status: "up", master_replid: "x", slave_repl_offset: "60" },
    },
  };
  readonly monitor: ServerMonitor = new ServerMonitor({
    redis: (addr) =>
      this.down.has(addr)
        ? Promise.reject(new Error(`${addr}: ${this.downCause}`))
        : Promise.resolve(this.#connection(addr)),
  }, this.timers);

  #connection(addr: string): RedisConnection {
    const text = () =>
      Object.entries(this.info[addr]!).map(([name, value]) => `${name}:${value}\r\n`).join("");
    const call = () =>
      this.down.has(addr)
        ? Promise.reject(new Error(`${addr}: connection lost`))
        : Promise.resolve(new TextEncoder().encode(text()));
    return { isOpen: true, failedMs: 0, call, close() {} } as unknown as RedisConnection;
  }

  /** Lets rounds begin one second apart; `body` is called after each. */
  async rounds(count: number, body = () => {}): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.monitor.round([this.group]);
      body();
      this.timers.advance(1_000);
    }
  }
}
