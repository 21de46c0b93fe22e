/**
 * A transaction over several slots with watched keys: between its first part and the others, slots may be
 * asked to change hands, and its client may leave.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { keyOn, RouterServer, slotOf } from "../../support/router_server.ts";

const [A, B] = [keyOn(0, 2, "a"), keyOn(1, 2, "b")];

/** Watches the keys and queues a write at each server. */
async function prepare(client: RespClient, watched: readonly string[]): Promise<void> {
  await client.call("WATCH", ...watched);
  await client.pipeline([["MULTI"], ["SET", A, "1"], ["SET", B, "2"]]);
}

Deno.test("between the parts of a transaction over several slots", async (t) => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({
    servers,
    options: { multiSlotTransactions: true },
  });
  using client = await proxy.client();
  using other = await proxy.client();
  const [first, second] = servers;

  await t.step("a slot changes hands after the part that is for its old server", async () => {
    await prepare(client, [A]);
    first!.pause();
    const reply = client.call("EXEC");
    await delay(50);
    let writtenBefore: unknown = "unknown";
    using old = await second!.client();
    const moved = proxy.fill(slotOf(B), first!.addr, { groupId: 1 })
      .then(async () => writtenBefore = await old.call("GET", B));
    await delay(50);
    first!.resume();
    assertEquals(await reply, ["OK", "OK"]);
    await moved;
    assertEquals(writtenBefore, "2");
    await proxy.fill(slotOf(B), second!.addr, { groupId: 2 });
  });

  await t.step("a client that is killed leaves no part undone, and nothing behind", async () => {
    for (const watched of [[A], [A, B]]) {
      await other.call("DEL", A, B);
      using gone = await proxy.client();
      const id = await gone.call("CLIENT", "ID");
      await prepare(gone, watched);
      for (const server of servers) server.pause();
      await gone.send("EXEC");
      await delay(50);
      await other.call("CLIENT", "KILL", "ID", String(id));
      await delay(20);
      for (const server of servers) server.resume();
      const written = () => other.call("EXISTS", A, B);
      await until(async () => proxy.leftovers().length === 0 && await written() !== 1);
      if (watched.length === 1) assertEquals(await written(), 2);
      await until(() =>
        [...proxy.router.shared.slots.pool.servers()].every((server) => server.privatesInUse === 0)
      );
    }
  });
});
