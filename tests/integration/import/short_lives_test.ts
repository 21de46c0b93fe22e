/**
 * `import`: keys that are changed in the last moment of their lives.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { assertEquals, equal } from "@std/assert";
import { until } from "../../support/deadline.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { FOLLOWS, ImportSetting } from "./import_setting.ts";

/** A life for which the import has become sure that it is in step. */
const LIFE_MS = 2_800;
/** How long an import may take to start again on a busy machine. */
const START_MS = 5_000;
const LONG_MS = 100_000;

/** Values of some kinds that live until then, some of them in one slot. */
function valuesUntil(name: string, endMs: number): Word[][] {
  const keys = ["sum", "text", "set", "source", "old"].map((kind) => `{${name}}${kind}`);
  const [sum, text, set, source, old] = keys as [string, string, string, string, string];
  return [
    ["SET", sum, 100],
    ["SET", text, "begin"],
    ["SADD", set, "a", "b"],
    ["SADD", source, "c", "d"],
    ["RPUSH", old, 1, 2],
    ...keys.map((key) => ["PEXPIREAT", key, endMs]),
  ];
}

/** Changes of these that need what was there, and then a longer life. */
function changesOf(name: string): Word[][] {
  const key = (kind: string) => `{${name}}${kind}`;
  return [
    ["INCR", key("sum")],
    ["PEXPIRE", key("sum"), LONG_MS],
    ["APPEND", key("text"), " and end"],
    ["PERSIST", key("text")],
    ["SADD", key("set"), "e"],
    ["PEXPIRE", key("set"), LONG_MS],
    ["SUNIONSTORE", key("union"), key("source"), key("set")],
    ["RENAME", key("old"), key("new")],
    ["RPUSH", key("new"), 3],
    ["PEXPIRE", key("new"), LONG_MS],
  ];
}

function questionsOf(name: string): Word[][] {
  const key = (kind: string) => `{${name}}${kind}`;
  return [
    ...["sum", "text"].map((kind) => ["GET", key(kind)]),
    ...["set", "union"].map((kind) => ["SORT", key(kind), "ALPHA"]),
    ["LRANGE", key("new"), 0, -1],
    ...["sum", "text", "set", "union", "new"].map((kind) => ["EXISTS", key(kind)]),
    ...["text", "union"].map((kind) => ["TTL", key(kind)]),
  ];
}

async function answersOf(client: RespClient, name: string): Promise<unknown[]> {
  return (await client.pipeline(questionsOf(name))).map(({ value }) => value);
}

Deno.test("a key that is changed just before it expires has the same value here, though the change comes just after", async () => {
  await using setting = await ImportSetting.start();
  const { source, product } = setting;
  const first = setting.import();
  await first.waitFor(() => first.stderr.includes(FOLLOWS));
  const startMs = Date.now();
  const endMs = startMs + START_MS + LIFE_MS;
  await source.pipeline(valuesUntil("before", endMs));
  await until(async () => await product.call("EXISTS", "{before}old") === 1);
  first.signal("SIGINT");
  assertEquals((await first.ended).code, 130, first.stderr);

  const child = setting.import();
  await child.waitFor(() => child.stderr.includes(FOLLOWS));
  await delay(Math.max(0, endMs - LIFE_MS - Date.now()));
  await source.pipeline(valuesUntil("since", endMs));
  await delay(endMs - Date.now() - 250);
  child.signal("SIGSTOP");
  await source.pipeline([...changesOf("before"), ...changesOf("since"), ["SET", "last", 1]]);
  await delay(endMs - Date.now() + 250);
  child.signal("SIGCONT");
  await until(async () => await product.call("EXISTS", "last") === 1);
  for (const name of ["before", "since"]) {
    // "last" is another server's: these may come after it.
    const right = await answersOf(source, name);
    await until(async () => equal(await answersOf(product, name), right)).catch(() => {});
    assertEquals(await answersOf(product, name), right, name);
  }
  child.signal("SIGINT");
  assertEquals((await child.ended).code, 130, child.stderr);
});
