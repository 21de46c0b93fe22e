/**
 * What a watch yields when values and readers come in any order.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { LatestWatch } from "../../../src/coordinator/watch.ts";

Deno.test("LatestWatch yields the newest value, also when it is undefined", async () => {
  const watch = new LatestWatch<string | undefined>(() => {});
  watch.push("1");
  watch.push(undefined);
  assertEquals(await watch.next(), { value: undefined, done: false });
  const pending = watch.next();
  watch.push("2");
  watch.push("3");
  assertEquals(await pending, { value: "2", done: false });
  assertEquals(await watch.next(), { value: "3", done: false });
});

Deno.test("LatestWatch ends once, and forgets what was not read", async () => {
  let ends = 0;
  const watch = new LatestWatch<string>(() => ends++);
  watch.push("1");
  watch.close();
  watch.close();
  watch.push("2");
  assertEquals(await watch.next(), { value: undefined, done: true });
  assertEquals(ends, 1);
});

Deno.test("LatestWatch is closed by leaving its loop", async () => {
  let ends = 0;
  const watch = new LatestWatch<string>(() => ends++);
  watch.push("1");
  for await (const value of watch) {
    assertEquals(value, "1");
    break;
  }
  assertEquals(ends, 1);
});
