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
    `stored as master, but it follows ${MASTER}: it refuses writes (config check says what to do)`,
  );
});

Deno.test("a replica is known to have synced when it was seen linked, or has another history after it was not", async () => {
  const servers = new FakeServers();
  const { monitor, info } = servers;
  const replica = info[REPLICA]!;
  Object.assign(replica, {
    ...{ master_link_status: "down", master_replid: "own", run_id: "r" },
    master_link_down_since_seconds: "-1",
  });
  await servers.rounds(2);
  assertEquals(monitor.lastLinked(REPLICA), undefined);
  // Its first sync, and the loss of its link, between two answers.
  Object.assign(replica, { master_replid: "x", master_link_down_since_seconds: "0" });
  await servers.rounds(1);
  assertEquals(monitor.lastLinked(REPLICA)?.history, "x");
  // A restart gives it a history of its own: that is no sync.
  Object.assign(replica, { master_replid: "other", run_id: "s" });
  await servers.rounds(2);
  assertEquals(monitor.lastLinked(REPLICA)?.history, "x");
  Object.assign(replica, { master_link_status: "up" });
  await servers.rounds(1);
  assertEquals(monitor.lastLinked(REPLICA)?.history, "other");
});
