/**
 * What `INFO replication` says, as servers of several versions have said it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { readReplication } from "../../../../src/router/slots/replication_info.ts";

Deno.test("the replicas of a master before Redis 4 are those that are online", () => {
  const found = readReplication(
    "# Replication\r\nrole:master\r\nconnected_slaves:3\r\n" +
      "slave0:ip=10.0.0.2,port=6379,state=online,offset=85,lag=0\r\n" +
      "slave1:ip=10.0.0.3,port=6380,state=wait_bgsave,offset=0,lag=0\r\n" +
      "slave2:ip=::1,port=6381,state=online,offset=85,lag=2\r\n" +
      "master_repl_offset:99\r\nrepl_backlog_active:1\r\n",
  );
  assertEquals(found, {
    role: "master",
    history: "",
    offset: 99,
    isLinked: false,
    master: "",
    replicas: ["10.0.0.2:6379", "[::1]:6381"],
    heardReplicas: 1,
  });
});

Deno.test("a replica names its master and its history", () => {
  const found = readReplication(
    "# Replication\r\nrole:slave\r\nmaster_host:db1\r\nmaster_port:6379\r\n" +
      "master_link_status:up\r\nmaster_last_io_seconds_ago:0\r\nmaster_sync_in_progress:0\r\n" +
      "slave_read_repl_offset:14\r\nslave_repl_offset:14\r\n" +
      "master_replid:8371445ee07e88\r\nmaster_repl_offset:14\r\n",
  );
  assertEquals(found, {
    role: "slave",
    history: "8371445ee07e88",
    offset: 14,
    isLinked: true,
    master: "db1:6379",
    replicas: [],
    heardReplicas: 0,
  });
});

Deno.test("what is no such reply says nothing", () => {
  for (const text of ["", "-NOAUTH Authentication required.\r\n", "role:master\r\n"]) {
    assertEquals(readReplication(text), null);
  }
});
