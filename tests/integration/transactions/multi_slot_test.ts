/**
 * Transactions over several slots, where `multi_slot_transactions` allows them: one array with the replies
 * to all commands in order, as from one redis-server; a part for each server, which is executed or not.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { textOf } from "../../support/pieces.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { keyOn, RouterServer, slotOf } from "../../support/router_server.ts";

/** Scripts of commands; `A`, `B` and `C` become keys on the first, the second and again the first server. */
const SAME_AS_REDIS: Readonly<Record<string, string>> = {
  "each command is answered at its place": `
    MULTI|SET A 1|SET B 2|INCR A|PING|GET B|GET C|EXEC`,
  "commands of several keys are split": `
    MSET A 1 B 2 C 3|MULTI|MGET B A C A|DEL A B|EXISTS A B C|MSET A 7 B 8|MGET A B C|EXEC`,
  "an error stays at its place": "SET A x|MULTI|INCR A|INCR B|MSET A 1 B|EXEC|GET B",
  "SELECT holds for all servers": `
    MULTI|SET A 0|SELECT 3|SET A 3|SET B 3|EXEC|MGET A B|SELECT 0|MGET A B`,
  "what the proxy answers itself": "MULTI|SET A 1|CLIENT SETNAME me|SET B 2|CLIENT GETNAME|EXEC",
  "DISCARD applies nothing": "MULTI|SET A 1|SET B 2|DISCARD|EXISTS A B",
  "an abort applies nothing": "MULTI|SET A 1|NOSUCH|SET B 2|EXEC|EXISTS A B",
  "a watched key that was touched": "WATCH A|SET A 1|MULTI|SET A 2|SET B 2|EXEC|MGET A B",
  "watched keys of several servers":
    "WATCH A B|MULTI|INCR A|INCR B|EXEC|WATCH A B C|MULTI|PING|EXEC",
  "one of several watched keys was touched":
    "WATCH A B C|SET B 1|MULTI|SET A 2|SET B 2|EXEC|MGET A B",
  "two watched keys of one server": "WATCH A C|SET C 1|MULTI|SET A 2|SET B 2|EXEC|MGET A B",
};

async function transcript(
  port: number,
  script: string,
  protocol: number,
  names: Readonly<Record<string, string>>,
): Promise<string[]> {
  using client = await RespClient.connect(port);
  if (protocol === 3) await client.call("HELLO", 3);
  await client.call("FLUSHALL");
  const requests = script.split("|").map((line) =>
    line.trim().split(/\s+/).map((word) => names[word] ?? word)
  );
  return (await client.pipeline(requests)).map(({ raw }) => textOf(raw));
}

Deno.test("transactions over several slots", async (t) => {
  await using servers = await RedisServer.startMany(2);
  await using single = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers,
    options: { multiSlotTransactions: true },
  });
  const names = { A: keyOn(0, 2, "a"), B: keyOn(1, 2, "b"), C: keyOn(0, 2, "c") };
  for (const [name, script] of Object.entries(SAME_AS_REDIS)) {
    for (const protocol of [2, 3]) {
      await t.step(`${name}, RESP${protocol}`, async () => {
        const expected = await transcript(single.port, script, protocol, names);
        assertEquals(await transcript(proxy.port, script, protocol, names), expected);
      });
    }
  }

  using client = await proxy.client();

  await t.step("also while one of the slots is migrating", async () => {
    await client.call("FLUSHALL");
    const slot = slotOf(names.A);
    await client.call("SET", names.A, 1);
    await client.call("SELECT", 5);
    await client.call("SET", names.A, 5);
    await client.call("SELECT", 0);
    await proxy.fill(slot, servers[1]!.addr, {
      groupId: 2,
      migrateFromAddr: servers[0]!.addr,
      migrateFromGroupId: 1,
    });
    for (const watched of [[], [names.A], [names.A, names.B]]) {
      if (watched.length > 0) assertEquals(await client.call("WATCH", ...watched), "OK");
      const replies = await client.pipeline([
        ["MULTI"],
        ["GET", names.A],
        ["SET", names.B, 2],
        ["SELECT", 5],
        ["MGET", names.A, names.B, names.C],
        ["EXEC"],
        ["SELECT", 0],
      ]);
      assertEquals(replies[5]!.value, ["1", "OK", "OK", ["5", null, null]]);
    }
    await proxy.fill(slot, servers[1]!.addr, { groupId: 2 });
    await proxy.fill(slot, servers[0]!.addr);
  });

  await t.step("a server that is gone fails its own commands only", async () => {
    await servers[1]!.kill();
    await until(async () => await client.call("GET", names.B) instanceof ReplyError);
    await client.pipeline([["MULTI"], ["SET", names.A, 1], ["SET", names.B, 2]]);
    const replies = await client.call("EXEC");
    assert(Array.isArray(replies));
    assertEquals(replies[0], "OK");
    assertMatch((replies[1] as ReplyError).message, /backend conn failure/);
    await servers[1]!.restart();
  });

  assertEquals(proxy.leftovers(), []);
  assertEquals(
    [...proxy.router.shared.slots.pool.servers()].map(({ privatesInUse }) => privatesInUse),
    [0, 0],
  );
});
