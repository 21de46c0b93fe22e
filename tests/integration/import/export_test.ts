/**
 * `export`: one server is kept in step with a real product, or refused with the reason.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { ExportSetting } from "./export_setting.ts";
import { FOLLOWS } from "./import_setting.ts";

Deno.test("deleting all keys is followed if that is allowed; else the export ends with what to do", async () => {
  await using setting = await ExportSetting.start();
  const { product, target } = setting;
  await product.call("SET", "a", 1);
  const child = setting.export("--match=a*,b*");
  await child.waitFor(() => child.stderr.includes(FOLLOWS));
  await target.call("SET", "own", 1);
  await product.call("FLUSHALL");
  assertEquals((await child.ended).code, 1);
  assertStringIncludes(child.stderr, "the same command with --allow-flush; or with --restart");
  assertEquals(await target.call("EXISTS", "a"), 1);
  const allowed = setting.export("--match=a*,b*", "--allow-flush");
  await allowed.waitFor(() => allowed.stderr.includes(FOLLOWS));
  await product.call("SET", "b", 2);
  while (await target.call("EXISTS", "b") === 0) await delay(20);
  assertEquals(await target.call("KEYS", "*").then((keys) => (keys as string[]).sort()), [
    "b",
    "own",
  ]);
  allowed.signal("SIGTERM");
  assertEquals((await allowed.ended).code, 143);
});

Deno.test("a target that cannot be kept in step is refused with the reason", async () => {
  await using setting = await ExportSetting.start();
  const { product, target, servers, proxy } = setting;
  const failure = async (...words: string[]) => {
    const child = setting.export(...words);
    assertEquals((await child.ended).code, 1, child.stdout);
    return child.stderr;
  };
  assertStringIncludes(
    await failure(`--to=redis://${servers[0]!.addr}`),
    'is a server of product "test" itself',
  );
  assertStringIncludes(await failure("--to=cluster://127.0.0.1:1"), "redis-cli --cluster import");
  assertStringIncludes(await failure(`--to=redis://127.0.0.1:${proxy.port}`), "is a proxy: keys");
  await target.call("SET", "own", 1);
  assertStringIncludes(await failure(), "the target has keys already: with --merge");
  await target.call("REPLICAOF", "127.0.0.1", servers[0]!.port);
  assertStringIncludes(await failure("--merge"), "is a replica: name its master");
  await target.call("REPLICAOF", "NO", "ONE");
  await target.call("FLUSHALL");

  const counted = setting.export("--dry-run");
  assertEquals((await counted.ended).code, 0, counted.stderr);
  assertEquals(JSON.parse(counted.stdout).keys, 0);
  const child = setting.export();
  await child.waitFor(() => child.stderr.includes(FOLLOWS));
  await product.call("SET", "a", 1);
  while (await target.call("EXISTS", "a") === 0) await delay(20);
  await servers[2]!.kill();
  await servers[2]!.restart();
  // It has lost the key that it had answered for.
  assertEquals((await child.ended).code, 1);
  assertStringIncludes(child.stderr, "the target has started anew, and may have lost keys");
  const again = setting.export("--restart", "--once", "--verify=all");
  assertEquals((await again.ended).code, 0, again.stderr);
});
