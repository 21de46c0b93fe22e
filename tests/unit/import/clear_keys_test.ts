/**
 * The keys of a product's database, asked of a proxy that refuses the database.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { Secret } from "../../../src/base/secret.ts";
import { clearKeys, keptByOthers } from "../../../src/import/clear_keys.ts";
import { KeyChoice } from "../../../src/import/key_choice.ts";
import { RedisConnection } from "../../../src/redis/connection.ts";
import { RedisError } from "../../../src/redis/reply.ts";
import { FakeRedis } from "../../support/fake_redis.ts";

Deno.test("no key is deleted when a proxy refuses the database: another one is selected then", async () => {
  await using proxy = new FakeRedis(([name]) =>
    name === "SELECT"
      ? "-ERR DB index is out of range\r\n"
      : name === "SCAN"
      ? "*2\r\n$1\r\n0\r\n*1\r\n$5\r\nother\r\n"
      : ":1\r\n"
  );
  using redis = await RedisConnection.open({ hostname: "127.0.0.1", port: proxy.port }, {
    ...{ user: "", password: new Secret(""), dialMs: 5_000, replyMs: 5_000 },
  });
  const choice = new KeyChoice({
    ...{ match: [], except: [], database: undefined, strip: "", prefix: "" },
  });
  await assertRejects(
    () => clearKeys(redis, [3], choice, keptByOthers([])),
    RedisError,
    "out of range",
  );
  assertEquals(proxy.received.map(([name]) => name), ["SELECT", "SCAN"]);
});
