/**
 * Replicas that are not as their master: another version, other commands, a script that runs.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import type { Replica } from "../../../src/router/slots/replica_group.ts";
import type { ReadFrom } from "../../../src/router/options.ts";
import { until } from "../../support/deadline.ts";
import { answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { say, ServersOfGroup, WHO } from "../../support/replica_group.ts";
import type { ReplyError } from "../../support/resp_value.ts";
import { RouterServer } from "../../support/router_server.ts";

/** A router before a master with replicas. */
async function start(
  readFrom: ReadFrom,
  master: { readonly addr: string },
  replicas: readonly { readonly addr: string }[],
  replicaLagMs = 2_000,
): Promise<RouterServer> {
  const options = { readFrom, replicaLagMs };
  const proxy = await RouterServer.start({ servers: [master], options });
  proxy.router.shared.slots.setReplicas([{
    groupId: 1,
    master: master.addr,
    distance: 2,
    replicas: replicas.map(({ addr }) => ({ address: addr, distance: 2 })),
  }]);
  return proxy;
}

function replicasOf(proxy: RouterServer): readonly Replica[] {
  return [...proxy.router.shared.slots.replicas.groups()].flatMap(([, { replicas }]) => replicas);
}

function faultOf(proxy: RouterServer, i: number): string {
  return replicasOf(proxy)[i]!.whyOut(proxy.router.shared.options);
}

Deno.test("a replica that differs from its master", async (t) => {
  await using group = await ServersOfGroup.start(2, {
    args: ["--lua-time-limit", "50", "--rename-command", "GETRANGE", "GETR"],
  });
  const [busy] = group.replicas;
  using master = await group.master.client();

  await t.step("and does not know a command is not the one that says so", async () => {
    await using knowing = await ServersOfGroup.start(0);
    await say(knowing.master, "SET", "k", "value");
    const [replica] = group.replicas;
    await say(replica!, "REPLICAOF", "127.0.0.1", knowing.master.port);
    await using proxy = await start("prefer_replica", knowing.master, [replica!]);
    await until(() => faultOf(proxy, 0) === "");
    using client = await proxy.client();
    await until(async () => {
      assertEquals(await client.call("GET", "k"), "value");
      return replicasOf(proxy)[0]!.reads > 0;
    });
    assertEquals(await client.call("GETRANGE", "k", 0, 1), "va");
    assertEquals(proxy.router.shared.totals.retriedReads, 1);
    assertEquals(faultOf(proxy, 0), "");
    const wrong = await client.call("LRANGE", "k", 0, 1) as ReplyError;
    assertMatch(wrong.message, /^WRONGTYPE /);
    await client.call("READWRITE");
    assertEquals(proxy.leftovers(), []);
    await say(replica!, "REPLICAOF", "127.0.0.1", group.links[0]!.port);
    await group.follow();
  });

  await t.step("and runs a script leaves reads to others at once", async () => {
    await master.call("SET", WHO, "all");
    await using preferring = await start("prefer_replica", group.master, [busy!]);
    await using strict = await start("replica", group.master, group.replicas);
    for (const proxy of [preferring, strict]) await until(() => faultOf(proxy, 0) === "");
    await until(() => faultOf(strict, 1) === "");
    using one = await preferring.client();
    using other = await strict.client();
    const running = say(busy!, "EVAL", "while true do end", 0).catch(() => {});
    await delay(100);
    for (let i = 0; i < 20; i++) {
      assertEquals(await one.call("GET", WHO), "all");
      assertEquals(await other.call("GET", WHO), "all");
    }
    for (const proxy of [preferring, strict]) {
      await until(() => faultOf(proxy, 0).startsWith("BUSY Redis is busy running a script."));
    }
    await say(busy!, "SCRIPT", "KILL");
    await running;
    for (const proxy of [preferring, strict]) await until(() => faultOf(proxy, 0) === "");
    assert(preferring.router.shared.totals.retriedReads > 0);
    for (const proxy of [preferring, strict]) assertEquals(proxy.leftovers(), []);
  });
});

Deno.test("replicas of a group without slots say so, and are not asked", async () => {
  await using proxy = await start("prefer_replica", { addr: "127.0.0.1:1" }, []);
  proxy.router.shared.slots.setReplicas([{
    groupId: 2,
    master: "127.0.0.1:2",
    distance: 2,
    replicas: [{ address: "127.0.0.1:3", distance: 2 }],
  }]);
  assertEquals(faultOf(proxy, 0), "its group owns no slots");
  assertEquals([...replicasOf(proxy)[0]!.server.backends()], []);
});

/** `INFO` of a server before Redis 4: nothing names the stream of changes. */
function oldServer(info: () => string, version: string): FakeRedis {
  return new FakeRedis((words) => {
    const [name, section] = words.map((word) => word.toUpperCase());
    if (name === "EXISTS") return ":1\r\n";
    if (name === "GET") return "+old\r\n";
    if (name !== "INFO") return answerNothing(words);
    const text = section === "SERVER" ? `redis_version:${version}\r\n` : info();
    return `$${text.length}\r\n${text}\r\n`;
  });
}

Deno.test("replicas before Redis 4", async (t) => {
  let offset = 100;
  let isAway = false;
  let listed = "";
  let followed = "";
  await using master = oldServer(
    () => isAway ? "" : `role:master\r\nconnected_slaves:1\r\n${listed}master_repl_offset:100\r\n`,
    "3.2.11",
  );
  const replicaInfo = () =>
    `role:slave\r\n${followed}master_link_status:up\r\nmaster_sync_in_progress:0\r\n` +
    `slave_repl_offset:${offset}\r\n`;
  await using replica = oldServer(replicaInfo, "3.2.11");
  const lists = (addr: string) => {
    const [ip, port] = addr.split(":");
    listed = `slave0:ip=${ip},port=${port},state=online,offset=${offset},lag=0\r\n`;
  };
  const follows = (addr: string) => {
    const [host, port] = addr.split(":");
    followed = `master_host:${host}\r\nmaster_port:${port}\r\n`;
  };
  const FOREIGN = "it does not follow the master of its group";

  await t.step("serve when their master knows them, or they name it", async () => {
    await using proxy = await start("prefer_replica", master, [replica]);
    await until(() => faultOf(proxy, 0) === FOREIGN);
    lists(replica.addr);
    await until(() => faultOf(proxy, 0) === "");
    // Another server of the same port follows the master, as on many machines.
    lists(`10.0.0.9:${replica.port}`);
    follows("10.0.0.7:6379");
    await until(() => faultOf(proxy, 0) === FOREIGN);
    follows(master.addr);
    await until(() => faultOf(proxy, 0) === "");
    using client = await proxy.client();
    await until(async () => {
      await client.call("GET", "k");
      return replicasOf(proxy)[0]!.reads > 0;
    });
    const before = replicasOf(proxy)[0]!.reads;
    for (let i = 0; i < 5; i++) await client.call("EXISTS", "k");
    assertEquals(replicasOf(proxy)[0]!.reads, before, "EXISTS finds expired keys there");
  });

  await t.step("do not serve when they lose their data while the master is away", async () => {
    await using proxy = await start("prefer_replica", master, [replica], 60_000);
    const isGone = () => /^it has not caught up with its master/.test(faultOf(proxy, 0));
    await until(() => faultOf(proxy, 0) === "");
    isAway = true;
    await delay(600); // a poll or two
    assertEquals(faultOf(proxy, 0), "");
    offset = 1;
    await until(isGone);
    isAway = false;
    offset = 100;
    await until(() => faultOf(proxy, 0) === "");
  });

  await t.step("do not serve when they return keys that have expired", async () => {
    await using older = oldServer(replicaInfo, "2.8.21");
    lists(older.addr);
    await using proxy = await start("prefer_replica", master, [older]);
    await until(() =>
      faultOf(proxy, 0) === "it is Redis 2.8.21, which returns keys that have expired"
    );
  });
});
