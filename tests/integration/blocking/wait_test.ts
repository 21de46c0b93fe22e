/**
 * WAIT: how many replicas have what the client wrote.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { whenBlocked } from "../../support/blocked_clients.ts";
import { until, within } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { keyOn, RouterServer, slotOf } from "../../support/router_server.ts";

/** A replica of a server that has caught up with it. */
async function replicaOf(master: RedisServer): Promise<RedisServer> {
  const replica = await RedisServer.start({ args: ["--replicaof", "127.0.0.1", `${master.port}`] });
  using client = await replica.client();
  await within((async () => {
    while (!/master_link_status:up/.test(String(await client.call("INFO", "replication")))) {
      await delay(20);
    }
  })());
  return replica;
}

Deno.test("WAIT counts the replicas of the servers that the client wrote to, and answers the least", async () => {
  await using masters = await RedisServer.startMany(2);
  await using replica = await replicaOf(masters[0]!);
  await using proxy = await RouterServer.start({ servers: masters });
  const [copied, alone] = [keyOn(0, 2), keyOn(1, 2)];
  using client = await proxy.client();

  await client.call("SET", copied, "1");
  assertEquals(await client.call("WAIT", 1, 2000), 1);
  assertEquals(await client.call("WAIT", 1, 0), 1); // what it asks is the same until the next write
  await client.pipeline([["SET", copied, "2"], ["SET", alone, "2"]]);
  let before = performance.now();
  assertEquals(await client.call("WAIT", 1, 300), 0);
  assert(performance.now() - before > 250);
  assertEquals(await client.call("WAIT", 0, 0), 0);
  await client.call("MSET", copied, "3");
  assertEquals(await client.call("WAIT", 1, 0), 1);

  // A replica that has not the write does not count; the client's own time is over.
  replica.pause();
  await client.call("SET", copied, "4");
  before = performance.now();
  assertEquals(await client.call("WAIT", 1, 200), 0);
  assert(performance.now() - before < 500);
  replica.resume();
  assertEquals(await within(client.call("WAIT", 1, 0)), 1);

  // Where slots have moved since, what was written may be anywhere.
  await client.call("SET", copied, "5");
  await proxy.fill(slotOf("other"), masters[1]!.addr);
  assertEquals(await client.call("WAIT", 1, 50), 0);
  await client.call("SET", copied, "6");
  assertEquals(await client.call("WAIT", 1, 0), 1);
});

Deno.test("what WAIT waits for ends with CLIENT UNBLOCK, with the client and with its server", async () => {
  await using master = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [master] });
  using client = await proxy.client();
  using other = await proxy.client();
  const id = Number(await client.call("CLIENT", "ID"));
  await client.call("SET", "a", "1");
  for (
    const [mode, expected] of [["TIMEOUT", /^0$/], ["ERROR", /UNBLOCKED client unblocked/]] as const
  ) {
    const answer = client.call("WAIT", 1, 0);
    await until(() => proxy.sessionOf(client).blocked !== null);
    assertEquals(await other.call("CLIENT", "UNBLOCK", id, mode), 1);
    const reply = await within(answer);
    assert(expected.test(reply instanceof ReplyError ? reply.message : `${reply}`), `${reply}`);
  }
  const gone = await proxy.client();
  await gone.send("WAIT", 1, 0);
  const answer = client.call("WAIT", 1, 0);
  await until(() => [gone, client].every((each) => proxy.sessionOf(each).blocked !== null));
  gone.close();
  await master.kill();
  const reply = await within(answer, 2000);
  assert(reply instanceof ReplyError && /backend conn failure/.test(reply.message), `${reply}`);
  client.close();
  await until(() => proxy.router.sessions.size === 1);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("WAIT does not confirm what was written before a connection to the server was lost", async () => {
  await using masters = await RedisServer.startMany(2);
  await using _one = await replicaOf(masters[0]!);
  await using _other = await replicaOf(masters[1]!);
  await using proxy = await RouterServer.start({ servers: masters });
  const [key, elsewhere] = [keyOn(0, 2), keyOn(1, 2)];
  using client = await proxy.client();
  using bystander = await proxy.client();
  await client.call("SET", key, "1");
  await bystander.call("SET", elsewhere, "1");

  // It comes back without the write, which its replica loses, too.
  await masters[0]!.kill();
  await masters[0]!.restart();
  await until(async () => await bystander.call("GET", key) === null);
  for (let i = 0; i < 2; i++) {
    const reply = await client.call("WAIT", 1, 1000);
    assert(reply instanceof ReplyError, `${reply}`);
    assertEquals(
      reply.message,
      `ERR handle response, backend conn failure, ${
        masters[0]!.addr
      }: a connection was lost after ` +
        "a write, which may be lost; write it again, then WAIT",
    );
  }
  assertEquals(await bystander.call("WAIT", 1, 1000), 1);
  await client.call("SET", key, "2");
  await until(async () => await client.call("WAIT", 1, 1000) === 1);

  // The end of a connection of one client's own tells nothing of others' writes.
  const blocked = await proxy.client();
  await blocked.send("BLPOP", `{${key}}list`, 0);
  await whenBlocked(masters[0]!, 1);
  blocked.close();
  await whenBlocked(masters[0]!, 0);
  assertEquals(await client.call("WAIT", 1, 1000), 1);
});
