/**
 * rate-limiter-flexible: a limiter with ioredis, one with node-redis, a union of two, a queue.
 *
 * @module
 */

import { Redis } from "ioredis";
import { BurstyRateLimiter, RateLimiterQueue, RateLimiterRedis } from "rate-limiter-flexible";
import { createClient } from "redis";
import { connection, host, port, report } from "./program.ts";

const old = new Redis({ ...connection, enableOfflineQueue: false });
await new Promise((resolve) => old.once("ready", resolve));
const young = createClient({ url: `redis://${host}:${port}` });
await young.connect();
const outcomes: unknown[] = [];
// deno-lint-ignore no-explicit-any
const clients: [any, boolean][] = [[old, false], [young, true]];
for (const [storeClient, useRedisPackage] of clients) {
  const limiter = new RateLimiterRedis({
    storeClient,
    useRedisPackage,
    keyPrefix: useRedisPackage ? "young" : "old",
    points: 3,
    duration: 60,
    blockDuration: 60,
  });
  const left: unknown[] = [];
  for (let i = 0; i < 5; i++) {
    left.push(
      await limiter.consume("u1").then(
        (taken) => taken.remainingPoints,
        (refused) => refused instanceof Error ? refused.message : `no: ${refused.remainingPoints}`,
      ),
    );
  }
  outcomes.push(left, (await limiter.get("u1"))?.consumedPoints, await limiter.delete("u1"));
}
const bursty = new BurstyRateLimiter(
  new RateLimiterRedis({ storeClient: old, keyPrefix: "b1", points: 1, duration: 60 }),
  new RateLimiterRedis({ storeClient: old, keyPrefix: "b2", points: 1, duration: 60 }),
);
const burst = [];
for (let i = 0; i < 3; i++) {
  burst.push(
    await bursty.consume("u").then(() => "yes", (r) => r instanceof Error ? r.message : "no"),
  );
}
const queue = new RateLimiterQueue(
  new RateLimiterRedis({ storeClient: old, keyPrefix: "q", points: 2, duration: 1 }),
);
const tokens = await Promise.all([1, 2, 3].map(() => queue.removeTokens(1)));
report({ outcomes, burst, tokens: tokens.length });
