/**
 * Random transactions of two clients: whatever they do, they get the bytes that one redis-server gives.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { until } from "../../support/deadline.ts";
import { textOf } from "../../support/pieces.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

const RUNS = 60;
const KEYS = ["{t}a", "{t}b", "{t}c"];

const key = fc.constantFrom(...KEYS);
/** One command; those that open, end and guard transactions more often than others. */
const command: fc.Arbitrary<readonly string[]> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(["MULTI"]) },
  { weight: 6, arbitrary: fc.constant(["EXEC"]) },
  { weight: 2, arbitrary: fc.constant(["DISCARD"]) },
  { weight: 4, arbitrary: key.map((k) => ["WATCH", k]) },
  { weight: 1, arbitrary: fc.constant(["UNWATCH"]) },
  { weight: 5, arbitrary: key.map((k) => ["INCR", k]) },
  { weight: 4, arbitrary: fc.tuple(key, fc.nat(3)).map(([k, n]) => ["SET", k, `${n}`]) },
  { weight: 2, arbitrary: key.map((k) => ["LPUSH", k, "x"]) },
  { weight: 2, arbitrary: key.map((k) => ["GET", k]) },
  { weight: 2, arbitrary: fc.constant(["MGET", ...KEYS]) },
  { weight: 1, arbitrary: key.map((k) => ["DEL", k, "{t}a"]) },
  { weight: 1, arbitrary: key.map((k) => ["BLPOP", k, "0.01"]) },
  { weight: 2, arbitrary: fc.nat(2).map((n) => ["SELECT", `${n}`]) },
  { weight: 1, arbitrary: fc.constantFrom("one", "two").map((n) => ["CLIENT", "SETNAME", n]) },
  { weight: 1, arbitrary: fc.constant(["CLIENT", "GETNAME"]) },
  { weight: 1, arbitrary: fc.constant(["PING"]) },
  { weight: 1, arbitrary: fc.constant(["NOSUCH", "x"]) },
  { weight: 1, arbitrary: fc.constant(["GET"]) },
  { weight: 1, arbitrary: fc.constant(["RESET"]) },
);
/** What one of the clients sends in one write. */
const batch = fc.record({
  who: fc.nat(1),
  commands: fc.array(command, { minLength: 1, maxLength: 6 }),
});

type Batch = { readonly who: number; readonly commands: readonly (readonly string[])[] };

async function transcript(port: number, batches: readonly Batch[]): Promise<string[]> {
  using first = await RespClient.connect(port);
  using second = await RespClient.connect(port);
  await first.call("FLUSHALL");
  const replies: string[] = [];
  for (const { who, commands } of batches) {
    const client = who === 0 ? first : second;
    replies.push(...(await client.pipeline(commands)).map(({ raw }) => textOf(raw)));
  }
  return replies;
}

Deno.test("random transactions of two clients are answered as one redis-server answers them", async () => {
  await using servers = await RedisServer.startMany(2);
  await using single = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers });
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 2, maxLength: 12 }), async (batches) => {
      const expected = await transcript(single.port, batches);
      assertEquals(await transcript(proxy.port, batches), expected);
    }),
    { numRuns: RUNS }, // a failure names its seed
  );
  await until(() => proxy.router.sessions.size === 0);
  assertEquals(proxy.leftovers(), []);
});
