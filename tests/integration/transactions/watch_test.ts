/**
 * Watched keys: who may touch them, what happens when their slot changes hands or their server is lost,
 * and that a client's own connections are given back and bounded.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { keyWhere, RouterServer, slotOf } from "../../support/router_server.ts";

/** Connections of clients' own that are in use. */
function privates(proxy: RouterServer): number {
  return [...proxy.router.shared.slots.pool.servers()]
    .reduce((sum, { privatesInUse }) => sum + privatesInUse, 0);
}

/** A transaction that sets the key. */
async function setInTransaction(client: RespClient, key: string, value: string): Promise<unknown> {
  await client.call("MULTI");
  await client.call("SET", key, value);
  return await client.call("EXEC");
}

function textOfError(value: unknown): string {
  if (!(value instanceof ReplyError)) throw new Error(`no error but ${JSON.stringify(value)}`);
  return value.message;
}

Deno.test("watched keys", async (t) => {
  await using a = await RedisServer.start();
  await using b = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [a, b] });
  using client = await proxy.client();
  using other = await proxy.client();
  const key = "{w}k";
  const slot = slotOf(key);

  await t.step("CLIENT LIST shows them, and what is queued", async () => {
    const line = async () => `${await other.call("CLIENT", "LIST", "ID", await id)}`;
    const id = client.call("CLIENT", "ID") as Promise<number>;
    assertMatch(await line(), / flags=N .* multi=-1 /);
    await client.call("WATCH", key);
    await client.call("MULTI");
    await client.call("GET", key);
    assertMatch(await line(), / flags=x .* multi=1 .* multi-mem=[1-9]/);
    await client.call("DISCARD");
  });

  await t.step("another client's write makes EXEC answer nil", async () => {
    assertEquals(await client.call("WATCH", key), "OK");
    await other.call("SET", key, "other");
    assertEquals(await setInTransaction(client, key, "mine"), null);
    assertEquals(await client.call("GET", key), "other");
  });

  await t.step("nobody's write lets it be executed, and the link is given back", async () => {
    assertEquals(await client.call("WATCH", key), "OK");
    assertEquals(privates(proxy), 1);
    assertEquals(await setInTransaction(client, key, "mine"), ["OK"]);
    assertEquals(privates(proxy), 0);
  });

  await t.step("UNWATCH, DISCARD, RESET and the end of the client give the link back", async () => {
    for (
      const ending of [["UNWATCH"], ["MULTI", "DISCARD"], ["RESET"], ["MULTI", "NOSUCH", "EXEC"]]
    ) {
      await client.call("WATCH", key);
      for (const word of ending) await client.call(word);
      await until(() => privates(proxy) === 0);
    }
    const gone = await proxy.client();
    await gone.call("WATCH", key);
    assertEquals(privates(proxy), 1);
    gone.close();
    await until(() => privates(proxy) === 0);
  });

  await t.step("keys of several slots are refused, and what follows has no effect", async () => {
    const far = keyWhere((id) => id !== slot);
    const refusal = textOfError(await client.call("WATCH", key, far));
    assertMatch(refusal, /^CROSSSLOT Keys in request.*\{tag\}.*multi_slot_transactions/);
    await client.call("WATCH", key);
    assertMatch(textOfError(await client.call("WATCH", far)), /^CROSSSLOT /);
    await client.call("MULTI");
    assertMatch(textOfError(await client.call("SET", far, 1)), /^CROSSSLOT /);
    assertMatch(textOfError(await client.call("EXEC")), /^EXECABORT /);
    assertEquals(await client.call("EXISTS", far), 0);
  });

  await t.step("a transaction that was sent behind a refused WATCH is not executed", async () => {
    const far = keyWhere((id) => id !== slot);
    const replies = await client.pipeline([
      ["SET", key, "guarded"],
      ["WATCH", key, far],
      ["MULTI"],
      ["SET", key, "unguarded"],
      ["EXEC"],
      ["GET", key],
    ]);
    assertEquals(replies.slice(4).map(({ value }) => value), [null, "guarded"]);
  });

  await t.step("a slot that changes hands counts as a touch", async () => {
    const [from, to] = slot < 512 ? [a, b] : [b, a];
    await client.call("WATCH", key);
    await proxy.fill(slot, to.addr);
    assertEquals(await setInTransaction(client, key, "moved"), null);
    assertEquals(await setInTransaction(client, key, "moved"), ["OK"]);
    await client.call("WATCH", key);
    await proxy.fill(slot, from.addr);
    assertEquals(await client.call("WATCH", key), "OK"); // as Redis: no use in watching more
    assertEquals(await setInTransaction(client, key, "back"), null);
    assertEquals(privates(proxy), 0);
  });

  await t.step(
    "keys of a migrating slot are fetched before they are watched and used",
    async () => {
      const [from, to] = slot < 512 ? [a, b] : [b, a];
      await client.call("FLUSHALL");
      await client.call("SET", key, "1");
      await client.call("SET", "{w}other", "2");
      await client.call("SELECT", 3);
      await client.call("SET", key, "3");
      await client.call("SELECT", 0);
      await proxy.fill(slot, to.addr, {
        groupId: 2,
        migrateFromAddr: from.addr,
        migrateFromGroupId: 1,
      });
      assertEquals(await client.call("WATCH", key), "OK");
      await client.call("MULTI");
      for (const words of [["GET", key], ["GET", "{w}other"], ["SELECT", 3], ["GET", key]]) {
        assertEquals(await client.call(...words), "QUEUED");
      }
      assertEquals(await client.call("EXEC"), ["1", "2", "OK", "3"]);
      assertEquals(await client.call("GET", key), "3");
      await client.call("SELECT", 0);
      await client.call("WATCH", key);
      assertEquals(await other.call("SET", key, 2), "OK");
      assertEquals(await setInTransaction(client, key, "mine"), null);
      await proxy.fill(slot, to.addr, { groupId: 2 });
      assertEquals(await client.call("GET", key), "2");
      await proxy.fill(slot, from.addr);
    },
  );

  await t.step("a lost server counts as a touch", async () => {
    const server = slot < 512 ? a : b;
    await client.call("SET", key, "before");
    await client.call("WATCH", key);
    await server.kill();
    await server.restart();
    await until(async () => await other.call("PING") === "PONG");
    await until(async () => !(await other.call("GET", key) instanceof ReplyError));
    assertEquals(await setInTransaction(client, key, "mine"), null);
    assertEquals(await setInTransaction(client, key, "mine"), ["OK"]);
  });

  assertEquals([privates(proxy), proxy.leftovers()], [0, []]);
});

Deno.test("clients wait for a connection of their own, and are told the key that bounds them", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [redis],
    options: { privateConnectionsMax: 2, backendDialMs: 300 },
  });
  const clients = await Promise.all([1, 2, 3, 4].map(() => proxy.client()));
  const [first, second, third, fourth] = clients;
  for (const client of [first!, second!]) assertEquals(await client.call("WATCH", "k"), "OK");
  assertMatch(
    textOfError(await third!.call("WATCH", "k")),
    /^ERR .*all 2 private connections to 127.0.0.1:\d+ are in use: see private_connections_max/,
  );
  const waiting = fourth!.call("WATCH", "k");
  await delay(50);
  assertEquals(await third!.call("SET", "other", "1"), "OK"); // the shared connection goes on
  await first!.call("UNWATCH");
  assertEquals(await waiting, "OK");
  for (const client of clients) client.close();
  await until(() => privates(proxy) === 0);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a client that leaves before WATCH is answered gives its connection back", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using first = await proxy.client();
  await first.call("WATCH", "k");
  await first.call("UNWATCH"); // a connection is kept, over which WATCH is sent at once
  await until(() => privates(proxy) === 0);
  redis.pause();
  const client = await proxy.client();
  await client.send("WATCH", "k");
  await until(() => privates(proxy) === 1);
  assertEquals(await first.call("CLIENT", "KILL", "TYPE", "normal"), 1); // as if it was reset
  client.close();
  first.close();
  redis.resume();
  await until(() => privates(proxy) === 0);
  assertEquals(proxy.leftovers(), []);
});
