/**
 * A server that falls silent is given up in time, also when it is greeted; what blocks there blocks on once it answers.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { whenBlocked } from "../../support/blocked_clients.ts";
import { until, within } from "../../support/deadline.ts";
import { answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RouterServer } from "../../support/router_server.ts";

Deno.test("what is blocked at a server that falls silent blocks on when that answers again", async () => {
  // Also when the server is seen to be silent by a request that finds no connection yet.
  for (const database of [0, 3]) {
    await using redis = await RedisServer.start();
    const options = { backendTimeoutMs: 500, backendDialMs: 400 };
    await using proxy = await RouterServer.start({ servers: [redis], options });
    using client = await proxy.client();
    const answer = client.call("BLPOP", "q", 0);
    await whenBlocked(redis, 1);
    redis.pause();
    try {
      using other = await proxy.client();
      await other.send("SELECT", database);
      await other.send("GET", "a"); // a server is silent when it does not answer
      const before = performance.now();
      // The connection that blocks is the first.
      await until(() => proxy.events.some((event) => /^lost/.test(event)));
      const tookMs = performance.now() - before;
      assert(tookMs < 1500, `it took ${tookMs} ms`);
    } finally {
      redis.resume();
    }
    await whenBlocked(redis, 1);
    using direct = await redis.client();
    await direct.call("RPUSH", "q", "x");
    assertEquals(await within(answer), ["q", "x"]);
  }
});

Deno.test("a server that is silent when it is greeted is given up in time at each attempt", async () => {
  await using fake = new FakeRedis((words) => words[1] === "3" ? "hang" : answerNothing(words));
  await using proxy = await RouterServer.start({
    servers: [fake],
    options: { backendDialMs: 100 },
  });
  using client = await proxy.client();
  await client.call("GET", "a");
  const before = fake.connectionCount;
  await client.send("SELECT", 3);
  await client.send("GET", "a");
  const startedMs = performance.now();
  await until(() => fake.connectionCount === before + 4);
  assert(performance.now() - startedMs < 2000);
});
