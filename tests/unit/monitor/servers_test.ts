/**
 * What the monitor of servers guarantees: an outage and its end are reported once each.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { GroupRecord } from "../../../src/model/group.ts";
import { ServerMonitor } from "../../../src/monitor/servers.ts";
import type { RedisConnection } from "../../../src/redis/connection.ts";
import { FakeTimers } from "../../support/fake_timers.ts";

const MASTER = "m:1";
const REPLICA = "r:1";

const [STORED_MASTER, STORED_REPLICA] = [
  { type: "master", group_id: 1, addr: MASTER },
  { type: "slave", group_id: 1, addr: REPLICA },
] as const;

const GROUP: GroupRecord = {
  id: 1,
  product_name: "test",
  servers: [STORED_MASTER, STORED_REPLICA],
};

const INFO: Readonly<Record<string, string>> = {
  [MASTER]:
    "run_id:a\r\nmaxmemory:0\r\nrole:master\r\nmaster_replid:x\r\nmaster_repl_offset:90\r\n",
  [REPLICA]: "run_id:b\r\nmaxmemory:0\r\nrole:slave\r\nmaster_host:m\r\nmaster_port:1\r\n" +
    "master_link_status:up\r\nmaster_replid:x\r\nslave_repl_offset:60\r\n",
};

/** Servers that answer, except for those in `down`. */
class FakeServers {
  readonly timers = new FakeTimers();
  readonly down = new Set<string>();
  readonly events: string[] = [];
  readonly monitor: ServerMonitor = new ServerMonitor({
    redis: (addr) =>
      this.down.has(addr)
        ? Promise.reject(new Error(`${addr}: connection refused`))
        : Promise.resolve(this.#connection(addr)),
    report: (level, text) => void this.events.push(`${level}: ${text}`),
  }, this.timers);

  #connection(addr: string): RedisConnection {
    const call = () =>
      this.down.has(addr)
        ? Promise.reject(new Error(`${addr}: connection lost`))
        : Promise.resolve(new TextEncoder().encode(INFO[addr]));
    return { isOpen: true, failedMs: 0, call, close() {} } as unknown as RedisConnection;
  }

  /** Lets rounds begin one second apart. */
  async rounds(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.monitor.round([GROUP]);
      this.timers.advance(1_000);
    }
  }
}

Deno.test("an outage is reported once after two seconds, and its end once", async () => {
  const servers = new FakeServers();
  const { down, events, monitor } = servers;
  await servers.rounds(2);
  assertEquals([monitor.downMs(MASTER), monitor.downMs(REPLICA)], [0, 0]);
  down.add(MASTER);
  await servers.rounds(3);
  assertEquals(events, []);
  await servers.rounds(3);
  assertEquals(events, [
    `error: group 1: the master ${MASTER} does not answer: connection refused`,
  ]);
  assertEquals(monitor.downMs(MASTER), 6_000);
  down.clear();
  await servers.rounds(3);
  assertEquals(events.slice(1), [`info: group 1: the master ${MASTER} answers again, after 7 s`]);
  assertEquals(monitor.downMs(MASTER), 0);
});

Deno.test("an outage shorter than two seconds is not reported", async () => {
  const servers = new FakeServers();
  await servers.rounds(1);
  servers.down.add(REPLICA);
  await servers.rounds(2);
  servers.down.clear();
  await servers.rounds(3);
  assertEquals(servers.events, []);
});

Deno.test("a server is shown as stored and as it last answered", async () => {
  const { monitor } = new FakeServers();
  assertEquals(monitor.view(STORED_MASTER, MASTER).problem, "not asked yet");
  await monitor.round([GROUP]);
  const view = monitor.view(STORED_REPLICA, MASTER);
  assertEquals([view.is_reachable, view.problem, view.role], [true, "", "slave"]);
  assertEquals(view.replication, { master: MASTER, is_up: true, lag_bytes: 30 });
  assertEquals(
    monitor.view({ ...STORED_REPLICA, type: "master" }, "").problem,
    `stored as master, but it follows ${MASTER}`,
  );
});
