/**
 * `import`: every change is made exactly once, whatever is killed.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { RespClient } from "../../support/resp_client.ts";
import { FOLLOWS, ImportSetting } from "./import_setting.ts";

Deno.test("a counter is counted once, however often the import and its link are killed", async () => {
  await using setting = await ImportSetting.start();
  const { source, product } = setting;
  let isEnded = false;
  const load = async () => {
    using client = await RespClient.connect(setting.servers[0]!.port);
    for (let i = 0; !isEnded; i++) {
      await client.pipeline([
        ...Array.from({ length: 40 }, (_, k) => ["INCR", `c${k}`]),
        ["RPUSH", `l${i % 5}`, i],
        ["RPOPLPUSH", `l${i % 5}`, "moved"],
        ["DEL", `gone${i % 7}`],
        ["SADD", `gone${(i + 3) % 7}`, i],
      ]);
      await delay(2);
    }
  };
  const loading = load();
  for (const how of ["kill", "link", "proxy"]) {
    const child = setting.import();
    await child.waitFor(() => child.stderr.includes(FOLLOWS));
    if (how === "link") await source.call("CLIENT", "KILL", "TYPE", "replica");
    if (how === "proxy") await product.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    if (how !== "kill") await delay(1_500);
    child.signal("SIGKILL");
    await child.ended;
  }
  const last = setting.import("--switch-over", "--verify=all");
  await last.waitFor(() => last.stderr.includes("writes at the sources are paused"));
  assertEquals((await last.ended).code, 0, last.stderr + last.stdout);
  assertEquals(JSON.parse(last.stdout).verified.different, 0, last.stdout);
  assertStringIncludes(last.stderr, "go: let the clients use the proxies");
  isEnded = true;
  await source.call("CLIENT", "UNPAUSE");
  await loading;
});

Deno.test("a library comes along while changes before it must be made good", async () => {
  await using setting = await ImportSetting.start();
  const { source, product } = setting;
  const lib = (value: number) =>
    `#!lua name=lib\nredis.register_function('f', function() return ${value} end)`;
  await source.call("SET", "key", "value", "EX", "1000");
  const child = setting.import();
  await child.waitFor(() => child.stderr.includes(FOLLOWS));
  // As if it had expired here before its life was prolonged there.
  await product.call("DEL", "key");
  await source.pipeline([["PERSIST", "key"], ["FUNCTION", "LOAD", lib(1)], ["INCR", "after"]]);
  // The library comes after the changes that come with it.
  await until(async () => (await product.pipeline([["FCALL", "f", 1, "x"]]))[0]!.value === 1);
  const replies = await product.pipeline([["GET", "key"], ["TTL", "key"], ["GET", "after"]]);
  assertEquals(replies.map(({ value }) => value), ["value", -1, "1"]);
  child.signal("SIGINT");
  assertEquals((await child.ended).code, 130, child.stderr);
});
