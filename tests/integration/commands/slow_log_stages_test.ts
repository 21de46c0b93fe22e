/**
 * Where the time of a slow request went: a delay at each stage is found by its name, and the stages add up
 * to the whole.
 *
 * @module
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { delay } from "@std/async/delay";
import type { SlowRequest } from "../../../src/router/slow_log/slow_log.ts";
import { longestStage, type Stage } from "../../../src/router/slow_log/stages.ts";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { keyOn, RouterServer, slotOf } from "../../support/router_server.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";

const DEBUG = { args: ["--enable-debug-command", "yes"] };

/** The entry of the newest slow request of a key. */
async function slowOf(proxy: RouterServer, key: string): Promise<SlowRequest> {
  let found: SlowRequest | undefined;
  await until(() => {
    const { entries } = proxy.router.shared.orderSlowLog({});
    return (found = entries.find(({ args }) => args[1] === key)) !== undefined;
  });
  return found!;
}

/**
 * Checks that a stage is found by its name, took about so long, and that all stages add up. On a busy machine
 * the loop is held up, too, which is taken out of the stage.
 */
function assertStage(slow: SlowRequest, stage: Stage, leastMs: number) {
  const text = JSON.stringify(slow);
  const sum = Object.values(slow.stages).reduce((total, usecs) => total + usecs, 0);
  assertEquals(sum, slow.usecs, text);
  const { loop = 0, ...others } = slow.stages;
  assertEquals(longestStage(stage === "loop" ? slow.stages : others), stage, text);
  const usecs = stage === "loop" ? loop : others[stage]! + loop;
  assertGreater(usecs, leastMs * 1000, text);
}

/** Keeps a server from doing anything for a while. */
function stopFor(server: RedisServer, ms: number): Disposable {
  server.pause();
  const goOn = () => server.resume();
  const timer = setTimeout(goOn, ms);
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      goOn();
    },
  };
}

/** Lets this thread, which is the proxy's, do nothing else for a while. */
function holdUp(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

Deno.test("a slow request tells where its time went", async (t) => {
  await using servers = await RedisServer.startMany(2, DEBUG);
  const [one, two] = servers as unknown as [RedisServer, RedisServer];
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const [key, other] = [keyOn(0, 2), keyOn(1, 2)];
  for (let i = 0; i < 3; i++) for (const each of [key, other]) await client.call("SET", each, i);

  await t.step("the server was busy with another client's command", async () => {
    using sleeper = await one.client();
    await sleeper.send("DEBUG", "SLEEP", 0.5);
    await delay(50);
    await client.call("GET", key);
    const slow = await slowOf(proxy, key);
    assertStage(slow, "server", 100);
    const { port } = client.conn.localAddr as Deno.NetAddr;
    assertEquals({ ...slow, id: 0, atMs: 0, usecs: 0, stages: {} }, {
      ...{ id: 0, atMs: 0, usecs: 0, stages: {}, database: 0, clientName: "", end: "answered" },
      command: "get",
      args: ["GET", key],
      client: `127.0.0.1:${port}`,
      user: "default",
      server: one.addr,
      slot: slotOf(key),
      requestBytes: 19 + key.length,
      replyBytes: 7,
    });
  });

  await t.step("the client was closed before the server had answered", async () => {
    using _stopped = stopFor(one, 400);
    const leaving = await proxy.client();
    await leaving.send("GET", `{${key}}:left`);
    await delay(200);
    await client.call("CLIENT", "KILL", "ID", proxy.sessionOf(leaving).id);
    leaving.close();
    const slow = await slowOf(proxy, `{${key}}:left`);
    assertStage(slow, "server", 100);
    assertEquals([slow.end, slow.server, slow.slot], ["left", one.addr, slotOf(key)]);
  });

  await t.step("an earlier request of the client's pipeline was slow", async () => {
    using _stopped = stopFor(one, 250);
    await client.pipeline([["GET", key], ["GET", other]]);
    assertStage(await slowOf(proxy, other), "order", 100);
  });

  await t.step("a part of a command over several servers was slow", async () => {
    using _stopped = stopFor(two, 250);
    await client.call("MGET", other, key);
    const slow = await slowOf(proxy, other);
    assertStage(slow, "server", 100);
    assertEquals([slow.command, slow.server, slow.slot], ["mget", two.addr, -1]);
  });

  await t.step("the slot was blocked", async () => {
    const slot = slotOf(key);
    await proxy.fill(slot, one.addr, { isBlocked: true });
    const reply = client.call("GET", key);
    await delay(120);
    await proxy.fill(slot, one.addr);
    await reply;
    assertStage(await slowOf(proxy, key), "slot", 100);
  });

  await t.step("the proxy's own thread was held up", async () => {
    using _stopped = stopFor(one, 100);
    const reply = client.call("GET", key);
    await delay(20);
    holdUp(250);
    await reply;
    assertStage(await slowOf(proxy, key), "loop", 100);
    await until(() =>
      proxy.router.shared.orderSlowLog({}).events.some(({ name }) => name === "loop")
    );
  });

  await t.step("the client read slowly", async () => {
    const large = "{x}large";
    await client.call("SET", large, "x".repeat(4 * 1024 * 1024));
    using slow = await proxy.client();
    for (let i = 0; i < 6; i++) await slow.send("GET", large);
    await delay(500);
    const buffer = new Uint8Array(1024 * 1024);
    for (let left = 6 * 4 * 1024 * 1024; left > 0;) left -= (await slow.conn.read(buffer))!;
    // The last ones were not even read from the client before it had taken the first ones.
    await until(() => {
      const { entries } = proxy.router.shared.orderSlowLog({});
      return entries.some(({ stages: { loop = 0, ...stages } }) =>
        longestStage(stages) === "write" && stages.write! + loop > 250_000
      );
    });
  });

  await t.step("the client was gone", async () => {
    using _stopped = stopFor(one, 250);
    const gone = await proxy.client();
    await gone.send("GET", key);
    await delay(20);
    gone.close();
    await until(() => proxy.leftovers().length === 0);
    assertEquals(proxy.leftovers(), []);
  });
});

Deno.test("a request that waits behind the client's own is found", async () => {
  await using server = await RedisServer.start(DEBUG);
  await using proxy = await RouterServer.start({
    servers: [server],
    options: { sessionPipelineMax: 1 },
  });
  using client = await proxy.client();
  await client.call("SET", "k", 1);
  using _stopped = stopFor(server, 250);
  await client.pipeline([["GET", "k"], ["GET", "behind"]]);
  assertStage(await slowOf(proxy, "behind"), "queue", 100);
});

Deno.test("a slow network is told from a slow server, and a key that is moved from both", async (t) => {
  await using servers = await RedisServer.startMany(2, DEBUG);
  const [one, two] = servers as unknown as [RedisServer, RedisServer];
  await using relay = TcpRelay.start(one.port, { delayMs: 40 });
  await using proxy = await RouterServer.start({ servers: [relay] });
  using client = await proxy.client();

  await t.step("the network is slow", async () => {
    for (let i = 0; i < 3; i++) await client.call("SET", "k", i);
    assertStage(await slowOf(proxy, "k"), "network", 75);
  });

  await t.step("and the server, too", async () => {
    using _stopped = stopFor(one, 250);
    await client.call("SET", "both", 1);
    const slow = await slowOf(proxy, "both");
    assertStage(slow, "server", 100);
    assertGreater(slow.stages.network!, 75_000);
  });

  await t.step("a key is moved", async () => {
    const slot = slotOf("k");
    await proxy.fill(slot, two.addr, {
      groupId: 2,
      migrateFromAddr: relay.addr,
      migrateFromGroupId: 1,
    });
    assertEquals(await client.call("GET", "k"), "2");
    const slow = await slowOf(proxy, "k");
    assertStage(slow, "key", 75);
    assertEquals([slow.server, slow.slot], [two.addr, slot]);
    assert(slow.command === "get");
  });
});
