/**
 * Client-side caching, CLIENT PAUSE and MONITOR with several workers: clients of all of them are meant.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";

const utf8 = new TextDecoder();
/** So many clients are never all of one worker, but for one time in 30 000. */
const MANY = 16;
/** Long enough for a PING that waits for nobody, in milliseconds. */
const PING_MS = 50;

Deno.test("invalidations, pauses and monitors reach the clients of all workers", async (t) => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({ servers, cpu: 2 });
  const clients: RespClient[] = [];
  for (let i = 0; i < MANY; i++) clients.push(await proxy.client());
  using writer = await proxy.client();

  await t.step("a client of RESP2 is told what readers of all workers have read", async () => {
    using listener = await proxy.client();
    const id = await listener.call("CLIENT", "ID") as number;
    await listener.call("SUBSCRIBE", "__redis__:invalidate");
    for (const [i, client] of clients.entries()) {
      assertEquals(await client.call("CLIENT", "TRACKING", "ON", "REDIRECT", id), "OK");
      assertEquals(await client.call("GET", `k${i}`), null);
    }
    for (let i = 0; i < MANY; i++) {
      await writer.call("SET", `k${i}`, "v");
      const { value } = await listener.read();
      assertEquals(value, ["message", "__redis__:invalidate", [`k${i}`]]);
    }
    for (const nobody of [id + 1_000, 0]) {
      await clients[0]!.send("CLIENT", "TRACKING", "ON", "REDIRECT", nobody);
      assertMatch(utf8.decode((await clients[0]!.read()).raw), /^-ERR The client ID you want/);
    }
  });

  await t.step("readers of all workers hear that the client is gone", async () => {
    for (const [i, client] of clients.entries()) {
      await client.call("HELLO", 3);
      await client.call("GET", `k${i}`);
      await writer.call("SET", `k${i}`, "w");
      assertMatch(utf8.decode((await client.read()).raw), /^>2\r\n\$21\r\ntracking-redir-broken/);
      await client.call("RESET");
    }
  });

  await t.step("writes of all clients wait", async () => {
    assertEquals(await writer.call("CLIENT", "PAUSE", 60_000, "WRITE"), "OK");
    let answered = 0;
    const replies = clients.map(async (client) => {
      assertEquals(await client.call("SET", "paused", 1), "OK");
      answered++;
    });
    await delay(100);
    assertEquals(answered, 0);
    assertEquals(await writer.call("CLIENT", "UNPAUSE"), "OK");
    await Promise.all(replies);
  });

  await t.step(
    "a monitor sees the commands of all clients, and no more once it is gone",
    async () => {
      using monitor = await proxy.client();
      assertEquals(await monitor.call("MONITOR"), "OK");
      const missing = new Set<string>();
      for (const [i, client] of clients.entries()) {
        missing.add(`"SET" "seen" "${i}"`);
        await client.call("SET", "seen", i);
      }
      while (missing.size > 0) {
        const line = utf8.decode((await monitor.read()).raw);
        assertMatch(line, /^\+\d{10}\.\d{6} \[0 127\.0\.0\.1:\d+\] "SET" "seen" "\d+"\r\n$/);
        assert(missing.delete(line.slice(line.indexOf("] ") + 2).trimEnd()));
      }
    },
  );

  for (const client of clients) client.close();
});

Deno.test("a client has what it is told for readers of all workers before its PING is answered", async () => {
  await using redis = await RedisServer.start();
  await using relay = TcpRelay.start(redis.port);
  await using proxy = await ProxyProcess.start({ servers: [relay], cpu: 2 });
  using writer = await proxy.client();
  using listener = await proxy.client();
  const id = await listener.call("CLIENT", "ID") as number;
  await listener.call("SUBSCRIBE", "__redis__:invalidate");
  for (let i = 0; i < MANY; i++) {
    using reader = await proxy.client();
    assertEquals(await reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", id), "OK");
    assertEquals(await reader.call("GET", `k${i}`), null);
    const isHeld = relay.hold("invalidate");
    assertEquals(await writer.call("SET", `k${i}`, "v"), "OK");
    await isHeld;
    await listener.send("PING");
    await delay(PING_MS);
    relay.release();
    const messages = [(await listener.read()).value, (await listener.read()).value];
    assertEquals(messages, [["message", "__redis__:invalidate", [`k${i}`]], ["pong", ""]]);
  }
});
