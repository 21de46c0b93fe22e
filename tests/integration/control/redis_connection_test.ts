/**
 * What the control plane may rely on when it talks to a Redis server.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { Secret } from "../../../src/base/secret.ts";
import { RedisConnection, RedisUnreachableError } from "../../../src/redis/connection.ts";
import { readInfo } from "../../../src/redis/info.ts";
import { RedisError, replyText } from "../../../src/redis/reply.ts";
import { FakeRedis } from "../../support/fake_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";

const OPTIONS = { user: "", password: new Secret(""), dialMs: 1000, replyMs: 2000 };

function at(port: number) {
  return { hostname: "127.0.0.1", port };
}

Deno.test("commands are answered in order, in pieces of any size, and bytes stay bytes", async () => {
  await using server = await RedisServer.start();
  using redis = await RedisConnection.open(at(server.port), OPTIONS);
  const value = new Uint8Array(300_000).map((_, i) => i * 7);
  assertEquals(await redis.call("SET", "k", value), "OK");
  const replies = await redis.pipeline([["GET", "k"], ["GET", "none"], ["LPUSH", "k", 1], [
    "LRANGE",
    "l",
    0,
    -1,
  ], ["INCR", "n"]]);
  assertEquals(replies[0], value);
  assertEquals(replies[1], null);
  assertEquals(replies[2] instanceof RedisError && replies[2].code, "WRONGTYPE");
  assertEquals(replies.slice(3), [[], 1]);
  await assertRejects(() => redis.call("LPUSH", "k", 1), RedisError, "WRONGTYPE");
  assertEquals(replyText(await redis.call("ECHO", "hé")), "hé");
  assertEquals((await readInfo(redis)).redis_version?.startsWith("7"), true);
});

Deno.test("a password is given, and a wrong one refused", async () => {
  await using server = await RedisServer.start({ args: ["--requirepass", "sesame"] });
  const open = (password: string) =>
    RedisConnection.open(at(server.port), { ...OPTIONS, password: new Secret(password) });
  using redis = await open("sesame");
  assertEquals(await redis.call("PING"), "PONG");
  await assertRejects(() => open("wrong"), RedisError, "WRONGPASS");
});

Deno.test("a server that is silent, gone or not there is named, and nothing hangs", async () => {
  await using silent = new FakeRedis(() => "hang");
  const [, port] = silent.addr.split(":");
  const redis = await RedisConnection.open(at(Number(port)), { ...OPTIONS, replyMs: 100 });
  const error = await assertRejects(
    () => redis.pipeline([["GET", "a"], ["GET", "b"]]),
    RedisUnreachableError,
  );
  assertEquals(error.message, `${silent.addr}: no reply within 100 ms`);
  assertEquals(redis.isOpen, false);
  await assertRejects(() => redis.call("PING"), RedisUnreachableError, silent.addr);
  await assertRejects(
    () => RedisConnection.open(at(1), OPTIONS),
    RedisUnreachableError,
    "127.0.0.1:1: connection refused",
  );
});
