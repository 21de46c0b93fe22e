/**
 * Blocked clients of a proxy with two workers, as its users start it.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { whenBlocked } from "../../support/blocked_clients.ts";
import { OLD_SERVER } from "../../support/old_server.ts";
import { within } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

Deno.test("with two workers any client pushes to any, and unblocks any", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    cpu: 2,
    config: { drain_timeout: 1 },
  });
  const clients = await Promise.all(Array.from({ length: 12 }, () => proxy.client()));
  const ids = await Promise.all(clients.map((client) => client.call("CLIENT", "ID")));
  const others = await Promise.all(Array.from({ length: 6 }, () => proxy.client()));

  const unblocked = clients.map((client) => client.call("BLPOP", "q", 0));
  await whenBlocked(redis, clients.length);
  const list = String(await others[0]!.call("CLIENT", "LIST"));
  assertEquals(list.match(/ flags=b /g)?.length, clients.length);
  for (const [i, id] of ids.entries()) {
    assertEquals(await others[i % others.length]!.call("CLIENT", "UNBLOCK", `${id}`), 1);
    assertEquals(await others[i % others.length]!.call("CLIENT", "UNBLOCK", `${id}`), 0);
  }
  assertEquals(await within(Promise.all(unblocked)), clients.map(() => null));

  const popped = clients.map((client) => client.call("BLPOP", "q", 0));
  await whenBlocked(redis, clients.length);
  for (const i of clients.keys()) await others[i % others.length]!.call("RPUSH", "q", `${i}`);
  const replies = await within(Promise.all(popped));
  const values = new Set(replies.map((reply) => (reply as string[])[1]));
  assert(values.size === clients.length, `${[...values]}`);

  const last = clients.map((client) => client.call("BLPOP", "q", 0));
  await whenBlocked(redis, clients.length);
  for (const client of others) client.close(); // who is idle would be given time to hang up
  const before = performance.now();
  await proxy.stop();
  assert(performance.now() - before < 3000, "the proxy waited for its blocked clients");
  for (const reply of await within(Promise.all(last))) {
    assert(/shutting down$/.test((reply as { message: string }).message), `${reply}`);
  }
  for (const client of clients) client.close();
});

Deno.test("a client that gets no connection of its own is told that its worker's share is used up", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [redis],
    cpu: 2,
    config: { private_connections_max: 5, backend_dial_timeout: 1 },
  });
  const clients = await Promise.all(Array.from({ length: 6 }, () => proxy.client()));
  const replies = await within(Promise.any(clients.map(async (client) => {
    const reply = await client.call("BLPOP", "q", 0);
    return (reply as { message: string }).message;
  })));
  assertMatch(
    replies,
    /all 2 private connections to \S+ are in use: they are one worker's share of private_connections_max = 5$/,
  );
  for (const client of clients) client.close();
});

Deno.test("CLIENT UNBLOCK by another worker says what happened where a server is asked for a second at a time", async () => {
  await using redis = await RedisServer.start(OLD_SERVER);
  await using proxy = await ProxyProcess.start({ servers: [redis], cpu: 2 });
  const clients = await Promise.all(Array.from({ length: 16 }, () => proxy.client()));
  const ids = await Promise.all(clients.map((client) => client.call("CLIENT", "ID")));
  const replies = clients.map((client) => client.call("BLPOP", "q", 0));
  await whenBlocked(redis, clients.length);
  const others = await Promise.all(ids.map(() => proxy.client()));
  const answers = await Promise.all(
    ids.map((id, i) => others[i]!.call("CLIENT", "UNBLOCK", `${id}`)),
  );
  assertEquals(answers, ids.map(() => 1));
  assertEquals(await within(Promise.all(replies)), clients.map(() => null));
  assertEquals(await others[0]!.call("CLIENT", "UNBLOCK", "99999999"), 0);
  for (const client of [...clients, ...others]) client.close();
});
