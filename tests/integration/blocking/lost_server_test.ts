/**
 * Clients that are blocked at a server that is lost, or falls silent: they are told, and soon. A server that is
 * silent when it is greeted is given up in time, too.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { assert, assertMatch } from "@std/assert";
import { whenBlocked } from "../../support/blocked_clients.ts";
import { until, within } from "../../support/deadline.ts";
import { answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { RouterServer } from "../../support/router_server.ts";

Deno.test("when a server is lost, or falls silent, what blocks there is answered with an error", async () => {
  // Also when what is asked finds no connection yet, as in a database that nobody has used.
  for (const [end, database] of [["kill", 0], ["pause", 0], ["pause", 3]] as const) {
    await using redis = await RedisServer.start();
    const options = { backendTimeoutMs: 500, backendDialMs: 400 };
    await using proxy = await RouterServer.start({ servers: [redis], options });
    using client = await proxy.client();
    const answer = client.call("BLPOP", "q", 0);
    await whenBlocked(redis, 1);
    if (end === "kill") await redis.kill();
    else redis.pause();
    const before = performance.now();
    using other = await proxy.client();
    await other.send("SELECT", database);
    await other.send("GET", "a"); // a server is silent when it does not answer
    const reply = await within(answer, 3000);
    assert(reply instanceof ReplyError);
    assertMatch(reply.message, /ERR handle response, backend conn failure/);
    assert(performance.now() - before < (end === "kill" ? 500 : 1500));
    redis.resume();
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
