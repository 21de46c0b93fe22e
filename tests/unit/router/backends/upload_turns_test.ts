/**
 * Whose turn it is of those that send a very large request to one server.
 *
 * @module
 */

import { assert, assertEquals, assertFalse } from "@std/assert";
import { delay } from "@std/async/delay";
import { clock } from "../../../../src/base/clock.ts";
import { UploadTurns } from "../../../../src/router/backends/upload_turns.ts";

const nobody = { resume() {} };

/** Someone who notes when it is to ask again. */
function waiter(name: string, resumed: string[]) {
  return { resume: () => void resumed.push(name) };
}

Deno.test("uploads of one server go one after the other, in the order in which they came", () => {
  const turns = new UploadTurns();
  const [first, second, third] = [{}, {}, {}];
  const resumed: string[] = [];
  clock.tick();
  assert(turns.take(first, nobody));
  assertFalse(turns.take(second, waiter("second", resumed)));
  assertFalse(turns.take(third, waiter("third", resumed)));
  assert(turns.take(first, nobody));
  assertEquals(resumed, []);
  turns.leave(first);
  assertEquals(resumed, ["second"]);
  assert(turns.take(second, nobody));
  turns.leave(second);
  assertEquals(resumed, ["second", "third"]);
  turns.leave(third);
  assert(turns.take(first, nobody));
  turns.leave(first);
});

Deno.test("an upload that sends nothing for 50 ms loses its turn, and gets another one", async () => {
  const turns = new UploadTurns();
  const [first, second] = [{}, {}];
  const resumed: string[] = [];
  clock.tick();
  assert(turns.take(first, nobody));
  assertFalse(turns.take(second, waiter("second", resumed)));
  while (resumed.length === 0) await delay(5);
  assert(turns.take(second, nobody));
  assertFalse(turns.take(first, waiter("first", resumed)));
  turns.leave(second);
  assertEquals(resumed, ["second", "first"]);
  assert(turns.take(first, nobody));
  turns.leave(first);
});

Deno.test("one that has gone while it waited is not called", () => {
  const turns = new UploadTurns();
  const [first, second, third] = [{}, {}, {}];
  const resumed: string[] = [];
  clock.tick();
  turns.take(first, nobody);
  turns.take(second, waiter("second", resumed));
  turns.take(third, waiter("third", resumed));
  turns.leave(second);
  turns.leave(first);
  assertEquals(resumed, ["third"]);
  turns.leave(third);
});
