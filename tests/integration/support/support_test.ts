/**
 * The servers and clients that other tests rely on do what they say.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeRedis } from "../../support/fake_redis.ts";
import { processFigures } from "../../support/process_figures.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";

Deno.test("RedisServer serves, dies by kill -9 and comes back on the same port", async () => {
  await using redis = await RedisServer.start({ args: ["--requirepass", "secret"] });
  {
    using client = await redis.client();
    assertEquals(await client.call("GET", "k"), new ReplyError("NOAUTH Authentication required."));
    assertEquals(await client.call("AUTH", "secret"), "OK");
    await redis.kill();
    assertEquals(await client.readToEnd(), new Uint8Array(0));
  }
  await assertRejects(() => redis.client(), Deno.errors.ConnectionRefused);
  await redis.restart();
  using client = await redis.client();
  assertEquals(await client.call("AUTH", "secret"), "OK");
  assert((await processFigures(redis.pid)).rssBytes > 1_000_000);
});

Deno.test("RespClient reads every RESP3 type, large values and pipelines", async () => {
  await using redis = await RedisServer.start();
  using client = await redis.client();
  await client.call("HELLO", "3");
  const types = ["string", "integer", "double", "null", "array", "set", "map", "true", "false"];
  const replies = await client.pipeline(types.map((type) => ["DEBUG", "PROTOCOL", type]));
  assertEquals(replies.length, types.length);
  const big = new Uint8Array(3_000_000).fill(0x78);
  assertEquals(await client.call("SET", "k", big), "OK");
  const [get, ping] = await client.pipeline([["GET", "k"], ["PING"]]);
  assertEquals(get!.raw.length, 3_000_000 + "$3000000\r\n\r\n".length);
  assertEquals(ping!.raw, new TextEncoder().encode("+PONG\r\n"));
});

Deno.test("FakeRedis answers by its script, hangs and breaks connections", async () => {
  await using fake = new FakeRedis(([name], connection) => {
    if (name === "RAW") return `:${connection.id}\r\n`;
    return name === "HANG" ? "hang" : "disconnect";
  });
  using first = await RespClient.connect(fake.port);
  using second = await RespClient.connect(fake.port);
  assertEquals(await first.call("RAW"), 0);
  assertEquals(await second.call("RAW"), 1);
  await first.send("HANG");
  await fake.waitForRequests(3);
  assertEquals(await second.call("RAW"), 1);
  await second.send("BREAK");
  assertEquals(await second.readToEnd(), new Uint8Array(0));
  fake.disconnectAll();
  assertEquals(await first.readToEnd(), new Uint8Array(0));
  assertEquals(fake.received, [["RAW"], ["RAW"], ["HANG"], ["RAW"], ["BREAK"]]);
});
