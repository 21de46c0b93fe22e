/**
 * Codis 3.x's SLOTSINFO, SLOTSSCAN and SLOTSMAPPING through the proxy: before codis-server the replies of
 * Codis 3.2's proxy, before stock Redis what a client of it needs.
 *
 * `CODIS_SERVER=<path>` names a real codis-server 3.2 to try it on; else a double answers.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { slotIdOf } from "../../../src/hash/slot_id.ts";
import { CodisServer } from "../../support/codis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { RouterServer } from "../../support/router_server.ts";
import { RedisServer } from "../../support/redis_server.ts";

/** Slot of every key with this tag. */
const TAG = "{a}";
const SLOT = slotIdOf(new TextEncoder().encode("a"), 0, 1);

/** The text of an error that is expected. */
async function errorOf(client: RespClient, ...words: (string | number)[]): Promise<string> {
  const reply = await client.call(...words as [string]);
  return reply instanceof ReplyError ? reply.message : `no error: ${JSON.stringify(reply)}`;
}

/** Every key that a walk returns, and how many steps it took. */
async function walk(
  client: RespClient,
  cursor = "0",
  count = 10,
): Promise<{ keys: Set<string>; steps: number }> {
  const keys = new Set<string>();
  for (let steps = 1;; steps++) {
    const reply = await client.call("SLOTSSCAN", SLOT, cursor, "COUNT", count);
    const [next, found] = reply as [string, string[]];
    for (const key of found) keys.add(key);
    if (next === "0") return { keys, steps };
    cursor = next;
  }
}

async function fillTagged(client: RespClient, count: number): Promise<Set<string>> {
  const keys = new Set(Array.from({ length: count }, (_, i) => `${TAG}${i}`));
  const others = Array.from({ length: 300 }, (_, i) => `other ${i}`);
  await client.call("MSET", ...[...keys, ...others].flatMap((key) => [key, "1"]) as [string]);
  return keys;
}

Deno.test("what is wrong with a request is said in the words of Codis 3.2's proxy", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  // Recorded from a codis-proxy 3.2 in front of codis-server 3.2.
  const cases: [string[], string][] = [
    [["SLOTSINFO"], "ERR wrong number of arguments for 'SLOTSINFO' command"],
    [["SLOTSINFO", "127.0.0.1:1"], "ERR backend server '127.0.0.1:1' not found"],
    [["SLOTSSCAN", "5"], "ERR wrong number of arguments for 'SLOTSSCAN' command"],
    [
      ["SLOTSSCAN", "x", "0"],
      `ERR parse slotnum 'x' failed, strconv.ParseInt: parsing "x": invalid syntax`,
    ],
    [["SLOTSSCAN", "1024", "0"], "ERR parse slotnum '1024' failed, out of range"],
    [["SLOTSSCAN", "5", "x"], "ERR invalid cursor"],
    [["SLOTSSCAN", "5", "0", "COUNT"], "ERR wrong number of arguments for 'slotsscan' command"],
    [["SLOTSSCAN", "5", "0", "COUNT", "x"], "ERR value is not an integer or out of range"],
    [["SLOTSSCAN", "5", "0", "COUNT", "0"], "ERR syntax error"],
    [["SLOTSSCAN", "5", "0", "MATCH", "*"], "ERR syntax error"],
    [["SLOTSSCAN", "05", "0"], "ERR value is not an integer or out of range"],
    [["SLOTSMAPPING", "-1"], "ERR parse slotnum '-1' failed, out of range"],
    [["SLOTSMAPPING", "1", "2"], "ERR wrong number of arguments for 'SLOTSMAPPING' command"],
  ];
  for (const [words, text] of cases) {
    assertEquals(await errorOf(client, ...words), text, words.join(" "));
  }
  assertEquals(await client.call("SLOTSMAPPING", 5), ["5", server.addr, "", null]);
  assertStringIncludes(
    await errorOf(client, "SLOTSINFO", server.addr),
    `ERR ${server.addr} is no codis-server, and does not count the keys of its slots`,
  );
  await client.call("MULTI");
  assertStringIncludes(
    await errorOf(client, "SLOTSSCAN", "5", "0"),
    "it asks a server that it names, and a transaction is executed by one",
  );
});

Deno.test("a codis-server counts the keys of its slots, and walks through one", async () => {
  await using server = await CodisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  const keys = await fillTagged(client, 40);
  const counts = await client.call("SLOTSINFO", server.addr) as [number, number][];
  assertEquals(counts.find(([slot]) => slot === SLOT), [SLOT, 40]);
  assertEquals((await walk(client)).keys, keys);
});

Deno.test("of a stock server the keys of a slot are picked, a bounded piece at a time", async () => {
  await using server = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  const keys = await fillTagged(client, 4_000);
  const { keys: found, steps } = await walk(client);
  assertEquals(found, keys);
  // 4300 keys, 1000 of them looked at in each step.
  assertEquals(steps >= 4 && steps <= 10, true, `${steps} steps`);
  await client.call("SELECT", 1);
  assertEquals((await walk(client)).keys.size, 0);
});

Deno.test("a walk misses nothing when its slot has moved, and is refused while it moves", async () => {
  await using from = await RedisServer.start();
  await using to = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [from] });
  using client = await proxy.client();
  const keys = await fillTagged(client, 2_000);
  const [cursor] = await client.call("SLOTSSCAN", SLOT, 0) as [string, string[]];
  await proxy.fill(SLOT, to.addr, {
    groupId: 2,
    migrateFromAddr: from.addr,
    migrateFromGroupId: 1,
  });
  assertStringIncludes(
    await errorOf(client, "SLOTSSCAN", SLOT, cursor),
    `ERR handle request, slot ${SLOT} moves`,
  );
  // Each read fetches its key.
  for (const key of keys) await client.call("GET", key);
  await proxy.fill(SLOT, to.addr, { groupId: 2 });
  // The cursor was the old server's; the new one hashes in another order.
  assertEquals((await walk(client, cursor)).keys, keys);
});
