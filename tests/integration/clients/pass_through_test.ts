/**
 * Large values: handed on as they arrive, never held whole, harming nobody.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import type { ReadMode } from "../../../src/io/byte_source.ts";
import { acquireRequest, NO_INTEREST, recycleRequest } from "../../../src/router/request.ts";
import { LARGE_LOADS_MAX } from "../../../src/router/backends/server.ts";
import { until, within } from "../../support/deadline.ts";
import { answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { textOf } from "../../support/pieces.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, RespClient } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, keyWhere, RouterServer, slotOf } from "../../support/router_server.ts";

const MB = 1024 * 1024;
/** What one session may hold of a large request while it passes, in bytes. */
const HELD_BYTES_MAX = 6 * MB;

function assertError(reply: RespValue, text: RegExp): void {
  assert(reply instanceof ReplyError, `an error was expected, not ${reply}`);
  assertMatch(reply.message, text);
}

/** Bytes that differ from place to place. */
function valueOf(bytes: number): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) value[i] = (i * 7 + (i >> 9)) & 255;
  return value;
}

/** Sends a request but for its last `missing` bytes, which are returned. */
async function sendMost(client: RespClient, words: (string | Uint8Array)[], missing: number) {
  const bytes = encodeRequests([words]);
  await client.sendRaw(bytes.subarray(0, bytes.length - missing));
  return bytes.subarray(bytes.length - missing);
}

/** The largest number of bytes the proxy held for its clients while `work` was done. */
async function mostHeld(proxy: RouterServer, work: Promise<unknown>): Promise<number> {
  let most = 0;
  const timer = setInterval(() => most = Math.max(most, proxy.router.shared.budget.usedBytes), 1);
  await work.finally(() => clearInterval(timer));
  return most;
}

const SIZES = [600_000, 524_289, MB, 8 * MB, 64 * MB];

for (const readMode of ["byob", "direct"] as ReadMode[]) {
  Deno.test(`values from 512 KB to 64 MB come back as they were sent (${readMode})`, async () => {
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers: [redis], options: { readMode } });
    using client = await proxy.client();
    for (const size of SIZES) {
      const value = valueOf(size);
      const held = await mostHeld(
        proxy,
        (async () => {
          assertEquals(await client.call("SET", "big", value), "OK");
        })(),
      );
      assertLess(held, HELD_BYTES_MAX, `of ${size} bytes`);
      await client.send("GET", "big");
      const { raw } = await client.read();
      const from = raw.indexOf(10) + 1;
      assertEquals(raw.length, from + size + 2);
      assert(raw.subarray(from, from + size).every((byte, i) => byte === value[i]), `${size}`);
    }
    await until(() => proxy.leftovers().length === 0);
  });
}

Deno.test("large values keep their place in a pipeline", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  const big = "x".repeat(700_000);
  const requests = [];
  const expected: RespValue[] = [];
  for (let i = 0; i < 8; i++) {
    requests.push(["SET", "a", i], ["APPEND", "a", big], ["STRLEN", "a"], ["SET", "a", big]);
    requests.push(["MSET", "a", big], ["GET", "b"], ["DEL", "a"], ["HSET", "h", `f${i}`, big]);
    expected.push("OK", 700_001, 700_001, "OK", "OK", null, 1, 1);
  }
  assertEquals((await client.pipeline(requests)).map(({ value }) => value), expected);
  assertEquals(await client.call("HLEN", "h"), 8);
});

Deno.test("large values go to the database and in the protocol of their client", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  const big = "x".repeat(MB);
  await client.call("SELECT", 3);
  await client.call("HELLO", 3);
  await client.send("GETSET", "a", big);
  assertEquals(textOf((await client.read()).raw), "_\r\n");
  using direct = await redis.client();
  assertEquals(await direct.call("EXISTS", "a"), 0);
  await direct.call("SELECT", 3);
  assertEquals(await direct.call("STRLEN", "a"), MB);
});

Deno.test("many keys with large values are held whole up to session_max_buffer, beyond it refused", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { sessionBufferBytesMax: 4 * MB },
  });
  using client = await proxy.client();
  const big = "x".repeat(MB);
  assertEquals(await client.call("MSET", "a", big, "b", big), "OK");
  const pairs = [..."cdefghijklmnopqr"].flatMap((key) => [key, big]);
  const replies = await client.pipeline([["MSET", ...pairs], ["EXISTS", "a", "b", "c"], ["PING"]]);
  assertError(replies[0]!.value, /larger than session_max_buffer \(4194304 bytes\)/);
  assertEquals(replies.slice(1).map(({ value }) => value), [2, "PONG"]);
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("a request of one key and many small values passes through, however large", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { sessionBufferBytesMax: 4 * MB },
  });
  using client = await proxy.client();
  const value = "x".repeat(10_000);
  const sending = (async () => {
    const replies = await client.pipeline([
      ["SET", "a", 1],
      ["RPUSH", "list", ...Array.from({ length: 2000 }, () => value)],
      ["LLEN", "list"],
    ]);
    assertEquals(replies.map(({ value }) => value), ["OK", 2000, 2000]);
  })();
  assertLess(await mostHeld(proxy, sending), HELD_BYTES_MAX);
});

/** What a server at a port sends to a client that ends its part in the middle of its last request. */
async function halfAnswered(port: number, size: number, missing: number): Promise<string> {
  using client = await RespClient.connect(port);
  const bytes = encodeRequests([["GET", "half"], ["SET", "half", valueOf(size)]]);
  await client.sendRaw(bytes.subarray(0, bytes.length - missing));
  await client.closeWrite();
  return textOf(await client.readToEnd());
}

Deno.test("half a request is not answered, however large, when its client has ended its part", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using direct = await redis.client();
  await direct.call("SET", "half", "before");
  for (const size of [10, 100_000, 600_000, 3 * MB, 20 * MB]) {
    for (const missing of [1, 2, Math.floor(size / 3), size - 1, size + 2]) {
      const expected = await halfAnswered(redis.port, size, missing);
      assertEquals(expected, "$6\r\nbefore\r\n");
      assertEquals(
        await halfAnswered(proxy.port, size, missing),
        expected,
        `${missing} of ${size}`,
      );
    }
  }
  using client = await proxy.client();
  assertEquals(await client.call("GET", "half"), "before");
  // Nobody is woken by what is no failure of a server or of the proxy.
  assertMatch(`${await client.call("INFO", "stats")}`, /total_failed_requests:0\r\n/);
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("a request that is too large is refused as soon as that is known, the rest read away", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { sessionBufferBytesMax: 4 * MB },
  });
  using client = await proxy.client();
  const text =
    /^ERR request of at least \d+ bytes is larger than session_max_buffer \(4194304 bytes\)$/;
  const pair = (i: number) => `$2\r\nk${i}\r\n$${MB}\r\n${"v".repeat(MB)}\r\n`;
  // The sixth value is not sent yet, nor are the others.
  await client.sendRaw(
    `*21\r\n$4\r\nMSET\r\n${[0, 1, 2].map(pair).join("")}$2\r\nk3\r\n$${MB}\r\n`,
  );
  assertError((await client.read()).value, text);
  await client.sendRaw(`${"v".repeat(MB)}\r\n${[4, 5, 6, 7, 8, 9].map(pair).join("")}`);
  assertEquals(await client.call("EXISTS", "k0", "k3"), 0);
  // The number of arguments alone can tell.
  await client.sendRaw("*1000001\r\n$4\r\nMSET\r\n");
  assertError((await client.read()).value, text);
  await client.sendRaw("$1\r\na\r\n".repeat(1_000_000));
  assertEquals(await client.call("PING"), "PONG");
  await client.sendRaw(`*2\r\n$3\r\nGET\r\n$${5 * MB}\r\n`);
  assertError((await client.read()).value, text);
  await client.sendRaw(`${"k".repeat(5 * MB)}\r\n`);
  assertEquals(await client.call("PING"), "PONG");
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("1 048 577 arguments are taken as by redis-server, and kept from servers that hang up on them", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  const count = 1024 * 1024;
  const many = (name: string, first = "") =>
    `*${count + 1}\r\n$${name.length}\r\n${name}\r\n${first}` +
    "$1\r\na\r\n".repeat(first === "" ? count : count - 1);
  await client.call("SET", "a", 1);
  await client.sendRaw(many("EXISTS"));
  assertEquals((await client.read()).value, count);
  await client.sendRaw(many("SADD", "$3\r\nset\r\n"));
  assertEquals((await client.read()).value, 1);
  const info = "redis_version:6.2.14\r\n";
  await using old = new FakeRedis((words) =>
    words[0] === "INFO" ? `$${info.length}\r\n${info}\r\n` : answerNothing(words)
  );
  await using older = await RouterServer.start({ servers: [old] });
  using other = await older.client();
  await other.sendRaw(many("EXISTS"));
  assertError(
    (await other.read()).value,
    /^ERR request of 1048577 arguments: servers before Redis 7/,
  );
  await other.sendRaw(many("SADD", "$3\r\nset\r\n"));
  assertError(
    (await other.read()).value,
    /^ERR request of 1048577 arguments: servers before Redis 7/,
  );
  assertEquals(await other.call("GET", "a"), null);
  assertEquals(old.received.map(([name]) => name), ["SELECT", "INFO", "GET"]);
});

Deno.test("a slow upload harms nobody: others on the same server and key go on", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using slow = await proxy.client();
  using other = await proxy.client();
  const value = valueOf(2 * MB);
  const rest = await sendMost(slow, ["SET", "a", value], MB);
  let slowestMs = 0;
  for (let i = 0; i < 20; i++) {
    await slow.sendRaw(rest.subarray(i * 50_000, (i + 1) * 50_000));
    const startedMs = performance.now();
    await other.pipeline([["SET", "a", i], ["GET", "a"], ["INCR", "n"]]);
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
  }
  assertLess(slowestMs, 200);
  assertEquals(await other.call("GET", "a"), "19");
  await slow.sendRaw(rest.subarray(1_000_000));
  assertEquals((await slow.read()).value, "OK");
  assertEquals(await other.call("STRLEN", "a"), 2 * MB);
});

Deno.test("very large uploads take turns at a server: all arrive, and one that stalls keeps none waiting", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using slow = await proxy.client();
  using gone = await proxy.client();
  const value = "v".repeat(16 * MB);
  const rest = await sendMost(slow, ["SET", "slow", value], 1_000);
  await sendMost(gone, ["SET", "gone", value], 9 * MB);
  const clients = await Promise.all(Array.from({ length: 4 }, () => proxy.client()));
  const uploads = clients.map((client, i) => client.call("SET", `key:${i}`, `${i}${value}`));
  await delay(20);
  gone.close(); // in its turn, or waiting for it
  assertEquals(await within(Promise.all(uploads), 20_000), ["OK", "OK", "OK", "OK"]);
  await slow.sendRaw(rest);
  assertEquals((await slow.read()).value, "OK");
  for (const [i, client] of clients.entries()) {
    assertEquals(await client.call("GETRANGE", `key:${i}`, 0, 1), `${i}v`);
    assertEquals(await client.call("STRLEN", `key:${i}`), 16 * MB + 1);
    client.close();
  }
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("more uploads at once than a server is given connections all succeed", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  const value = valueOf(700_000);
  const uploads = LARGE_LOADS_MAX + 8;
  const clients = await Promise.all(Array.from({ length: uploads }, () => proxy.client()));
  const rests = await Promise.all(
    clients.map((client, i) => sendMost(client, ["SET", `k${i}`, value], 1000)),
  );
  await Promise.all(clients.map(async (client, i) => {
    await client.sendRaw(rests[i]!);
    assertEquals((await client.read()).value, "OK");
  }));
  assertEquals(await clients[0]!.call("DBSIZE"), uploads);
  const privates = [...proxy.router.shared.slots.pool.servers()].flatMap((server) =>
    [...server.backends()].filter((backend) => backend.isPrivate)
  );
  assert(privates.length <= 4, `${privates.length} connections were kept`);
  for (const client of clients) client.close();
});

Deno.test("a client that vanishes during an upload changes nothing and leaves nothing", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using other = await proxy.client();
  await other.call("SET", "a", "old");
  const pooled = Array.from({ length: 5 }, () => acquireRequest(NO_INTEREST));
  pooled.forEach(recycleRequest);
  for (let i = 0; i < 10; i++) {
    const client = await proxy.client();
    await sendMost(client, ["SET", "a", valueOf(MB)], 1000);
    await until(() => proxy.router.shared.slots.all[slotOf("a")]!.inFlight === 1);
    if (i % 2 === 0) client.close();
    else await other.call("CLIENT", "KILL", "TYPE", "normal");
    await until(() => proxy.router.sessions.size === 1);
    client.close();
  }
  assertEquals(await other.call("GET", "a"), "old");
  const again = Array.from({ length: 12 }, () => acquireRequest(NO_INTEREST));
  assert(pooled.every((request) => again.includes(request)), "the pool has lost requests");
  again.forEach(recycleRequest);
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("a server that dies during an upload costs the client that request, not its connection", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  const rest = await sendMost(client, ["SET", "a", valueOf(4 * MB)], MB);
  await until(() => proxy.events.some((line) => line.startsWith("ready")));
  await redis.kill();
  await client.sendRaw(rest);
  assertError((await client.read()).value, /backend conn failure/);
  assertEquals(await client.call("PING"), "PONG");
  await redis.restart();
  await until(async () => !(await client.call("GET", "a") instanceof ReplyError));
  assertEquals(await client.call("SET", "a", valueOf(MB)), "OK");
  await until(() => proxy.leftovers().length === 0);
});

Deno.test("an upload to a server that is down is answered with an error, the rest read away", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  await redis.kill();
  using client = await proxy.client();
  for (let i = 0; i < 3; i++) {
    const replies = await client.pipeline([["SET", "a", valueOf(3 * MB)], ["PING"]]);
    assertError(replies[0]!.value, /backend conn failure.*connection refused/);
    assertEquals(replies[1]!.value, "PONG");
  }
});

Deno.test("a server that answers before the upload is complete is heard, the rest read away", async () => {
  await using fake = new FakeRedis(([name]) =>
    name === "SELECT" ? "+OK\r\n" : "-ERR unexpected\r\n"
  );
  // Answers as soon as the first bytes of anything but a handshake are here.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const conn of listener) {
      const chunk = new Uint8Array(64 * 1024);
      let isGreeted = false;
      try {
        while (await conn.read(chunk) !== null) {
          const reply = isGreeted ? "-OOM command not allowed\r\n" : "+OK\r\n";
          await conn.write(new TextEncoder().encode(reply));
          if (isGreeted) break;
          isGreeted = true;
        }
      } finally {
        conn.close();
      }
    }
  })();
  {
    await using proxy = await RouterServer.start({
      servers: [{ addr: `127.0.0.1:${(listener.addr as Deno.NetAddr).port}` }],
    });
    using client = await proxy.client();
    const replies = await client.pipeline([["SET", "a", valueOf(8 * MB)], ["PING"]]);
    assertError(replies[0]!.value, /OOM command not allowed|backend conn failure/);
    assertEquals(replies[1]!.value, "PONG");
    assertEquals(fake.connectionCount, 0);
  }
  listener.close();
  await serving;
});

Deno.test("a server has all of its time to answer, however long the upload took", async () => {
  const backendTimeoutMs = 1_000;
  await using fake = new FakeRedis(async (words) => {
    if (words[0] !== "SET") return answerNothing(words);
    await delay(backendTimeoutMs / 2); // the proxy looks for late servers more often
    return "+OK\r\n";
  });
  await using proxy = await RouterServer.start({ servers: [fake], options: { backendTimeoutMs } });
  using client = await proxy.client();
  const last = await sendMost(client, ["SET", "a", "x".repeat(MB)], 10);
  await delay(backendTimeoutMs);
  await client.sendRaw(last);
  assertEquals((await client.read()).value, "OK");
});

Deno.test("an upload to a blocked slot waits in the client's buffers, then goes through", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  const slotId = slotOf("a");
  await proxy.fill(slotId, redis.addr, { isBlocked: true });
  using client = await proxy.client();
  using other = await proxy.client();
  const value = valueOf(32 * MB);
  const upload = client.pipeline([["SET", "a", value], ["STRLEN", "a"]]);
  await until(() => proxy.sessionOf(client).inputBytes > 0);
  const free = keyWhere((id) => id !== slotId, "free");
  for (let i = 0; i < 50; i++) assertEquals(await other.call("SET", free, "x"), "OK");
  assertLess(proxy.router.shared.budget.usedBytes, HELD_BYTES_MAX);
  await proxy.fill(slotId, redis.addr);
  assertEquals((await within(upload)).map((reply) => reply.value), ["OK", 32 * MB]);
});

Deno.test("an upload waits for a blocked slot no longer than slot_wait_timeout", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis], options: { slotWaitMs: 300 } });
  await proxy.fill(slotOf("a"), redis.addr, { isBlocked: true });
  using client = await proxy.client();
  const replies = await client.pipeline([["SET", "a", valueOf(2 * MB)], ["PING"]]);
  assertError(replies[0]!.value, /^ERR handle request, slot \d+ is blocked/);
  assertEquals(replies[1]!.value, "PONG");
});

Deno.test("a slot change waits for the uploads that are under way", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers: [servers[0]!] });
  using client = await proxy.client();
  const rest = await sendMost(client, ["SET", "a", valueOf(MB)], 1000);
  await until(() => proxy.router.shared.slots.all[slotOf("a")]!.inFlight === 1);
  let isFilled = false;
  const filled = proxy.fill(slotOf("a"), servers[1]!.addr).then(() => isFilled = true);
  await delay(50);
  assert(!isFilled);
  await client.sendRaw(rest);
  assertEquals((await client.read()).value, "OK");
  await within(filled);
  assertEquals(await client.call("GET", "a"), null);
});

/** Large requests that go nowhere, and how they are answered. */
const NOWHERE: readonly (readonly [name: string, words: string[], error: RegExp])[] = [
  ["an unknown command", ["FOO", "a"], /^ERR unknown command 'FOO'/],
  ["too many arguments", ["GET", "a"], /^ERR wrong number of arguments for 'get' command/],
  ["a command that is refused", ["REPLICAOF", "a"], /not allowed/],
];

for (const [name, words, error] of NOWHERE) {
  Deno.test(`a large value of ${name} is read away and answered, the client goes on`, async () => {
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers: [redis] });
    using client = await proxy.client();
    const request = [...words, valueOf(5 * MB)];
    const sending = (async () => {
      const replies = await client.pipeline([["SET", "a", 1], request, ["GET", "a"]]);
      assertEquals([replies[0]!.value, replies[2]!.value], ["OK", "1"]);
      assertError(replies[1]!.value, error);
    })();
    assertLess(await mostHeld(proxy, sending), HELD_BYTES_MAX);
  });
}

/** What may follow a large bulk that breaks the protocol. */
const BROKEN: readonly (readonly [name: string, announced: number, after: string])[] = [
  ["no CR LF after the value", 3, "XY"],
  ["a letter where the next bulk begins", 4, "\r\nx$1\r\n"],
  ["an array where the next bulk begins", 4, "\r\n*1\r\n$1\r\na\r\n"],
  ["a length that is no number", 4, "\r\n$abc\r\n"],
  ["a null bulk", 4, "\r\n$-1\r\n"],
];

for (const [name, announced, after] of BROKEN) {
  Deno.test(`${name} in a large request: one error, then the end, and nobody else notices`, async () => {
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers: [redis] });
    using other = await proxy.client();
    await other.call("SET", "a", "old");
    using client = await proxy.client();
    const head = `*${announced}\r\n$3\r\nSET\r\n$1\r\na\r\n$${MB}\r\n`;
    await client.sendRaw(head + "v".repeat(MB) + after);
    const answer = textOf(await client.readToEnd());
    assertMatch(answer, /^-ERR Protocol error: [ -~]+\r\n$/);
    client.close();
    assertEquals(await other.call("GET", "a"), "old");
    await until(() => proxy.router.sessions.size === 1);
    await until(() => proxy.leftovers().length === 0);
  });
}

Deno.test("a reply of 64 MB to a client that reads slowly is not held whole", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  await client.call("SET", "big", valueOf(64 * MB));
  const held = await mostHeld(
    proxy,
    (async () => {
      await client.send("GET", "big");
      const chunk = new Uint8Array(MB);
      for (let left = "$67108864\r\n".length + 64 * MB + 2; left > 0;) {
        left -= (await client.conn.read(chunk))!;
        if (left % 8 === 0) await delay(1);
      }
    })(),
  );
  assertLess(held, 8 * MB);
  assertEquals(await client.call("PING"), "PONG");
});

Deno.test(
  "half a gigabyte passes through in a few megabytes",
  async () => {
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers: [redis] });
    using client = await proxy.client();
    const size = 512 * MB;
    const held = await mostHeld(
      proxy,
      (async () => {
        await client.sendRaw(`*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$${size}\r\n`);
        const piece = new Uint8Array(MB);
        for (let i = 0; i < 512; i++) await client.sendRaw(piece);
        await client.sendRaw("\r\n");
        assertEquals((await client.read()).value, "OK");
      })(),
    );
    assertLess(held, HELD_BYTES_MAX);
    assertEquals(await client.call("STRLEN", "big"), size);
  },
);

Deno.test("a large request after blank lines and empty requests is found where it begins", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const [near, far] = [keyOn(0, 2), keyOn(1, 2)];
  const size = 700_000;
  // One value alone passes through, two are held whole: both begin behind what is skipped.
  await client.sendRaw(
    `\r\n*0\r\n\r\n*3\r\n$3\r\nSET\r\n$${near.length}\r\n${near}\r\n$${size}\r\n`,
  );
  await delay(50);
  await client.sendRaw(`${"x".repeat(size)}\r\n`);
  assertEquals((await client.read()).value, "OK");
  await client.sendRaw(
    `*-1\r\n\r\n*5\r\n$4\r\nMSET\r\n$${near.length}\r\n${near}\r\n$1\r\n1\r\n$${far.length}\r\n${far}\r\n$${size}\r\n`,
  );
  await delay(50);
  await client.sendRaw(`${"y".repeat(size)}\r\n`);
  assertEquals((await client.read()).value, "OK");
  assertEquals(await client.call("STRLEN", far), size);
  assertEquals(await client.call("GET", near), "1");
});
