/**
 * The bench harness still works: a small load on a real redis-server.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { runBenchmark } from "../../bench/load/redis_benchmark.ts";
import { RedisServer } from "../../support/redis_server.ts";

Deno.test("a load of SET and GET is counted and timed", async () => {
  await using redis = await RedisServer.start();
  const load = { clients: 2, pipeline: 4, valueBytes: 64, keys: 0 };
  const outcome = await runBenchmark(redis.port, load, 400);
  assertEquals(outcome.requests, 800);
  assert(outcome.requestsPerSecond > 100);
  assert(outcome.p50Ms <= outcome.p99Ms && outcome.p99Ms <= outcome.maxMs);
  using client = await redis.client();
  assert(Number(await client.call("DBSIZE")) > 100);
});
