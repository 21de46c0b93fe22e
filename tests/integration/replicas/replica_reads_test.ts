/**
 * Reads from replicas, with real servers: where requests go, and what is never seen.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import type { ReadFrom, RouterOptions } from "../../../src/router/options.ts";
import type { GroupServers } from "../../../src/router/slot_table.ts";
import { holdUp, until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { say, ServersOfGroup, WHO } from "../../support/replica_group.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { RouterServer, slotOf } from "../../support/router_server.ts";

/** A router before one group, whose replicas are known to be there. */
async function start(
  group: ServersOfGroup,
  readFrom: ReadFrom,
  options: Partial<RouterOptions> = {},
  servers: Partial<GroupServers> = {},
): Promise<RouterServer> {
  const proxy = await RouterServer.start({
    servers: [group.master],
    options: { readFrom, ...options },
  });
  proxy.router.shared.slots.setReplicas([group.servers(servers)]);
  if (readFrom !== "master") await untilServing(proxy, group.replicas.length);
  return proxy;
}

function replicasOf(proxy: RouterServer) {
  return [...proxy.router.shared.slots.replicas.groups()].flatMap(([, { replicas }]) => replicas);
}

function faults(proxy: RouterServer): string[] {
  return replicasOf(proxy).map((replica) => replica.whyOut(proxy.router.shared.options));
}

async function untilServing(proxy: RouterServer, count: number): Promise<void> {
  const settledMs = () => Math.max(...proxy.router.shared.slots.all.map((slot) => slot.settledMs));
  await until(() =>
    replicasOf(proxy).filter((replica, i) =>
      faults(proxy)[i] === "" && replica.freshMs > settledMs()
    ).length === count
  );
}

/** Who answers so many GETs, each once. */
async function whoAnswers(client: RespClient, times = 6): Promise<string[]> {
  const seen = new Set<string>();
  for (let i = 0; i < times; i++) seen.add(`${await client.call("GET", WHO)}`);
  return [...seen].sort();
}

const BOTH = ["replica 0", "replica 1"];

/** Each of these answers in the end, and nobody else; one may be busy with a question of the proxy's. */
async function allAnswer(client: RespClient, names: readonly string[] = BOTH): Promise<void> {
  const seen = new Set<string>();
  await until(async () => {
    for (const name of await whoAnswers(client)) seen.add(name);
    return seen.size >= names.length;
  });
  assertEquals([...seen].sort(), names);
}

Deno.test("reads from replicas", async (t) => {
  await using group = await ServersOfGroup.start(2);
  const sameSlot = "{who}written";

  await t.step(
    "go to the master unless somebody asks for more, and replicas are left alone",
    async () => {
      await using proxy = await start(group, "master");
      using client = await proxy.client();
      assertEquals(await whoAnswers(client), ["master"]);
      for (const { server } of replicasOf(proxy)) {
        assertEquals([...server.backends()].length, 0, "no connection");
      }
    },
  );

  await t.step("are not late because the proxy was held up", async () => {
    const options = { replicaLagMs: 600 };
    await using proxy = await start(group, "prefer_replica", options);
    using client = await proxy.client();
    const replicas = await Promise.all(group.replicas.map((replica) => replica.client()));
    // Also not when it is held up again as soon as it has gone on.
    for (let time = 0; time < 3; time++) {
      await untilServing(proxy, 2);
      for (const replica of replicas) await replica.call("CLIENT", "PAUSE", 300);
      const got = client.call("GET", WHO);
      await until(() => proxy.leftovers().length > 0);
      holdUp(1_200);
      assertMatch(String(await got), /^replica/);
    }
    assertEquals(replicasOf(proxy).map(({ server }) => server.losses), [0, 0]);
    for (const replica of replicas) replica.close();
  });

  await t.step("are asked for by READONLY, and not any more by READWRITE and RESET", async () => {
    await using proxy = await start(group, "master");
    using client = await proxy.client();
    assertEquals(await client.call("READONLY"), "OK");
    await untilServing(proxy, 2);
    await allAnswer(client);
    assertMatch(`${await client.call("CLIENT", "INFO")}`, / flags=r /);
    assertEquals(await client.call("READWRITE"), "OK");
    assertEquals(await whoAnswers(client), ["master"]);
    assertEquals(await client.call("READONLY"), "OK");
    await allAnswer(client);
    assertEquals(await client.call("RESET"), "RESET");
    assertEquals(await whoAnswers(client), ["master"]);
    const extra = await client.call("READONLY", "now") as ReplyError;
    assertEquals(extra.message, "ERR wrong number of arguments for 'readonly' command");
  });

  await t.step("are answered in RESP2 and RESP3, in every database", async () => {
    await using proxy = await start(group, "prefer_replica");
    using client = await proxy.client();
    await allAnswer(client);
    await client.call("HELLO", 3);
    await allAnswer(client);
    await client.call("SELECT", 3);
    assertEquals(await client.call("GET", WHO), null);
  });

  await t.step("are only those that read the value of keys", async () => {
    await using proxy = await start(group, "prefer_replica");
    using client = await proxy.client();
    const [slot] = [slotOf(WHO)];
    const other = Array.from({ length: 100 }, (_, i) => `o${i}`).find((key) =>
      slotOf(key) !== slot
    )!;
    const at: [string, Word[]][] = [
      ["replica", ["MGET", WHO]],
      ["replica", ["GETRANGE", WHO, 0, -1]],
      ["master", ["MGET", WHO, other]],
      ["master", ["EVAL_RO", "return redis.call('GET', KEYS[1])", 1, WHO]],
      ["master", ["EVAL", "return redis.call('GET', KEYS[1])", 1, WHO]],
    ];
    for (const [where, words] of at) {
      for (let i = 0; i < 4; i++) assertMatch(`${await client.call(...words)}`, new RegExp(where));
    }
    await client.pipeline([["MULTI"], ["GET", WHO]]);
    assertEquals(await client.call("EXEC"), ["master"]);
    await client.call("HELLO", 3);
    await client.call("CLIENT", "TRACKING", "ON");
    assertEquals(await whoAnswers(client), ["master"]);
    await client.call("CLIENT", "TRACKING", "OFF");
    await until(async () => await client.call("GET", WHO) !== "master");
  });

  await t.step("of a slot that is not plainly online go to the master", async () => {
    await using proxy = await start(group, "prefer_replica");
    using client = await proxy.client();
    const slotId = slotOf(WHO);
    const [source] = group.replicas; // any other server
    await proxy.fill(slotId, group.master.addr, { migrateFromAddr: source!.addr, groupId: 1 });
    await client.call("GET", `${sameSlot}2`);
    assertEquals(replicasOf(proxy).reduce((sum, { reads }) => sum + reads, 0), 0);
    await proxy.fill(slotId, group.master.addr, { groupId: 1 });
    await until(async () => await client.call("GET", WHO) !== "master");
  });

  await t.step("see the client's own writes", async () => {
    await using proxy = await start(group, "prefer_replica");
    using client = await proxy.client();
    for (let i = 0; i < 300; i++) {
      const [, read] = await client.pipeline([["SET", sameSlot, i], ["GET", sameSlot]]);
      assertEquals(read!.value, `${i}`);
      assertEquals(await client.call("GET", sameSlot), `${i}`);
      if (i % 50 === 0) await delay(100);
    }
    await client.call("SET", sameSlot, "done");
    await until(async () => await client.call("GET", WHO) !== "master");
    assertEquals(await client.call("GET", sameSlot), "done");
    await client.call("MSET", sameSlot, "m", "elsewhere", "m");
    assertEquals(await whoAnswers(client, 2), ["master"]);
    assertEquals(proxy.leftovers(), []);
  });

  await t.step("do not see what the client writes after them", async () => {
    await using proxy = await start(group, "prefer_replica");
    using client = await proxy.client();
    await group.write(sameSlot, "before");
    assertEquals(await client.call("GET", sameSlot), "before");
    for (const replica of group.replicas) replica.pause();
    await client.sendRaw(
      "GET {who}written\r\nSET {who}written after\r\nDEL {who}written\r\nGET {who}written\r\n",
    );
    await delay(150);
    assertEquals(await say(group.master, "GET", sameSlot), "before", "the write waits");
    for (const replica of group.replicas) replica.resume();
    assertEquals((await client.read()).value, "before");
    assertEquals((await client.read()).value, "OK");
    assertEquals((await client.read()).value, 1);
    assertEquals((await client.read()).value, null);
    assertEquals(proxy.leftovers(), []);
  });

  await t.step("go to the nearest server", async () => {
    const [a, b] = group.replicas;
    const near = [{ address: a!.addr, distance: 1 as const }, {
      address: b!.addr,
      distance: 2 as const,
    }];
    await using proxy = await start(group, "nearest", {}, { distance: 2, replicas: near });
    using client = await proxy.client();
    assertEquals(await whoAnswers(client), ["replica 0"]);
    await using atMaster = await start(group, "nearest", {}, { distance: 0, replicas: near });
    using other = await atMaster.client();
    assertEquals(await whoAnswers(other), ["master"]);
    await using equal = await start(group, "nearest");
    using third = await equal.client();
    await allAnswer(third, ["master", ...BOTH]);
  });

  await t.step("go to the master, if that is preferred, while it is there", async () => {
    await using proxy = await start(group, "prefer_master");
    using client = await proxy.client();
    assertEquals(await whoAnswers(client), ["master"]);
    const options = { replicaLagMs: 10_000 };
    for (const policy of ["prefer_master", "nearest"] as const) {
      await using patient = await start(group, policy, options, { distance: 0 });
      using stuck = await patient.client();
      using other = await patient.client();
      assertEquals(await stuck.call("GET", WHO), "master");
      group.master.pause();
      try {
        await stuck.send("GET", WHO);
        await delay(400); // longer than a server may take that is asked first
        await allAnswer(other);
      } finally {
        group.master.resume();
      }
      assertEquals((await stuck.read()).value, "master");
    }
  });

  await t.step(
    "of a replica that stops are answered by the master, and by nobody if they must not be",
    async () => {
      await using proxy = await start(group, "prefer_replica", { replicaLagMs: 600 });
      await using strict = await start(group, "replica", { replicaLagMs: 600 });
      using client = await proxy.client();
      using strictClient = await strict.client();
      await allAnswer(strictClient);
      for (const replica of group.replicas) replica.pause();
      const began = performance.now();
      assertEquals(await whoAnswers(client, 3), ["master"]);
      assert(performance.now() - began < 5_000);
      const text = (await strictClient.call("GET", WHO) as ReplyError).message;
      assertMatch(text, /no answer for 600 ms|no replica of .* can serve reads/);
      await until(async () =>
        /no replica of 127.0.0.1:\d+ can serve reads: 127.0.0.1:\d+: .+; 127.0.0.1:\d+: .+/
          .test((await strictClient.call("GET", WHO) as ReplyError).message)
      );
      for (const replica of group.replicas) replica.resume();
      await until(async () => await client.call("GET", WHO) !== "master");
      assert(proxy.router.shared.totals.retriedReads > 0);
      assertEquals(proxy.leftovers(), []);
    },
  );

  await t.step(
    "are settled before their slot changes hands, and answered by its new owner if need be",
    async () => {
      await using proxy = await start(group, "prefer_replica", {
        replicaLagMs: 20_000,
        slotWaitMs: 300,
      });
      using client = await proxy.client();
      await using owner = await RedisServer.start();
      await say(owner, "SET", WHO, "new owner");
      for (const replica of group.replicas) replica.pause();
      await client.send("GET", WHO);
      await until(() => replicasOf(proxy).some(({ inFlight }) => inFlight > 0));
      await proxy.fill(slotOf(WHO), owner.addr, { groupId: 2 });
      assertEquals((await client.read()).value, "new owner");
      for (const replica of group.replicas) replica.resume();
      assertEquals(proxy.leftovers(), []);
    },
  );

  await t.step("do not wait for a replica that stops as long as data may be old", async () => {
    await using proxy = await start(group, "prefer_replica", { replicaLagMs: 60_000 });
    using client = await proxy.client();
    await allAnswer(client);
    for (const replica of group.replicas) replica.pause();
    const began = performance.now();
    const replies = await client.pipeline([["GET", WHO], ["SET", sameSlot, 1]]);
    assertEquals(replies.map(({ value }) => value), ["master", "OK"]);
    assert(performance.now() - began < 4_000, `${performance.now() - began} ms`);
    for (const replica of group.replicas) replica.resume();
    assertEquals(proxy.leftovers(), []);
  });

  await t.step("of a replica that fails after a promotion are answered by the master", async () => {
    await using proxy = await start(group, "replica", { replicaLagMs: 20_000 });
    using client = await proxy.client();
    for (const replica of group.replicas) replica.pause();
    await client.send("GET", WHO);
    await until(() => replicasOf(proxy).some(({ inFlight }) => inFlight > 0));
    // What they have is not known yet: the master may be asked.
    proxy.router.shared.slots.setReplicas([group.servers({ groupId: 2 })]);
    for (const { server } of replicasOf(proxy)) {
      for (const backend of [...server.backends()]) backend.breakOff("it was demoted");
    }
    assertEquals((await client.read()).value, "master");
    for (const replica of group.replicas) replica.resume();
    assertEquals(proxy.leftovers(), []);
  });

  await t.step("of a replica that dies are answered by the master, each once", async () => {
    await using proxy = await start(group, "prefer_replica");
    using client = await proxy.client();
    for (const replica of group.replicas) replica.pause();
    const gets = Array.from({ length: 200 }, () => ["GET", WHO]);
    const answers = client.pipeline(gets);
    await delay(50);
    for (const replica of group.replicas) await replica.kill();
    const values = (await answers).map(({ value }) => value);
    assertEquals(values, gets.map(() => "master"));
    assertEquals(await whoAnswers(client), ["master"]);
    assertEquals(proxy.leftovers(), []);
  });
});

Deno.test("with read_from = replica, reads go on when servers have changed roles and the store does not say so yet", async () => {
  await using group = await ServersOfGroup.start(2);
  const { master, replicas: [promoted, other] } = group;
  await using proxy = await start(group, "replica", { replicaLagMs: 20_000 });
  using client = await proxy.client();
  await allAnswer(client);
  const endMs = performance.now() + 1_000;
  await say(promoted!, "REPLICAOF", "NO", "ONE");
  for (const server of [other!, master]) {
    await say(server, "REPLICAOF", "127.0.0.1", promoted!.port);
  }
  while (performance.now() < endMs) {
    const answer = await client.call("GET", WHO);
    assert(!(answer instanceof ReplyError), `${answer instanceof ReplyError && answer.message}`);
    await delay(1);
  }
});
