/**
 * What all servers are to do, in a transaction: its own server does it in its place, the others right after.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { keyOn, RouterServer, slotFill } from "../../support/router_server.ts";

const KEYS = [keyOn(0, 2, "a"), keyOn(1, 2, "b")] as const;

/** What EXEC answers; an error as its text. */
async function exec(client: RespClient, ...commands: string[][]): Promise<unknown> {
  const { value } = (await client.pipeline([["MULTI"], ...commands, ["EXEC"]])).at(-1)!;
  return value instanceof ReplyError ? value.message : value;
}

async function count(client: RespClient): Promise<unknown> {
  return await client.call("EXISTS", ...KEYS);
}

Deno.test("FLUSHALL in a transaction empties all servers, or says which ones it did not", async () => {
  await using a = await RedisServer.start();
  await using b = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [a, b],
    options: { multiSlotTransactions: true },
  });
  using client = await proxy.client();
  using atB = await b.client();
  const fill = () => client.call("MSET", KEYS[0], "1", KEYS[1], "1");
  await fill();
  assertEquals(await exec(client, ["FLUSHALL"], ["SET", KEYS[0], "2"]), ["OK", "OK"]);
  assertEquals(await client.call("MGET", ...KEYS), ["2", null]);

  // Keys in several slots: what comes before it at one server would come after it at another.
  await fill();
  const spread = await exec(client, ["SET", KEYS[0], "2"], ["SET", KEYS[1], "2"], ["FLUSHALL"]);
  assertMatch(`${spread}`, /^EXECABORT .*several slots, send it alone/);
  assertEquals(await client.call("MGET", ...KEYS), ["1", "1"]);

  // A key that moves meanwhile would be left.
  const { slots } = proxy.router.shared;
  const moving = { migrateFromAddr: b.addr, migrateFromGroupId: 2 };
  await slots.fillSlot(slotFill(1023, a.addr, moving));
  assertMatch(`${await exec(client, ["FLUSHALL"])}`, /^EXECABORT .*slot 1023 is being changed/);
  assertEquals(await count(client), 2);
  await slots.fillSlot(slotFill(1023, b.addr));
  assertEquals(await exec(client, ["FLUSHALL"]), ["OK"]);
  assertEquals(await count(client), 0);

  await fill();
  await atB.call("ACL", "SETUSER", "default", "-flushall");
  const [flushed, set] = await exec(client, ["FLUSHALL"], ["SET", KEYS[0], "2"]) as unknown[];
  assertMatch(
    (flushed as ReplyError).message,
    new RegExp(`^ERR FLUSHALL was done at 1 of 2 masters, and not at ${b.addr}: NOPERM`),
  );
  assertEquals(set, "OK");
  assertEquals(await client.call("MGET", ...KEYS), ["2", "1"]);
  assertEquals(proxy.leftovers(), []);
});
