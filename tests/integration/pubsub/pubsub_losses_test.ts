/**
 * What subscribers are promised when servers die, hang or refuse, and when clients are slow or leave.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const CHANNELS = [keyOn(0, 2, "ch"), keyOn(1, 2, "ch")] as const;

async function subscribersAt(server: RedisServer, channel: string): Promise<number> {
  using client = await server.client();
  return (await client.call("PUBSUB", "NUMSUB", channel) as [string, number])[1];
}

async function messageOf(client: RespClient): Promise<string> {
  return (await client.read()).value!.toString();
}

Deno.test("a server that was killed is subscribed at again when it is back; the other one's messages go on", async () => {
  await using servers = await RedisServer.startMany(2);
  const [a, b] = servers as unknown as [RedisServer, RedisServer];
  await using proxy = await RouterServer.start({ servers });
  const subscribers = await Promise.all(Array.from({ length: 5 }, () => proxy.client()));
  for (const client of subscribers) {
    await client.send("SUBSCRIBE", ...CHANNELS);
    await client.read();
    await client.read();
    await client.call("PSUBSCRIBE", "nothing*");
  }
  using publisher = await proxy.client();
  await a.kill();
  await until(() =>
    proxy.events.some((line) => line.startsWith(`subscriptions at ${a.addr} lost`))
  );
  assert(await publisher.call("PUBLISH", CHANNELS[0], "x") instanceof ReplyError);
  assertEquals(await publisher.call("PUBLISH", CHANNELS[1], "other"), 5);
  for (const client of subscribers) {
    assertEquals(await messageOf(client), `message,${CHANNELS[1]},other`);
  }
  // What changes meanwhile is in force when it is back.
  using late = await proxy.client();
  assertEquals(await late.call("SUBSCRIBE", CHANNELS[0]), ["subscribe", CHANNELS[0], 1]);
  assertEquals(await subscribers[0]!.call("UNSUBSCRIBE", CHANNELS[0]), [
    ...["unsubscribe", CHANNELS[0]],
    2,
  ]);
  await a.restart();
  await until(async () => await subscribersAt(a, CHANNELS[0]) === 5);
  await until(() => proxy.events.includes(`subscriptions of 6 clients at ${a.addr} are back`));
  await until(async () => await publisher.call("PUBLISH", CHANNELS[0], "again") === 5);
  for (const client of [...subscribers.slice(1), late]) {
    assertEquals(await messageOf(client), `message,${CHANNELS[0]},again`);
  }
  assertEquals(await subscribersAt(b, CHANNELS[0]), 5);
  assert(proxy.router.shared.totals.lostSubscriptions >= 5);
  for (const client of subscribers) client.close();
  late.close();
  await until(() => proxy.router.shared.subscribers.size === 0);
  await until(async () => await subscribersAt(a, CHANNELS[0]) === 0);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("the log says why a server could not be subscribed at", async () => {
  await using servers = await RedisServer.startMany(2);
  const [a, b] = servers as unknown as [RedisServer, RedisServer];
  await using proxy = await RouterServer.start({ servers });
  await a.kill();
  using admin = await b.client();
  await admin.call("CONFIG", "SET", "requirepass", "secret");
  using client = await proxy.client();
  await client.call("SUBSCRIBE", "c");
  const causeOf = ({ addr }: RedisServer) =>
    proxy.events.find((line) => line.startsWith(`subscriptions at ${addr} lost: `));
  await until(() => causeOf(a) !== undefined && causeOf(b) !== undefined);
  assertMatch(causeOf(a)!, /refused/);
  assertMatch(causeOf(b)!, /NOAUTH/);
});

Deno.test("SUBSCRIBE to servers that are all down answers an error, and works once one is back", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  for (const server of servers) await server.kill();
  using client = await proxy.client();
  const reply = await client.call("SUBSCRIBE", CHANNELS[0]);
  assert(reply instanceof ReplyError);
  assertMatch(reply.message, /^ERR .*backend conn failure/);
  assertEquals(await client.call("UNSUBSCRIBE"), ["unsubscribe", null, 0]);
  for (const server of servers) await server.restart();
  assertEquals(await client.call("SUBSCRIBE", CHANNELS[0]), ["subscribe", CHANNELS[0], 1]);
});

Deno.test("a server that hangs holds up a SUBSCRIBE no longer than backend_timeout", async () => {
  await using servers = await RedisServer.startMany(2);
  const [a, b] = servers as unknown as [RedisServer, RedisServer];
  await using proxy = await RouterServer.start({ servers, options: { backendTimeoutMs: 500 } });
  using client = await proxy.client();
  await client.call("SUBSCRIBE", CHANNELS[0]);
  a.pause();
  try {
    const startMs = performance.now();
    assertEquals(await client.call("SUBSCRIBE", CHANNELS[1]), ["subscribe", CHANNELS[1], 2]);
    assert(performance.now() - startMs < 3_000);
    using publisher = await b.client();
    assertEquals(await publisher.call("PUBLISH", CHANNELS[1], "x"), 1);
    assertEquals(await messageOf(client), `message,${CHANNELS[1]},x`);
  } finally {
    a.resume();
  }
  await until(async () => await subscribersAt(a, CHANNELS[1]) === 1);
});

Deno.test("what a server refuses is refused, and nothing of it stays subscribed", async () => {
  await using servers = await RedisServer.startMany(2);
  const [a, b] = servers as unknown as [RedisServer, RedisServer];
  using admin = await b.client();
  await admin.call("ACL", "SETUSER", "default", "resetchannels", "&ch*");
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const refused = await client.call("SUBSCRIBE", "other");
  assert(refused instanceof ReplyError);
  assertMatch(refused.message, /^NOPERM /);
  assertEquals(await subscribersAt(a, "other"), 0);
  assertEquals(await client.call("SUBSCRIBE", CHANNELS[1]), ["subscribe", CHANNELS[1], 1]);
  assert(await client.call("PSUBSCRIBE", "*") instanceof ReplyError);
  assertEquals(await client.call("PSUBSCRIBE", "ch*"), ["psubscribe", "ch*", 2]);
});

Deno.test("a subscriber that reads nothing is closed past session_max_buffer, others get all", async () => {
  await using redis = await RedisServer.start();
  const options = { sessionBufferBytesMax: 2 * 1024 * 1024 };
  await using proxy = await RouterServer.start({ servers: [redis], options });
  using slow = await proxy.client();
  using good = await proxy.client();
  await slow.call("SUBSCRIBE", "c");
  await good.call("SUBSCRIBE", "c");
  using publisher = await proxy.client();
  const text = "x".repeat(100_000);
  for (let i = 0; i < 200; i++) {
    await publisher.call("PUBLISH", "c", text);
    assertEquals((await good.read()).raw.length, text.length + 35);
  }
  await until(() => proxy.events.includes("session overflowed"));
  await until(async () => await publisher.call("PUBLISH", "c", "last") === 1);
  assertEquals(await messageOf(good), "message,c,last");
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("past private_connections_max SUBSCRIBE answers an error, and a client that cannot follow its slots is closed", async () => {
  await using servers = await RedisServer.startMany(2);
  const [a, b] = servers as unknown as [RedisServer, RedisServer];
  const options = { privateConnectionsMax: 2, backendDialMs: 200 };
  await using proxy = await RouterServer.start({ servers: [a], options });
  const clients = await Promise.all([0, 1, 2].map(() => proxy.client()));
  for (const client of clients.slice(0, 2)) await client.call("SUBSCRIBE", "c");
  const refused = await clients[2]!.call("SUBSCRIBE", "c");
  assert(refused instanceof ReplyError);
  assertMatch(refused.message, /private_connections_max/);
  clients[0]!.close();
  await until(async () => await subscribersAt(a, "c") === 1);
  assertEquals(await clients[2]!.call("SUBSCRIBE", "c"), ["subscribe", "c", 1]);

  // A slot moves to a server that can lend one of them nothing more.
  const { pool } = proxy.router.shared.slots;
  const server = pool.acquire(b.addr);
  server.borrowPrivate(0, 2, { resume() {} });
  await proxy.fill(0, b.addr);
  await until(() => proxy.router.shared.subscribers.size === 1);
  assert(proxy.events.some((line) => /session timed out: .*private_connections_max/.test(line)));
  assertEquals(await subscribersAt(b, "c"), 1);
  pool.release(server);
  for (const client of clients) client.close();
});

Deno.test("clients that leave in the middle of SUBSCRIBE leave nothing behind", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  for (let i = 0; i < 30; i++) {
    using client = await proxy.client();
    await client.send("SUBSCRIBE", ...CHANNELS);
    if (i % 3 === 1) await delay(i / 10);
    if (i % 3 === 2) await client.read();
  }
  const { shared } = proxy.router;
  await until(() => proxy.router.sessions.size === 0 && shared.subscribers.size === 0);
  for (const server of servers) {
    await until(async () => await subscribersAt(server, CHANNELS[0]) === 0);
  }
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a subscriber gets no connection that has a keep-alive PING unanswered", async () => {
  await using servers = await RedisServer.startMany(2);
  const [a] = servers as unknown as [RedisServer];
  await using proxy = await RouterServer.start({ servers, options: { backendDialMs: 5_000 } });
  using client = await proxy.client();
  using publisher = await proxy.client();
  const [channel] = CHANNELS;
  assertEquals(await client.call("BLPOP", channel, "0.01"), null); // its connection is kept
  a.pause();
  proxy.router.keepAlive();
  await client.send("SUBSCRIBE", channel);
  await until(() => proxy.router.shared.subscribers.size === 1);
  await delay(50);
  a.resume();
  assertEquals(await messageOf(client), `subscribe,${channel},1`);
  assertEquals(await publisher.call("PUBLISH", channel, "x"), 1);
  assertEquals(await messageOf(client), `message,${channel},x`);
  assertEquals(proxy.router.shared.totals.lostSubscriptions, 0);
});

Deno.test("a subscriber for which one server has no connection gets an error, or is closed, and the others get all", async () => {
  await using servers = await RedisServer.startMany(2);
  const [a] = servers as unknown as [RedisServer];
  using admin = await a.client();
  await using proxy = await RouterServer.start({ servers });
  using publisher = await proxy.client();
  const [channel] = CHANNELS;
  assertEquals(await publisher.call("PUBLISH", channel, "x"), 0);
  const connected = /connected_clients:(\d+)/.exec(`${await admin.call("INFO", "clients")}`)![1];
  const setMax = (more: number) =>
    admin.call("CONFIG", "SET", "maxclients", Number(connected) + more);
  await setMax(1);
  const clients = await Promise.all([0, 1, 2].map(() => proxy.client()));
  const [first, second, third] = clients as [RespClient, RespClient, RespClient];
  assertEquals(await first.call("SUBSCRIBE", channel), ["subscribe", channel, 1]);
  const refused = await second.call("SUBSCRIBE", channel);
  assert(refused instanceof ReplyError);
  assertMatch(refused.message, /max number of clients reached/);
  assertEquals(await publisher.call("PUBLISH", channel, "one"), 1);
  assertEquals(await messageOf(first), `message,${channel},one`);

  // The server was never lost: there is nothing that a later one would have to wait for.
  await setMax(2);
  assertEquals(await third.call("SUBSCRIBE", channel), ["subscribe", channel, 1]);
  assertEquals(await publisher.call("PUBLISH", channel, "two"), 2);
  assertEquals(await messageOf(third), `message,${channel},two`);
  assertEquals(proxy.router.shared.totals.lostSubscriptions, 0);

  // One that loses its connection, and gets none again, is not left without messages in silence.
  await setMax(-1);
  await admin.call("CLIENT", "KILL", "TYPE", "pubsub");
  await until(() => proxy.router.shared.subscribers.size === 0);
  const closed = /session timed out: no connection to .* max number of clients reached/;
  assertEquals(proxy.events.filter((line) => closed.test(line)).length, 2, proxy.events.join("\n"));
  for (const client of clients) client.close();
});
