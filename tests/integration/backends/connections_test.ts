/**
 * Several shared connections to one server: what one client asks of one slot keeps its order.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import type { RespValue } from "../../support/resp_value.ts";
import { RouterServer } from "../../support/router_server.ts";

const CONNECTIONS = 4;
const KEYS = 60;

Deno.test("requests, split commands, transactions and commands for all servers keep their order", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({
    servers,
    options: { backendConnections: CONNECTIONS, multiSlotTransactions: true },
  });
  const clients = await Promise.all(Array.from({ length: 4 }, () => proxy.client()));
  // FLUSHALL and DBSIZE are everybody's: one client has them, and a time of its own.
  await Promise.all(clients.map((client, i) => checkOrder(client, `c${i}:`, 60, false)));
  await clients[0]!.call("FLUSHALL");
  await checkOrder(clients[0]!, "all:", 60, true);
  for (const client of clients) client.close();

  using direct = await servers[0]!.client();
  const list = String(await direct.call("CLIENT", "LIST"));
  const shared = list.split("\n").filter((line) => /cmd=(?!client|auth|select|info)/.test(line));
  assert(shared.length >= CONNECTIONS, list);
});

/** Sends pipelines whose replies are known. */
async function checkOrder(client: RespClient, prefix: string, rounds: number, isAlone: boolean) {
  const model = new Map<string, string>();
  let value = 0;
  const key = () => `${prefix}${Math.floor(Math.random() * KEYS)}`;
  const read = (at: string) => model.get(at) ?? null;
  for (let round = 0; round < rounds; round++) {
    const requests: Word[][] = [];
    const expected: RespValue[] = [];
    const add = (words: Word[], reply: RespValue) => {
      requests.push(words);
      expected.push(reply);
    };
    const set = (at: string) => {
      const text = `${++value}`;
      model.set(at, text);
      return [at, text];
    };
    for (let i = 0; i < 100; i++) {
      const kind = Math.random();
      const keys = [key(), key(), key()];
      if (kind < 0.4) add(["SET", ...set(keys[0]!)], "OK");
      else if (kind < 0.7) add(["GET", keys[0]!], read(keys[0]!));
      else if (kind < 0.8) add(["MGET", ...keys], keys.map(read));
      else if (kind < 0.9) add(["MSET", ...keys.flatMap(set)], "OK");
      else if (kind < 0.95) {
        add(["MULTI"], "OK");
        add(["SET", ...set(keys[0]!)], "QUEUED");
        add(["GET", keys[1]!], "QUEUED");
        add(["EXEC"], ["OK", read(keys[1]!)]);
      } else if (!isAlone) add(["PING"], "PONG");
      else if (kind < 0.98) add(["DBSIZE"], model.size);
      else {
        model.clear();
        add(["FLUSHALL"], "OK");
      }
    }
    const replies = await client.pipeline(requests);
    assertEquals(replies.map((reply) => reply.value), expected);
  }
}
