/**
 * Servers before Redis 6, codis-server's 2.8 and 3.2 among them, that refuse commands of a transaction and
 * execute the others all the same: no client takes for done what was not.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { CodisServer } from "../../support/codis_server.ts";
import { until } from "../../support/deadline.ts";
import { answerNothing, FakeRedis } from "../../support/fake_redis.ts";
import { textOf } from "../../support/pieces.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const READONLY = "READONLY You can't write against a read only slave.";
const ABORTED = `EXECABORT Transaction discarded because of: ${READONLY}`;

/** A codis-server that a promotion has made a replica of nothing that answers. */
async function replica(): Promise<CodisServer> {
  const server = await CodisServer.start();
  using direct = await server.client();
  const values = [["SET", "{t}g", "gv"], ["SET", "{t}n", 7], ["RPUSH", "{t}l", "a", "b"]];
  await direct.pipeline([...values, ["SET", "{t}big", "x".repeat(1_000_000)]]);
  await direct.call("SLAVEOF", "127.0.0.1", 1);
  return server;
}

/** The text of an error, and of errors within. */
function shown(value: RespValue): unknown {
  if (value instanceof ReplyError) return `-${value.message}`;
  return Array.isArray(value) ? value.map(shown) : value;
}

/** What EXEC answers to a transaction of these commands. */
async function exec(client: RespClient, ...commands: Word[][]): Promise<unknown> {
  const replies = await client.pipeline([["MULTI"], ...commands, ["EXEC"]]);
  return shown(replies.at(-1)!.value);
}

Deno.test("a transaction of which a server queues nothing is aborted, and says why", async () => {
  await using server = await replica();
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  assertEquals(await exec(client, ["INCR", "{t}n"]), `-${ABORTED}`);
  assertEquals(await exec(client, ["INCR", "{t}n"], ["DEL", "{t}g"]), `-${ABORTED}`);
  assertEquals(await exec(client, ["CLIENT", "SETNAME", "me"], ["INCR", "{t}n"]), `-${ABORTED}`);
  assertEquals(await client.call("CLIENT", "GETNAME"), null);
  await client.call("WATCH", "{t}n");
  assertEquals(await exec(client, ["INCR", "{t}n"]), `-${ABORTED}`);
  assertEquals(await client.call("MGET", "{t}g", "{t}n"), ["gv", "7"]);
  using direct = await server.client();
  await direct.call("SLAVEOF", "NO", "ONE");
  assertEquals(await exec(client, ["INCR", "{t}n"]), [8]);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a command that a server does not queue has its error in its place of EXEC's reply", async () => {
  await using server = await replica();
  await using proxy = await RouterServer.start({ servers: [server] });
  using client = await proxy.client();
  const error = `-${READONLY}`;
  const [get, incr] = [["GET", "{t}g"], ["INCR", "{t}n"]];
  assertEquals(await exec(client, get, incr), ["gv", error]);
  await client.call("WATCH", "{t}n");
  assertEquals(await exec(client, incr, get), [error, "gv"]);
  assertEquals(
    await exec(client, incr, ["LRANGE", "{t}l", 0, -1], incr, incr, ["GET", "{t}big"], incr, get),
    [error, ["a", "b"], error, error, "x".repeat(1_000_000), error, "gv"],
  );
  assertEquals(
    await exec(client, ["CLIENT", "SETNAME", "me"], incr, ["CLIENT", "GETNAME"], get),
    ["OK", error, "me", "gv"],
  );
  assertEquals(await exec(client, ["FLUSHALL"], get), [error, "gv"]);
  assertEquals(await exec(client, ["SELECT", 1], ["SET", "{t}g", 1], ["GET", "{t}g"]), [
    "OK",
    error,
    null,
  ]);
  using other = await proxy.client();
  assertEquals([await client.call("GET", "{t}g"), await other.call("GET", "{t}g")], [null, "gv"]);
  // Several transactions in one pipeline, and what comes after them, keep their order.
  await client.call("SELECT", 0);
  const three = [["MULTI"], get, incr, ["EXEC"]];
  const replies = await client.pipeline([...three, get, ...three, get]);
  assertEquals([3, 4, 8, 9].map((at) => shown(replies[at]!.value)), [
    ["gv", error],
    "gv",
    ["gv", error],
    "gv",
  ]);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("while a master becomes a replica and back, each transaction is done that is answered as done", async () => {
  await using server = await CodisServer.start();
  await using proxy = await RouterServer.start({ servers: [server] });
  using direct = await server.client();
  let [done, refused, isOver] = [0, 0, false];
  const load = async (watches: boolean) => {
    using client = await proxy.client();
    while (!isOver) {
      if (watches) await client.call("WATCH", "{t}other");
      const reply = await exec(client, ["GET", "{t}g"], ["INCR", "{t}n"], ["INCR", "{t}n"]);
      // It has become a replica between the last command and EXEC.
      const values = Array.isArray(reply) ? reply : [null, reply, reply];
      assertEquals([values.length, values[0]], [3, null]);
      for (const value of values.slice(1)) {
        if (typeof value === "number") done++;
        else {
          assertMatch(value, /^-(READONLY|EXECABORT) /);
          refused++;
        }
      }
    }
  };
  const clients = [false, false, true].map(load);
  for (let i = 0; i < 20; i++) {
    const [doneBefore, refusedBefore] = [done, refused];
    await until(() => done > doneBefore);
    await direct.call("SLAVEOF", "127.0.0.1", 1);
    await until(() => refused > refusedBefore);
    await direct.call("SLAVEOF", "NO", "ONE");
  }
  isOver = true;
  await Promise.all(clients);
  assertEquals(await direct.call("GET", "{t}n"), `${done}`);
});

Deno.test("FLUSHALL that its transaction's server refuses empties no other server", async () => {
  await using server = await replica();
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [server, redis] });
  using client = await proxy.client();
  const [here, there] = [keyOn(0, 2), keyOn(1, 2)];
  await client.call("SET", there, 1);
  assertEquals(await exec(client, ["GET", here], ["FLUSHALL"]), [null, `-${READONLY}`]);
  assertEquals(await exec(client, ["INCR", here], ["FLUSHALL"]), `-${ABORTED}`);
  assertEquals(await client.call("GET", there), "1");
});

Deno.test("of a transaction over several slots, what one server does not queue has its error", async () => {
  await using server = await replica();
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({
    servers: [server, redis],
    options: { multiSlotTransactions: true },
  });
  using client = await proxy.client();
  const [here, too, there] = [keyOn(0, 2, "a"), keyOn(0, 2, "b"), keyOn(1, 2)];
  const error = `-${READONLY}`;
  assertEquals(await exec(client, ["INCR", here], ["INCR", there]), [`-${ABORTED}`, 1]);
  assertEquals(
    await exec(client, ["GET", here], ["INCR", there], ["INCR", too], ["SELECT", 1], ["GET", too]),
    [null, 2, error, "OK", null],
  );
  await client.call("SELECT", 0);
  assertEquals(await exec(client, ["GET", there], ["MGET", here, there], ["DEL", here, there]), [
    "2",
    [null, "2"],
    error,
  ]);
  await client.call("SET", there, 2);
  // The part with the watched key comes first: when nothing of it is executed, nothing else is.
  await client.call("WATCH", here);
  assertEquals(await exec(client, ["INCR", here], ["INCR", there]), `-${ABORTED}`);
  assertEquals(await client.call("GET", there), "2");
  await client.call("WATCH", here);
  assertEquals(await exec(client, ["INCR", here], ["GET", too], ["INCR", there]), [error, null, 3]);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a server whose EXEC has fewer replies than commands ends nothing", async () => {
  const text =
    "-ERR handle response, the server has executed something else than the transaction that it was sent";
  await using redis = new FakeRedis(([name]) => {
    if (name === "EXEC") return "*0\r\n";
    return name === "FLUSHALL" ? "+QUEUED\r\n" : "+OK\r\n";
  });
  for (const command of [["FLUSHALL"], ["SELECT", 1]]) {
    await using proxy = await RouterServer.start({ servers: [redis] });
    using client = await proxy.client();
    assertEquals(await exec(client, command), text);
    await until(async () => await client.call("SET", "k", 1) === "OK");
  }
});

Deno.test("under RESP3, errors stand in their places between maps and sets", async () => {
  await using redis = new FakeRedis(([name], connection) => {
    if (name === "EXEC") return "*2\r\n%1\r\n+a\r\n*2\r\n:1\r\n_\r\n~1\r\n#t\r\n";
    if (name === "SET") return "-LOADING soon\r\n";
    if (name === "HGETALL" || name === "SMEMBERS") return "+QUEUED\r\n";
    return name === "MULTI" ? "+OK\r\n" : answerNothing([name!]) ?? connection.id;
  });
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  await client.call("HELLO", 3);
  const commands = [["MULTI"], ["HGETALL", "k"], ["SET", "k", 1], ["SMEMBERS", "k"], ["EXEC"]];
  const replies = await client.pipeline(commands);
  assertEquals(
    textOf(replies.at(-1)!.raw),
    "*3\r\n%1\r\n+a\r\n*2\r\n:1\r\n_\r\n-LOADING soon\r\n~1\r\n#t\r\n",
  );
});

Deno.test("a server that has executed something else than was asked for is in doubt, and left", async () => {
  for (const multiSlotTransactions of [false, true]) {
    for (const isSelectRefused of [false, true]) {
      let isQueueing = false;
      await using redis = new FakeRedis(([name, argument]) => {
        if (name === "MULTI" || name === "EXEC") isQueueing = name === "MULTI";
        if (name === "EXEC") return isSelectRefused ? "*2\r\n+OK\r\n$-1\r\n" : "*0\r\n";
        if (name === "MULTI" || !isQueueing) return name === "GET" ? "$-1\r\n" : "+OK\r\n";
        const isLast = name === "SELECT" && argument === "0";
        const isRefused = name === "SET" || (isLast && isSelectRefused);
        return isRefused ? "-LOADING soon\r\n" : "+QUEUED\r\n";
      });
      await using proxy = await RouterServer.start({
        servers: [redis],
        options: { multiSlotTransactions },
      });
      using client = await proxy.client();
      await client.call("GET", "k");
      const before = redis.connectionCount;
      assertEquals(
        await exec(client, ["SELECT", 1], ["GET", "k"], ["SET", "k", 1]),
        "-ERR handle response, the server has executed something else than the transaction that it was sent: LOADING soon",
      );
      // In which database that connection is now, nobody knows.
      await until(async () => await client.call("GET", "k") === null);
      assertEquals(redis.connectionCount - before, 1);
    }
  }
});
