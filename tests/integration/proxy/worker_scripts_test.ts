/**
 * What one worker learns of scripts, all know; and what is set at servers shows from each of them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

/** Connections enough that each of two workers has some, but for one run in a million. */
const MANY = 20;

Deno.test("a script that one worker has seen runs without keys from all workers", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({
    servers,
    cpu: 2,
    config: { server_commands: "on" },
  });
  const clients = await Promise.all(Array.from({ length: MANY }, () => proxy.client()));
  const sha = String(await clients[0]!.call("SCRIPT", "LOAD", "return 'seen'"));
  for (const client of clients) {
    await until(async () => await client.call("EVALSHA", sha, 0) === "seen");
  }
  assertEquals(await clients[0]!.call("CONFIG", "SET", "hz", 33), "OK");
  for (const client of clients) {
    assertEquals(await client.call("CONFIG", "GET", "hz"), ["hz", "33"]);
    assertEquals(
      /^connected_clients:(\d+)\r$/m.exec(String(await client.call("INFO", "clients")))?.[1],
      String(MANY),
    );
  }
  for (const client of clients) client.close();
});
