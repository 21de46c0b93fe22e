/**
 * What the monitor of servers guarantees: for how long one is down, and how it is shown.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  FakeServers,
  MASTER,
  REPLICA,
  STORED_MASTER,
  STORED_REPLICA,
} from "../../support/fake_servers.ts";

Deno.test("a server is down from its first missing answer to its next one", async () => {
  const servers = new FakeServers();
  const { down, monitor } = servers;
  await servers.rounds(2);
  assertEquals([monitor.downMs(MASTER), monitor.downMs(REPLICA)], [0, 0]);
  down.add(MASTER);
  await servers.rounds(6);
  assertEquals([monitor.downMs(MASTER), monitor.downMs(REPLICA)], [6_000, 0]);
  assertEquals(monitor.problemOf(MASTER), `${MASTER}: connection refused`);
  down.clear();
  await servers.rounds(1);
  assertEquals([monitor.downMs(MASTER), monitor.problemOf(MASTER)], [0, ""]);
});

Deno.test("a server is shown as stored and as it last answered", async () => {
  const servers = new FakeServers();
  const { monitor } = servers;
  assertEquals(monitor.view(STORED_MASTER, MASTER).problem, "not asked yet");
  await monitor.round([servers.group]);
  const view = monitor.view(STORED_REPLICA, MASTER);
  assertEquals([view.is_reachable, view.problem, view.role], [true, "", "slave"]);
  assertEquals(view.replication, { master: MASTER, is_up: true, lag_bytes: 30 });
  assertEquals(
    monitor.view({ ...STORED_REPLICA, type: "master" }, "").problem,
    `stored as master, but it follows ${MASTER}`,
  );
});
