/**
 * `import` from a real server: all keys, then all changes.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../../support/deadline.ts";
import type { Word } from "../../support/resp_client.ts";
import { makeAllValues } from "./all_values.ts";
import { FOLLOWS, ImportSetting } from "./import_setting.ts";

Deno.test("every change is followed, also those whose keys are in several slots", async () => {
  await using setting = await ImportSetting.start();
  const { source, product } = setting;
  await makeAllValues(source);
  const child = setting.import();
  await child.waitFor(() => child.stderr.includes(FOLLOWS));
  const changes: Word[][] = [
    ["MSET", "m1", 1, "m2", 2, "m3", 3],
    ["DEL", "m1", "m3"],
    ["SADD", "s1", "a", "b"],
    ["SADD", "s2", "b", "c"],
    ["SUNIONSTORE", "s3", "s1", "s2"],
    ["SADD", "s3", "d"],
    ["SMOVE", "s1", "s2", "a"],
    ["RPUSH", "l1", 1, 2, 3],
    ["LMOVE", "l1", "l2", "LEFT", "RIGHT"],
    ["RPUSH", "l2", "after"],
    ["SET", "r1", "x"],
    ["RENAME", "r1", "r2"],
    ["APPEND", "r2", "y"],
    ["INCRBYFLOAT", "f", "0.1"],
    ["SET", "e1", "v", "EX", 1000],
    ["SETEX", "e2", 2000, "v"],
    ["SET", "e3", "v", "PX", 300],
    ["SET", "e4", "v", "PXAT", "9223372036854775807"],
    ["EXPIRE", "f", 3000],
    ["EVAL", "redis.call('INCR', 'n1'); redis.call('INCR', 'n2')", 2, "n1", "n2"],
    ["MULTI"],
    ["INCR", "n1"],
    ["INCR", "n3"],
    ["EXEC"],
    ["COPY", "n1", "n4"],
    ["MOVE", "n3", 2],
    ["XADD", "stream", "5-0", "k", "v"],
    ["XREADGROUP", "GROUP", "g", "c2", "COUNT", 1, "STREAMS", "stream", ">"],
    ["FUNCTION", "LOAD", "#!lua name=l2\nredis.register_function('f2', function() return 2 end)"],
    ["SELECT", 2],
    ["APPEND", "n3", "5"],
    ["SELECT", 0],
  ];
  for (const { raw } of await source.pipeline(changes)) {
    if (raw[0] === 45) throw new Error(new TextDecoder().decode(raw));
  }
  await delay(400); // e3 expires
  child.signal("SIGINT");
  assertEquals((await child.ended).code, 130);
  assertStringIncludes(child.stderr, "stopped; run the same command to continue");
  // Servers since 7.2 do not replicate a consumer that has got nothing: that is no difference.
  await product.call("XGROUP", "CREATECONSUMER", "stream:empty", "g", "idle");
  const verified = setting.import("--once", "--verify=all");
  assertEquals((await verified.ended).code, 0, verified.stderr + verified.stdout);
  const { different, compared } = JSON.parse(verified.stdout).verified;
  assertEquals(different, 0, verified.stdout);
  assertEquals(compared, 28 + 16);
  assertEquals(await product.call("EXISTS", "e3", "m1", "r1"), 0);
  assertEquals(await product.call("FCALL", "f2", 0), 2);
  await product.call("SELECT", 2);
  assertEquals(await product.call("GET", "n3"), "15");
});

Deno.test("what cannot be followed ends the import with what to do; --restart copies all anew", async () => {
  await using setting = await ImportSetting.start();
  const { source, product } = setting;
  await source.call("SET", "a", 1);
  await product.call("SET", "own", 1);
  const refused = setting.import();
  assertEquals((await refused.ended).code, 1);
  assertStringIncludes(refused.stderr, "has keys already: with --merge");
  await product.call("DEL", "own");

  const child = setting.import();
  await child.waitFor(() => child.stderr.includes(FOLLOWS));
  await source.call("SADD", "s", "old");
  while (await product.call("EXISTS", "s") === 0) await delay(20);
  await source.call("FLUSHALL");
  await source.call("SADD", "s", "new");
  assertEquals((await child.ended).code, 1);
  assertStringIncludes(child.stderr, "the source has deleted all keys (FLUSHALL)");
  assertStringIncludes(child.stderr, "--allow-flush");
  assertEquals(await product.call("EXISTS", "a", "s"), 2);

  const again = setting.import("--restart", "--once");
  assertEquals((await again.ended).code, 0, again.stderr);
  assertStringIncludes(again.stderr, "keys of the copy before were deleted: 2");
  assertEquals(await product.call("EXISTS", "a"), 0);
  assertEquals(await product.call("SMEMBERS", "s"), ["new"]);
});

Deno.test("a server of the product itself, or a replica of one, is not imported", async () => {
  await using setting = await ImportSetting.start();
  const { servers, product, source } = setting;
  await product.call("SET", "k", 1);
  await source.call("REPLICAOF", "127.0.0.1", servers[1]!.port);
  await until(async () => `${await source.call("INFO", "replication")}`.includes("link_status:up"));
  for (const { addr, port } of servers) {
    for (const from of [addr, `localhost:${port}`]) {
      const refused = setting.import(`--from=redis://${from}`, "--merge", "--once");
      assertEquals((await refused.ended).code, 1);
      assertStringIncludes(
        refused.stderr,
        `redis://${from} is a server of product "test" itself`,
      );
    }
  }
  assertEquals(await product.call("GET", "k"), "1");
});

Deno.test("writes at the source go on when a switch-over is stopped before its end", async () => {
  await using setting = await ImportSetting.start();
  const { source } = setting;
  await source.call("EVAL", "for i = 1, 30000 do redis.call('SET', i, i) end", 0);
  const child = setting.import("--switch-over", "--verify=all");
  await child.waitFor(() => child.stderr.includes("writes at the sources are paused"));
  child.signal("SIGINT");
  assertEquals((await child.ended).code, 130);
  assertStringIncludes(child.stderr, "writes at the sources go on");
  assertEquals(await source.call("SET", "a", 1), "OK");
});

Deno.test("--verify=all finds a key that no source has, in a product that was empty before", async () => {
  await using setting = await ImportSetting.start();
  const { source, product } = setting;
  await source.call("SET", "a", 1);
  const child = setting.import();
  await child.waitFor(() => child.stderr.includes(FOLLOWS));
  await product.call("SET", "surplus", 1);
  await product.call("SET", "nearly over", 1, "PX", 2_500);
  child.signal("SIGINT");
  await child.ended;
  const verified = setting.import("--once", "--verify=all");
  assertEquals((await verified.ended).code, 2, verified.stderr + verified.stdout);
  const { different, differences } = JSON.parse(verified.stdout).verified;
  assertEquals([different, differences], [1, [
    '"surplus" (database 0): at the target, and at no source',
  ]]);
});
