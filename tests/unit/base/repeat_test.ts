/**
 * What is done again and again never runs over itself.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { repeat } from "../../../src/base/repeat.ts";
import { until } from "../../support/deadline.ts";

Deno.test("repeat() runs again only when the last time has ended, and ends when it is stopped", async () => {
  let [running, most, times] = [0, 0, 0];
  const end = repeat(5, async () => {
    most = Math.max(most, ++running);
    await delay(25);
    running--;
    times++;
  });
  await until(() => times >= 3);
  end();
  const before = times;
  await delay(60);
  assertEquals(most, 1);
  assert(times <= before + 1, "what was under way comes to its end");
});
