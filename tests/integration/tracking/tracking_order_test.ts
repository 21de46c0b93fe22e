/**
 * PING of a client that caches: once it is answered, the client knows of every write that was answered before.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, RespClient, type Word } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";

const utf8 = new TextDecoder();
const INVALIDATED = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
const INVALIDATED_ALL = ">2\r\n$10\r\ninvalidate\r\n_\r\n";
/** Long enough for a PING that waits for nobody, in milliseconds. */
const PING_MS = 100;
/** After which a server is asked no more, in milliseconds. */
const TIMEOUT_MS = 1_000;

/** The next message, as it came. */
async function next(client: RespClient): Promise<string> {
  return utf8.decode((await client.read()).raw);
}

/** A proxy before a server whose invalidations may be held up on their way. */
async function startSlow(run: (proxy: RouterServer, relay: TcpRelay) => Promise<void>) {
  await using redis = await RedisServer.start();
  await using relay = TcpRelay.start(redis.port);
  await using proxy = await RouterServer.start({
    servers: [relay],
    options: { backendTimeoutMs: TIMEOUT_MS },
  });
  await run(proxy, relay);
}

/** Writes the key; the answer is there, and the server has told who has read it. */
async function write(proxy: RouterServer, relay: TcpRelay): Promise<void> {
  using writer = await proxy.client();
  const isHeld = relay.hold("invalidate");
  assertEquals(await writer.call("SET", "k", "v"), "OK");
  await isHeld;
}

Deno.test("an invalidation comes before the answer to a PING that was sent after the write", async () => {
  await startSlow(async (proxy, relay) => {
    using reader = await proxy.client();
    await reader.call("HELLO", 3);
    await reader.call("CLIENT", "TRACKING", "ON");
    assertEquals(await reader.call("PING"), "PONG");
    assertEquals(await reader.call("GET", "k"), null);
    await write(proxy, relay);
    await reader.send("PING");
    await reader.send("PING", "again");
    await delay(PING_MS);
    relay.release();
    const messages = [await next(reader), await next(reader), await next(reader)];
    assertEquals(messages, [INVALIDATED, "+PONG\r\n", "$5\r\nagain\r\n"]);
  });
});

Deno.test("a PING is answered when the client that invalidations are redirected to has them", async () => {
  await startSlow(async (proxy, relay) => {
    using listener = await proxy.client();
    await listener.call("HELLO", 3);
    const id = await listener.call("CLIENT", "ID") as number;
    using reader = await proxy.client();
    await reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", id);
    assertEquals(await reader.call("GET", "k"), null);
    await write(proxy, relay);
    const order: string[] = [];
    const all = [reader, listener].map(async (client, i) => {
      if (i === 0) await client.send("PING");
      order.push(await next(client));
    });
    await delay(PING_MS);
    assertEquals(order, []);
    relay.release();
    await Promise.all(all);
    assertEquals(order.sort(), ["+PONG\r\n", INVALIDATED]);
  });
});

for (const protocol of [2, 3]) {
  const inProtocol = `of RESP${protocol}`;
  const [told, toldAll, pong] = protocol === 3 ? [INVALIDATED, INVALIDATED_ALL, "+PONG\r\n"] : [
    "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n",
    "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n",
    "*2\r\n$4\r\npong\r\n$0\r\n\r\n",
  ];
  /** Has one client listen, and another one read the key for it. */
  const redirected = async (listener: RespClient, reader: RespClient) => {
    if (protocol === 3) await listener.call("HELLO", 3);
    const id = await listener.call("CLIENT", "ID") as number;
    if (protocol === 2) await listener.call("SUBSCRIBE", "__redis__:invalidate");
    assertEquals(await reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", id), "OK");
    assertEquals(await reader.call("GET", "k"), null);
  };

  Deno.test(`an invalidation comes before the answer to a PING of the client ${inProtocol} that it is redirected to`, async () => {
    await startSlow(async (proxy, relay) => {
      using listener = await proxy.client();
      using reader = await proxy.client();
      await redirected(listener, reader);
      for (let i = 0; i < 2; i++) {
        await write(proxy, relay);
        await listener.send("PING");
        await delay(PING_MS);
        relay.release();
        assertEquals([await next(listener), await next(listener)], [told, pong]);
        await reader.call("GET", "k");
      }
      await reader.call("CLIENT", "TRACKING", "OFF");
      await listener.send("PING");
      assertEquals(await next(listener), pong);
    });
  });

  Deno.test(`where what a server told is lost, the client ${inProtocol} that is told for another forgets everything before its PING is answered`, async () => {
    await startSlow(async (proxy, relay) => {
      using listener = await proxy.client();
      using reader = await proxy.client();
      await redirected(listener, reader);
      await write(proxy, relay);
      await listener.send("PING");
      await delay(PING_MS);
      relay.cut();
      relay.release();
      assertEquals([await next(listener), await next(listener)], [toldAll, pong]);
    });
  });

  Deno.test(`a PING of the client ${inProtocol} that is told for another while a server is asked no more has it forget everything before`, async () => {
    await startSlow(async (proxy, relay) => {
      using listener = await proxy.client();
      using reader = await proxy.client();
      using other = await proxy.client();
      await redirected(listener, reader);
      await write(proxy, relay);
      relay.stall();
      assertMatch((await other.call("GET", "k") as Error).message, /no answer for 1000 ms/);
      await listener.send("PING");
      assertEquals([await next(listener), await next(listener)], [toldAll, pong]);
      relay.release();
      relay.resume();
    });
  });
}

for (const isRedirected of [false, true]) {
  const whom = isRedirected ? " of the client that it is redirected to" : "";
  Deno.test(`an invalidation comes before the answer to a PING in a transaction${whom}`, async () => {
    await startSlow(async (proxy, relay) => {
      using reader = await proxy.client();
      using other = await proxy.client();
      const listener = isRedirected ? other : reader;
      await reader.call("HELLO", 3);
      await other.call("HELLO", 3);
      const id = await other.call("CLIENT", "ID") as number;
      const redirect = isRedirected ? ["REDIRECT", id] : [];
      assertEquals(await reader.call("CLIENT", "TRACKING", "ON", ...redirect), "OK");
      for (const more of [[], [["SUBSCRIBE", "c"]], [["GET", "other"]]]) {
        assertEquals(await reader.call("GET", "k"), more.length === 0 ? null : "v");
        await write(proxy, relay);
        for (const words of [["MULTI"], ["PING"], ...more, ["EXEC"]]) await listener.send(...words);
        await delay(PING_MS);
        relay.release();
        const texts: string[] = [];
        while (!texts.at(-1)?.startsWith("*")) texts.push(await next(listener));
        assertEquals(texts.filter((text) => !/^\+(OK|QUEUED)/.test(text)), [
          INVALIDATED,
          texts.at(-1),
        ]);
        assertMatch(texts.at(-1)!, /\+PONG/);
        await listener.call("UNSUBSCRIBE", "c");
      }
    });
  });
}

/** What a server at a port answers to requests that come all at once. */
async function answers(port: number, requests: readonly (readonly Word[])[]): Promise<string> {
  using client = await RespClient.connect(port);
  await client.sendRaw(encodeRequests([...requests, ["QUIT"]]));
  return utf8.decode(await client.readToEnd()).replace(/\$2\r\nid\r\n:\d+/, "");
}

Deno.test("in a pipeline, too, a PING is answered behind what the client's own writes invalidate", async () => {
  await using redis = await RedisServer.start();
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const tracking = [["HELLO", "3"], ["CLIENT", "TRACKING", "ON"]];
  const written = (key: string) => [["GET", key], ["SET", key, "1"], ["PING"]];
  for (
    const requests of [
      [...tracking, ...written("a")],
      [...tracking, ...written("b"), ["SELECT", "1"], ...written("b")],
      [...tracking, ["GET", "c"], ["SELECT", "2"], ["SELECT", "0"], ["SET", "c", "1"], ["PING"]],
    ]
  ) {
    assertEquals(await answers(proxy.port, requests), await answers(redis.port, requests));
  }
});

Deno.test("where what a server told is lost, the client forgets everything before its PING is answered", async () => {
  await startSlow(async (proxy, relay) => {
    using reader = await proxy.client();
    await reader.call("HELLO", 3);
    await reader.call("CLIENT", "TRACKING", "ON");
    assertEquals(await reader.call("GET", "k"), null);
    await write(proxy, relay);
    await reader.send("PING");
    await delay(PING_MS);
    relay.cut();
    relay.release();
    assertEquals([await next(reader), await next(reader)], [
      ">2\r\n$10\r\ninvalidate\r\n_\r\n",
      "+PONG\r\n",
    ]);
    // Nobody is tracked now: there is nothing to wait for.
    assertEquals(await reader.call("PING"), "PONG");
  });
});

Deno.test("a client that is told of prefixes reads and hears on after a connection was lost", async () => {
  await startSlow(async (proxy, relay) => {
    using reader = await proxy.client();
    using writer = await proxy.client();
    await reader.call("HELLO", 3);
    await reader.call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "k");
    assertEquals(await reader.call("GET", "other"), null);
    relay.cut();
    assertEquals(await next(reader), ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    // Who reads opens it again; what is to be heard is not said once more.
    const texts: string[] = [];
    const until = performance.now() + 1_000;
    while (performance.now() < until) {
      await reader.send("GET", "other");
      let text = await next(reader);
      while (text.startsWith(">")) text = await next(reader);
      texts.push(text);
      await delay(10);
    }
    const served = texts.indexOf("_\r\n");
    assertEquals(new Set(texts.slice(served)), new Set(["_\r\n"]));
    assertEquals(await writer.call("SET", "k", "v"), "OK");
    assertEquals(await next(reader), INVALIDATED);
  });
});

for (const isRedirected of [false, true]) {
  const whom = isRedirected ? "whoever is told for it" : "the client";
  Deno.test(`a PING while a server is asked no more has ${whom} forget everything before its answer`, async () => {
    await startSlow(async (proxy, relay) => {
      using listener = await proxy.client();
      using reader = await proxy.client();
      using other = await proxy.client();
      await listener.call("HELLO", 3);
      const id = await listener.call("CLIENT", "ID") as number;
      await reader.call("HELLO", 3);
      const redirect = isRedirected ? ["REDIRECT", id] : [];
      assertEquals(await reader.call("CLIENT", "TRACKING", "ON", ...redirect), "OK");
      assertEquals(await reader.call("GET", "k"), null);
      await write(proxy, relay);
      relay.stall();
      // It waits for its own connection only; the reader's has nothing to wait for.
      assertMatch((await other.call("GET", "k") as Error).message, /no answer for 1000 ms/);
      await reader.send("PING");
      if (isRedirected) assertEquals(await next(listener), INVALIDATED_ALL);
      else assertEquals(await next(reader), INVALIDATED_ALL);
      assertEquals(await next(reader), "+PONG\r\n");
      // What was told meanwhile is too late to matter, and the server is read from again.
      relay.release();
      relay.resume();
      while (await reader.call("GET", "k") !== "v") await delay(20);
    });
  });
}
