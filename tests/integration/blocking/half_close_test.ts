/**
 * Clients that send all they want and then close their half: behind WAIT and a read that does not block all is executed,
 * as with redis-server; a client that blocks, or would pop, is gone.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { whenBlocked } from "../../support/blocked_clients.ts";
import { until, within } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, RespClient } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

/** Sends requests and the end at once; resolves to all bytes that come, to the end. */
async function talk(port: number, lines: readonly string[]): Promise<string> {
  const requests = lines.map((line) => line.split(" "));
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(lines.join("\r\n") + "\r\n"));
  await conn.closeWrite();
  return await within(new Response(conn.readable).text(), 5_000, requests.join("; "));
}

/** What is there, what is sent to the end, and what shows how much of it was executed. */
const ENDS: readonly (readonly [string[], string[]])[] = [
  [["SET n 0"], ["SET w 1", "WAIT 0 100", "INCR n"]],
  [["XADD s 1-1 f v", "SET n 0"], ["XREAD BLOCK 0 STREAMS s 0", "INCR n"]],
  [["XADD s 1-1 f v", "SET n 0"], [
    "SET w 1",
    "XREAD BLOCK 0 STREAMS s 0",
    "XREAD BLOCK 0 STREAMS s 0",
    "INCR n",
    "XREAD BLOCK 0 STREAMS s $",
    "INCR n",
  ]],
  [["SET n 0"], ["XREAD BLOCK -1 STREAMS s 0", "INCR n"]],
  [["SET s 1", "SET n 0"], ["XREAD BLOCK 0 STREAMS s 0", "INCR n"]],
  [["SET n 0"], ["SET w 1", "WAIT 1 0", "INCR n"]],
  [["SET n 0"], ["BLPOP none 0", "INCR n"]],
  [["SET n 0"], ["INCR n", "XREAD BLOCK 0 STREAMS none $", "INCR n"]],
];

Deno.test("behind a command that does not block, what a client has sent before it closed its half is executed", async () => {
  await using direct = await RedisServer.start();
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  for (let round = 0; round < 3; round++) { // at first much has to be learned of the server
    for (const [before, sent] of ENDS) {
      const results: unknown[] = [];
      for (const port of [direct.port, proxy.port]) {
        using client = await RespClient.connect(port);
        await client.call("FLUSHALL");
        for (const line of before) await client.call(...line.split(" ") as [string]);
        const replies = await talk(port, sent);
        const n = await client.call("GET", "n");
        results.push({ replies, n, left: await client.call("EXISTS", "q") });
      }
      assertEquals(results[1], results[0], sent.join("; "));
    }
  }
  await until(() => proxy.router.sessions.size === 0);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("no element is popped for a client that closes its half before its turn to block", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using other = await proxy.client();
  for (let i = 0; i < 20; i++) {
    const client = await proxy.client();
    await client.sendRaw(encodeRequests([["SET", "w", 1], ["BLPOP", "q", 0], ["INCR", "n"]]));
    await client.conn.closeWrite();
    await until(() => proxy.router.sessions.size === 1);
    await whenBlocked(redis, 0);
    await other.call("RPUSH", "q", i);
    assertEquals(await other.call("LPOP", "q"), `${i}`);
    assertEquals(await other.call("GET", "n"), null);
    client.close();
  }
});

Deno.test("a client that closes before its server was asked to pop is gone at once: what comes later is there for others", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using other = await proxy.client();
  await other.call("PING");
  for (const command of ["BLPOP q 0", "BLMOVE q moved LEFT LEFT 0", "BZPOPMIN q 0"]) {
    redis.pause();
    try {
      const client = await proxy.client();
      await client.sendRaw(encodeRequests([command.split(" ")]));
      client.close();
      await until(() => proxy.router.sessions.size === 1);
    } finally {
      redis.resume();
    }
  }
  await other.call("RPUSH", "q", "a");
  assertEquals(await other.call("LRANGE", "q", 0, -1), ["a"]);
  assertEquals(await other.call("EXISTS", "moved"), 0);
});
