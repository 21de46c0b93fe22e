/**
 * What clients are told while a server is down: who can ask again without doing anything twice gets `LOADING`, by
 * which client libraries know a loss that passes; everybody else gets `ERR`.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { FakeRedis } from "../../support/fake_redis.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const [HERE, THERE] = [keyOn(0, 2), keyOn(1, 2)];
const TOLD = /^LOADING handle request, backend conn failure, .*: connection refused$/;
const NOT_TOLD = /^ERR handle request, backend conn failure, .*: connection refused$/;

function textOf(reply: RespValue): string {
  assert(reply instanceof ReplyError, `an error was expected, not ${reply}`);
  return reply.message;
}

/** Two servers, of which the second is down. */
async function startHalf() {
  const servers = await RedisServer.startMany(2);
  const proxy = await RouterServer.start({ servers });
  const client = await proxy.client();
  await servers[1]!.kill();
  await until(async () => /refused/.test(textOf(await client.call("GET", THERE))));
  return {
    servers,
    proxy,
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      await proxy[Symbol.asyncDispose]();
      await servers[Symbol.asyncDispose]();
    },
  };
}

async function pipelined(client: RespClient, requests: Word[][]): Promise<RespValue[]> {
  return (await client.pipeline(requests)).map(({ value }) => value);
}

Deno.test("a request that was not sent since its server is down is answered LOADING, and the client stays", async () => {
  await using half = await startHalf();
  const { client, servers } = half;
  for (let i = 0; i < 3; i++) {
    assertMatch(textOf(await client.call("SET", THERE, i)), TOLD);
    assertEquals(await client.call("SET", HERE, i), "OK");
    assertMatch(textOf(await client.call("EVAL", "return 1", 1, THERE)), TOLD);
  }
  await servers[1]!.restart();
  await until(async () => await client.call("SET", THERE, "v") === "OK");
});

Deno.test("a request that was sent, and has lost its server, is never answered LOADING", async () => {
  const late = Promise.withResolvers<string>();
  await using fake = new FakeRedis(([name]) => name === "INCR" ? late.promise : "+OK\r\n");
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  assertEquals(await client.call("SET", "a", 1), "OK");
  const reply = client.call("INCR", "a");
  await until(() => fake.received.some(([name]) => name === "INCR"));
  fake.disconnectAll();
  assertMatch(textOf(await reply), /^ERR handle response, backend conn failure/);
  late.resolve(":1\r\n");
});

Deno.test("no request of a pipeline is answered LOADING: libraries would send all of it again", async () => {
  await using half = await startHalf();
  const { client, proxy } = half;
  const [incrHere, incrThere] = [["INCR", HERE], ["INCR", THERE]];
  for (const requests of [[incrThere, incrHere], [incrHere, incrThere], [incrThere, incrThere]]) {
    const replies = await pipelined(client, requests);
    requests.forEach((request, i) => {
      if (request === incrHere) assertEquals(typeof replies[i], "number");
      else assertMatch(textOf(replies[i]!), NOT_TOLD);
    });
  }
  // Also where the rest comes later, and by a client whose first bytes were a pipeline.
  using other = await proxy.client();
  await pipelined(other, [["CLIENT", "SETNAME", "x"], ["PING"], ["HELLO", 3]]);
  assertMatch(textOf(await other.call("GET", THERE)), TOLD);
  await other.sendRaw(new TextEncoder().encode(`GET ${HERE}\r\nGET ${THERE}\r\nPI`));
  await other.read();
  assertMatch(textOf((await other.read()).value), NOT_TOLD);
});

Deno.test("an EXEC that was not sent is answered LOADING, unless requests before it were executed", async () => {
  await using half = await startHalf();
  const { client } = half;
  const transaction = [["MULTI"], ["INCR", THERE], ["EXEC"]];
  const alone = await pipelined(client, transaction);
  assertEquals(alone.slice(0, 2), ["OK", "QUEUED"]);
  assertMatch(textOf(alone[2]!), TOLD);
  const behind = await pipelined(client, [["INCR", HERE], ...transaction]);
  assertMatch(textOf(behind[3]!), NOT_TOLD);
  assertEquals(await client.call("MULTI"), "OK");
  assertEquals(await client.call("GET", THERE), "QUEUED");
  assertMatch(textOf(await client.call("EXEC")), TOLD);
});

Deno.test("a command of many keys is answered LOADING where it only reads, or no part of it was sent", async () => {
  await using half = await startHalf();
  const { client, servers } = half;
  const other = keyOn(1, 2, "other");
  assertMatch(textOf(await client.call("MGET", HERE, THERE)), TOLD);
  assertMatch(textOf(await client.call("EXISTS", HERE, THERE)), TOLD);
  assertMatch(textOf(await client.call("MSET", THERE, 1, other, 1)), TOLD);
  // These were executed in part.
  assertMatch(textOf(await client.call("MSET", HERE, 1, THERE, 1)), NOT_TOLD);
  assertMatch(textOf(await client.call("DEL", HERE, THERE)), NOT_TOLD);
  assertEquals(await client.call("EXISTS", HERE), 0);
  await servers[0]!.kill();
  await until(async () => TOLD.test(textOf(await client.call("GET", HERE))));
  assertMatch(textOf(await client.call("DEL", HERE, THERE)), TOLD);
});

Deno.test("a client that keeps its connection is told to ask again as often as it asks", async () => {
  await using half = await startHalf();
  const { client } = half;
  for (let i = 0; i < 2_000; i++) assertMatch(textOf(await client.call("GET", THERE)), TOLD);
});
