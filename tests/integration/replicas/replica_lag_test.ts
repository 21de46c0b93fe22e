/**
 * A replica that lags, behind a relay that holds back what its master sends: what is seen, and by whom.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import type { GroupServers } from "../../../src/router/slot_table.ts";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { say } from "../../support/replica_group.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";

const LAG_MS = 800;
/** A read under way, and timers that come late on a busy machine. */
const SPARE_MS = 150;

Deno.test("a replica that lags", async (t) => {
  await using master = await RedisServer.start();
  await using relay = TcpRelay.start(master.port);
  await using replica = await RedisServer.start({
    args: ["--replicaof", "127.0.0.1", `${relay.port}`],
  });
  await until(async () => `${await say(replica, "INFO", "replication")}`.includes("status:up"));
  await using proxy = await RouterServer.start({
    servers: [master],
    options: { readFrom: "prefer_replica", replicaLagMs: LAG_MS, replicaLagBytesMax: 4096 },
  });
  const { slots, options } = proxy.router.shared;
  const given: GroupServers[] = [{
    groupId: 1,
    master: master.addr,
    distance: 2,
    replicas: [{ address: replica.addr, distance: 2 }],
  }];
  slots.setReplicas(given);
  const [[, group]] = [...slots.replicas.groups()] as [
    [string, NonNullable<ReturnType<typeof slots.replicas.of>>],
  ];
  const [known] = group.replicas;
  using writer = await proxy.client();
  using reader = await proxy.client();
  const isRead = async (client: RespClient, key: string) => {
    const before = known!.reads;
    const value = await client.call("GET", key);
    return { value, isFromReplica: known!.reads > before };
  };
  const untilRead = () => until(async () => (await isRead(reader, "any")).isFromReplica);

  await t.step(
    "shows a client its own writes, and others old data for replica_max_lag at most",
    async () => {
      await writer.call("SET", "k", "old");
      await until(async () => (await isRead(writer, "k")).isFromReplica);
      relay.stall();
      await writer.call("SET", "k", "new");
      const writtenMs = performance.now();
      let lastOldMs = 0;
      let [olds, news] = [0, 0];
      while (performance.now() - writtenMs < 2 * LAG_MS) {
        assertEquals((await isRead(writer, "k")).value, "new");
        const askedMs = performance.now();
        const { value } = await isRead(reader, "k");
        if (value === "old") lastOldMs = askedMs;
        if (value === "old") olds++;
        else news++;
        await delay(5);
      }
      assert(olds > 0 && news > 0, `${olds} old, ${news} new`);
      assert(lastOldMs - writtenMs < LAG_MS + SPARE_MS, `old after ${lastOldMs - writtenMs} ms`);
      assertMatch(known!.whyOut(options), /^it has not caught up with its master for \d+ ms$/);
      relay.resume();
      await untilRead();
      assertEquals((await isRead(writer, "k")).value, "new");
    },
  );

  await t.step("serves when nothing is written that it has not got", async () => {
    relay.stall();
    await delay(2 * LAG_MS);
    assertEquals(await isRead(reader, "k"), { value: "new", isFromReplica: true });
    relay.resume();
  });

  await t.step("is out when it is too many bytes behind, and when its link is down", async () => {
    relay.stall();
    using direct = await master.client();
    await direct.call("SET", "large", "x".repeat(10_000));
    await until(() => /^it is 1\d{4} bytes behind its master$/.test(known!.whyOut(options)));
    relay.resume();
    await untilRead();
    await say(replica, "REPLICAOF", "127.0.0.1", 1);
    await until(() => known!.whyOut(options) === "its link to the master is down");
    assertEquals((await isRead(reader, "k")).isFromReplica, false);
    await say(replica, "REPLICAOF", "127.0.0.1", relay.port);
    await untilRead();
  });

  await t.step("is out when it is no replica of the group's master", async () => {
    await using other = await RedisServer.start();
    await say(other, "SET", "k", "other");
    await say(replica, "REPLICAOF", "127.0.0.1", other.port);
    await until(() => known!.whyOut(options) !== "");
    await until(async () => `${await say(replica, "INFO", "replication")}`.includes("status:up"));
    await until(() => known!.whyOut(options) === "it does not follow the master of its group");
    assertEquals(await isRead(reader, "k"), { value: "new", isFromReplica: false });
    await say(replica, "REPLICAOF", "NO", "ONE");
    await until(() => known!.whyOut(options) === "it is no replica");
    await say(replica, "REPLICAOF", "127.0.0.1", relay.port);
    await untilRead();
    assertEquals((await isRead(reader, "k")).value, "new");
  });

  await t.step("does not serve a client that has written before READONLY", async () => {
    using client = await proxy.client();
    await client.call("READWRITE");
    relay.stall();
    await client.call("SET", "k", "newest");
    await client.call("READONLY");
    for (let i = 0; i < 20; i++) assertEquals((await isRead(client, "k")).value, "newest");
    assertEquals((await isRead(client, "unwritten")).isFromReplica, false);
    relay.resume();
    await until(async () => (await isRead(client, "k")).isFromReplica);
  });

  await t.step("serves for replica_max_lag when the master is gone", async () => {
    await using careful = await RouterServer.start({
      servers: [master],
      options: { readFrom: "prefer_master", replicaLagMs: 3 * LAG_MS },
    });
    careful.router.shared.slots.setReplicas(given);
    using other = await careful.client();
    await until(() => careful.router.shared.slots.replicas.of(master.addr)!.isServed);
    const [own] = careful.router.shared.slots.replicas.of(master.addr)!.replicas;
    assertEquals(await other.call("GET", "k"), "newest");
    assertEquals(own!.reads, 0);
    await master.kill();
    const killedMs = performance.now();
    await until(() => careful.events.some((event) => event.startsWith("lost ")));
    assertEquals(await other.call("GET", "k"), "newest");
    assertEquals(own!.reads, 1);
    assertEquals(await isRead(reader, "k"), { value: "newest", isFromReplica: true });
    await until(async () => !(await isRead(reader, "k")).isFromReplica);
    const servedMs = performance.now() - killedMs;
    assert(servedMs < LAG_MS + 1_000, `${servedMs} ms`);
  });
  assertEquals(proxy.leftovers(), []);
});
