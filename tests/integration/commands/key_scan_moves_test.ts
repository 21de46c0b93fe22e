/**
 * HSCAN, SSCAN and ZSCAN while the key moves: an element that is there from the first call to the last is
 * returned at least once.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { MovingSlot, TAG } from "../../support/moving_slot.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";

const ELEMENTS = 3_000;
const NAMES = Array.from({ length: ELEMENTS }, (_, i) => `element:${i}`);

const KINDS: Readonly<Record<string, { add: string; words: readonly Word[]; step: number }>> = {
  HSCAN: { add: "HSET", words: NAMES.flatMap((name) => [name, "v"]), step: 2 },
  SSCAN: { add: "SADD", words: NAMES, step: 1 },
  ZSCAN: { add: "ZADD", words: NAMES.flatMap((name, i) => [i, name]), step: 2 },
};

/** Walks through a key; `between` runs after each call. Returns what was found and how many calls it took. */
async function walk(
  client: RespClient,
  scan: string,
  key: string,
  between: (call: number) => Promise<void>,
): Promise<{ found: Set<string>; calls: number }> {
  const { step } = KINDS[scan]!;
  const found = new Set<string>();
  let cursor = "0";
  for (let calls = 1;; calls++) {
    const [next, elements] = await client.call(scan, key, cursor, "COUNT", 100) as [
      string,
      string[],
    ];
    for (let i = 0; i < elements.length; i += step) found.add(elements[i]!);
    assert(Number.isSafeInteger(Number(next)), `a cursor for JavaScript: ${next}`);
    if (next === "0") return { found, calls };
    cursor = next;
    await between(calls);
  }
}

for (const [scan, { add, words }] of Object.entries(KINDS)) {
  Deno.test(`${scan} misses no element when the key moves to another server on the way`, async () => {
    await using moving = await MovingSlot.start();
    using client = await moving.proxy.client();
    const key = `${TAG}key`;
    await client.call(add, key, ...words);
    const atRest = await walk(client, scan, key, async () => {});
    assertEquals(atRest.found.size, ELEMENTS);
    for (const at of [[5], [10, 20], [2, 4, 6]]) {
      const { found } = await walk(client, scan, key, async (call) => {
        if (at.includes(call)) await moving.move();
      });
      assertEquals(NAMES.filter((name) => !found.has(name)), [], `moved after ${at}`);
    }
  });
}

Deno.test("a cursor goes on inside a transaction, and one from a transaction outside of it", async () => {
  await using moving = await MovingSlot.start();
  using client = await moving.proxy.client();
  const key = `${TAG}key`;
  await client.call("SADD", key, ...NAMES);
  const found = new Set<string>();
  let cursor = "0";
  for (let calls = 0; calls === 0 || cursor !== "0"; calls++) {
    let reply: unknown;
    if (calls % 2 === 0) reply = await client.call("SSCAN", key, cursor, "COUNT", 100);
    else {
      await client.call("MULTI");
      await client.call("SSCAN", key, cursor, "COUNT", 100);
      [reply] = await client.call("EXEC") as unknown[];
    }
    const [next, elements] = reply as [string, string[]];
    for (const element of elements) found.add(element);
    cursor = next;
    assert(calls < 200, "it comes to an end");
  }
  assertEquals(found.size, ELEMENTS);
});

Deno.test("what a server says of a wrong cursor or key reaches the client", async () => {
  await using moving = await MovingSlot.start();
  using client = await moving.proxy.client();
  await client.call("SET", `${TAG}text`, "v");
  const replies = await client.pipeline([
    ["SSCAN", `${TAG}none`, "x"],
    ["SSCAN", `${TAG}text`, 0],
    ["SSCAN", `${TAG}none`, 0],
    ["SSCAN", `${TAG}none`],
  ]);
  assertEquals(replies.map(({ raw }) => new TextDecoder().decode(raw)), [
    "-ERR invalid cursor\r\n",
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    "*2\r\n$1\r\n0\r\n*0\r\n",
    "-ERR wrong number of arguments for 'sscan' command\r\n",
  ]);
});
