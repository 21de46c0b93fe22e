/**
 * What a client writes, or must see, beside the keys that its requests name, while its replica lags.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { KnowingServer, madeUp, recordedCommands } from "../../support/knowing_server.ts";
import { ServersOfGroup, WHO } from "../../support/replica_group.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

const LAG_MS = 60_000;

Deno.test("a client of a replica that lags", async (t) => {
  await using group = await ServersOfGroup.start(1);
  await using proxy = await RouterServer.start({
    servers: [group.master],
    options: { readFrom: "prefer_replica", replicaLagMs: LAG_MS, undeclaredKeys: true },
  });
  proxy.router.shared.slots.setReplicas([group.servers()]);
  const [link] = group.links;
  using direct = await group.master.client();
  const other = "other"; // in another slot than n

  /** A client whose replica serves what was written so far, and nothing from now on. */
  const lagging = async (): Promise<RespClient> => {
    link!.resume();
    await direct.pipeline([["SET", "n", 1], ["SET", other, "old"]]);
    await direct.call("WAIT", 1, 5_000);
    const client = await proxy.client();
    await until(async () => await client.call("GET", WHO) === "replica 0");
    link!.stall();
    return client;
  };

  await t.step("reads what it watches as it is, so that no update is lost", async () => {
    using client = await lagging();
    await direct.call("SET", "n", 2);
    assertEquals(await client.call("GET", "n"), "1", "the replica is behind");
    await client.call("WATCH", "n");
    assertEquals(await client.call("GET", "n"), "2");
    await client.pipeline([["MULTI"], ["INCRBY", "n", 1]]);
    assertEquals(await client.call("EXEC"), [3]);
    assertEquals(await client.call("GET", other), "old");
    const replies = await client.pipeline([["WATCH", "n"], ["GET", "n"], ["UNWATCH"]]);
    assertEquals(replies.map(({ value }) => value), ["OK", "3", "OK"]);
  });

  const script = "return redis.call('SET', ARGV[1], 'new')";
  const writes: Record<string, string[][]> = {
    "a script": [["EVAL", script, "1", "n", other]],
    "a script without keys": [["EVAL", script, "0", other]],
    "a script in a transaction": [["MULTI"], ["EVAL", script, "1", "n", other], ["EXEC"]],
  };
  for (const [what, requests] of Object.entries(writes)) {
    await t.step(`sees what ${what} has written under keys that it does not name`, async () => {
      using client = await lagging();
      await client.pipeline(requests);
      assertEquals(await client.call("GET", other), "new");
      using again = await lagging();
      const replies = await again.pipeline([...requests, ["GET", other]]);
      assertEquals(replies.at(-1)!.value, "new");
    });
  }

  await t.step("does not see in an earlier read what a script writes later", async () => {
    using client = await lagging();
    link!.resume();
    const [replica] = group.replicas;
    replica!.pause();
    const replies = client.pipeline([["GET", other], ["EVAL", script, "1", "n", other]]);
    await delay(100);
    assertEquals(await direct.call("GET", other), "old", "the script waits");
    replica!.resume();
    assertEquals((await replies).map(({ value }) => value), ["old", "OK"]);
  });
  link!.resume();
  assertEquals(proxy.leftovers(), []);
});

Deno.test("what only the servers know to read is read at the master", async () => {
  const commands = [...recordedCommands("redis-7.4.1"), madeUp("newread")];
  await using master = new KnowingServer(commands);
  await using replica = new KnowingServer(commands);
  const ids = "master_replid:abc\r\n";
  const info = {
    [master.addr]: `role:master\r\n${ids}master_repl_offset:5\r\n`,
    [replica.addr]: `role:slave\r\n${ids}slave_repl_offset:5\r\nmaster_link_status:up\r\n`,
  };
  for (const server of [master, replica]) {
    const text = info[server.addr]!;
    server.replies["info"] = `$${text.length}\r\n${text}\r\n`;
    server.replies["get"] = `+${server === master ? "master" : "replica"}\r\n`;
  }
  await using proxy = await RouterServer.start({
    servers: [master],
    options: { readFrom: "prefer_replica" },
  });
  proxy.router.shared.slots.setReplicas([{
    groupId: 1,
    master: master.addr,
    distance: 2,
    replicas: [{ address: replica.addr, distance: 2 }],
  }]);
  using client = await proxy.client();
  await until(async () => await client.call("GET", "k") === "replica");
  assertEquals(await client.call("NEWREAD", "k"), ["NEWREAD", "k"]);
  assertEquals(master.asked.at(-1), "NEWREAD k");
  assertEquals(replica.asked.includes("NEWREAD k"), false);
});
