/**
 * Clients that are blocked at a server that is lost, or falls silent, and does not come back: they are told in time. A
 * server that is silent when it is greeted is given up in time, too.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { assert, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { whenBlocked } from "../../support/blocked_clients.ts";
import { until, within } from "../../support/deadline.ts";
import { answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import type { ReplyError } from "../../support/resp_value.ts";
import { RouterServer } from "../../support/router_server.ts";

Deno.test("when a lost or silent server does not come back in 15 s, what blocks there is answered with an error", async () => {
  await Promise.all((["kill", "pause"] as const).map(async (end) => {
    await using redis = await RedisServer.start();
    const options = { backendTimeoutMs: 500, backendDialMs: 400 };
    await using proxy = await RouterServer.start({ servers: [redis], options });
    using client = await RespClient.connect(proxy.port, "127.0.0.1", 20_000);
    using late = await RespClient.connect(proxy.port, "127.0.0.1", 20_000);
    using other = await proxy.client();
    const answer = client.call("BLPOP", "q", 0);
    await whenBlocked(redis, 1);
    if (end === "kill") await redis.kill();
    else redis.pause();
    const before = performance.now();
    await other.send("GET", "a"); // a server is silent when it does not answer
    await delay(10_000);
    const replies = await within(Promise.all([answer, late.call("BLPOP", "q", 0)]), 7000);
    const ms = performance.now() - before;
    assert(ms > 14_900 && ms < 16_500, `it took ${ms} ms`);
    const texts = replies.map((reply) => (reply as ReplyError).message);
    assertMatch(texts[0]!, /ERR handle response, backend conn failure/);
    assertMatch(texts[1]!, /ERR handle request, backend conn failure/);
    // From now on it is known to be lost.
    const refused = await within(late.call("BLPOP", "q", 0), 200);
    assertMatch((refused as ReplyError).message, /ERR handle request, backend conn failure/);
    redis.resume();
  }));
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
