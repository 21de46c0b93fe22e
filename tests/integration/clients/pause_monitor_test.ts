/**
 * CLIENT PAUSE and MONITOR: as redis-server does it, for the clients of the proxy.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient, type Word } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

const utf8 = new TextDecoder();

/** Whether a request is answered within 100 ms; its reply in any case. */
async function isHeld(client: RespClient, ...words: Word[]): Promise<[boolean, Promise<string>]> {
  await client.send(...words);
  let isAnswered = false;
  const reply = client.read().then(({ raw }) => {
    isAnswered = true;
    return utf8.decode(raw);
  });
  for (let i = 0; i < 20 && !isAnswered; i++) await delay(5);
  return [!isAnswered, reply];
}

const READ_ONLY = "#!lua flags=no-writes\nreturn 5";
const FUNCTIONS = `#!lua name=lib
redis.register_function{function_name='reads',callback=function() return 1 end,flags={'no-writes'}}
redis.register_function('writes', function() return 2 end)`;
/** What is asked while writes are paused; answers must be the same, and the same must wait. */
const WHILE_PAUSED: readonly (readonly Word[])[] = [
  ["GET", "k"],
  ["PING"],
  ["MGET", "k", "l", "m"],
  ["DBSIZE"],
  ["SET", "k"],
  ["NOSUCH"],
  ["SET", "k", 1],
  ["MSET", "k", 1, "l", 2],
  ["DEL", "k", "l"],
  ["PFCOUNT", "h"],
  ["EVAL", "return 1", 0],
  ["EVAL", "#!lua\nreturn 1", 0],
  ["EVAL", READ_ONLY, 0],
  ["EVALSHA", "SHA", 0],
  ["FCALL", "reads", 0],
  ["FCALL", "reads", 1, "k"],
  ["FCALL", "writes", 0],
  ["FCALL_RO", "reads", 0],
  ["EVAL_RO", "return 1", 0],
  ["EVAL", READ_ONLY, 1, "k"],
  ["FLUSHALL"],
  ["CLIENT", "PAUSE", "x"],
  ["CLIENT", "PAUSE", -1],
  ["CLIENT", "PAUSE", 10, "READ"],
  ["CLIENT", "PAUSE"],
];

Deno.test("CLIENT PAUSE WRITE holds what redis-server holds, until UNPAUSE", async () => {
  await using redis = await RedisServer.start();
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const seen: Record<string, unknown[]> = {};
  for (const [name, port] of [["redis", redis.port], ["proxy", proxy.port]] as const) {
    using operator = await RespClient.connect(port);
    const sha = String(await operator.call("SCRIPT", "LOAD", READ_ONLY));
    await operator.call("FUNCTION", "LOAD", FUNCTIONS);
    assertEquals(await operator.call("CLIENT", "PAUSE", 60_000, "WRITE"), "OK");
    const clients = await Promise.all(WHILE_PAUSED.map(() => RespClient.connect(port)));
    const asked = await Promise.all(
      WHILE_PAUSED.map((words, i) =>
        isHeld(clients[i]!, ...words.map((word) => word === "SHA" ? sha : word))
      ),
    );
    assertEquals(await operator.call("CLIENT", "UNPAUSE"), "OK");
    seen[name] = await Promise.all(asked.map(async ([held, reply], i) => {
      const text = held ? "" : await reply;
      await reply;
      return [WHILE_PAUSED[i]!.join(" "), held, text];
    }));
    for (const client of clients) client.close();
  }
  assertEquals(seen.proxy, seen.redis);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("a transaction waits where redis-server lets it wait", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using operator = await proxy.client();
  using writer = await proxy.client();
  using reader = await proxy.client();
  await writer.pipeline([["MULTI"], ["SET", "k", 1]]);
  await reader.pipeline([["MULTI"], ["GET", "k"]]);
  await operator.call("CLIENT", "PAUSE", 60_000, "WRITE");
  assertEquals((await isHeld(reader, "EXEC"))[0], false);
  const [held, reply] = await isHeld(writer, "EXEC");
  assert(held);
  assertEquals(proxy.router.shared.pause.waiting, 1);
  await operator.call("CLIENT", "UNPAUSE");
  assertEquals(await reply, "*1\r\n+OK\r\n");
});

Deno.test("CLIENT PAUSE holds everything for its time, and a shorter one does not end it", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using operator = await proxy.client();
  using client = await proxy.client();
  using gone = await proxy.client();
  const startedMs = performance.now();
  assertEquals(
    (await operator.pipeline([["CLIENT", "PAUSE", 400], ["PING"]])).map(({ value }) => value),
    ["OK", "PONG"],
  );
  assert(performance.now() - startedMs >= 395);
  await operator.call("CLIENT", "PAUSE", 400, "WRITE");
  await gone.send("SET", "gone", 1);
  const [held, reply] = await isHeld(client, "SET", "k", "x".repeat(2_000_000));
  assert(held);
  gone.close();
  assertEquals(await operator.call("CLIENT", "PAUSE", 1, "WRITE"), "OK");
  assertEquals(await operator.call("GET", "k"), null);
  assertEquals(await reply, "+OK\r\n");
  assert(performance.now() - startedMs >= 795);
  assertEquals(proxy.leftovers(), []);
  assertEquals(proxy.router.shared.isOverseen, false);
});

/** Lines of MONITOR without time, address, and where they must differ. */
function comparable(line: string): string {
  assertMatch(line, /^\+\d{10}\.\d{6} \[/);
  return line.replace(/^\+\S+ /, "").replace(/(\[\d+) [^\]]*/, "$1 *");
}

const WATCHED: readonly (readonly Word[])[] = [
  ["set", "k", 'a "b" \\ \n\r\t\x07\b\x01'],
  ["GET", new Uint8Array([0, 128, 255])],
  ["SELECT", 2],
  ["get", "k"],
  ["NOSUCH", "x"],
  ["GET"],
  ["AUTH", "default", "secret"],
  ["HELLO", 3, "AUTH", "default", "secret", "SETNAME", "me"],
  ["HELLO", 3, "SETNAME", "auth", "AUTH", "default", "secret"],
  ["HELLO", 3, "AUTH", "default", "secret", "AUTH", "default", "other"],
  ["CLIENT", "ID"],
  ["CLIENT", "LIST"],
  ["EVAL_RO", "return 1", 0],
  ["PING"],
  ["MGET", "a", "b"],
  ["QUIT"],
];

for (const readMode of ["byob", "direct"] as const) {
  Deno.test(`a client that leaves while it waits for the end of a pause is gone at once, ${readMode}`, async () => {
    await using redis = await RedisServer.start();
    await using proxy = await RouterServer.start({ servers: [redis], options: { readMode } });
    using client = await proxy.client();
    assertEquals(await client.call("CLIENT", "PAUSE", 60_000, "WRITE"), "OK");
    const leaving = await proxy.client();
    const [isWaiting, none] = await isHeld(leaving, "SET", "gone", 1);
    assert(isWaiting);
    none.catch(() => {});
    const patient = await proxy.client();
    const [, reply] = await isHeld(patient, "SET", "patient", 1);
    await patient.sendRaw("*3\r\n$3\r\nSET\r\n$4\r\nlate\r\n$1\r\n");
    leaving.close();
    await until(() => proxy.router.sessions.size === 2);
    await patient.sendRaw("2\r\n");
    assertEquals(await client.call("CLIENT", "UNPAUSE"), "OK");
    assertEquals(await reply, "+OK\r\n");
    assertEquals((await patient.read()).value, "OK");
    assertEquals(await client.call("MGET", "gone", "patient", "late"), [null, "1", "2"]);
    patient.close();
    await until(() => proxy.leftovers().length === 0);
  });
}

Deno.test("MONITOR shows the lines that redis-server shows, and ends with RESET", async () => {
  await using redis = await RedisServer.start();
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const seen: string[][] = [];
  for (const port of [redis.port, proxy.port]) {
    using monitor = await RespClient.connect(port);
    using client = await RespClient.connect(port);
    assertEquals(await monitor.call("MONITOR"), "OK");
    await client.pipeline(WATCHED);
    await monitor.send("RESET");
    const lines: string[] = [];
    for (;;) {
      const line = utf8.decode((await monitor.read()).raw);
      if (line === "+RESET\r\n") break;
      lines.push(comparable(line));
    }
    seen.push(lines.filter((line) => !line.includes('"RESET"')));
    assertEquals(await monitor.call("GET", "k"), 'a "b" \\ \n\r\t\x07\b\x01');
  }
  assertEquals(seen[1], seen[0]);
  assertEquals(proxy.router.shared.isOverseen, false);
});

Deno.test("nothing comes behind the answer to a monitor's QUIT", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  for (const port of [redis.port, proxy.port]) {
    using monitor = await RespClient.connect(port);
    assertEquals(await monitor.call("MONITOR"), "OK");
    assertEquals(await monitor.call("QUIT"), "OK");
    assertEquals((await monitor.readToEnd()).length, 0);
  }
});

Deno.test("MONITOR does not show what its client, or one that subscribes, was refused", async () => {
  await using redis = await RedisServer.start();
  await using backend = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [backend] });
  const seen: string[][] = [];
  for (const port of [redis.port, proxy.port]) {
    using monitor = await RespClient.connect(port);
    using subscriber = await RespClient.connect(port);
    using client = await RespClient.connect(port);
    await subscriber.call("SUBSCRIBE", "c");
    assertEquals(await monitor.call("MONITOR"), "OK");
    const lines: string[] = [];
    const next = async () => {
      const line = utf8.decode((await monitor.read()).raw).trim();
      lines.push(line.replace(/^\+[\d.]+ \[0 [^\]]+\]/, "+"));
      return line;
    };
    await monitor.send("GET", "k");
    assertMatch(await next(), /interact with the keyspace/);
    await subscriber.send("GET", "k");
    assertMatch(utf8.decode((await subscriber.read()).raw), /Can't execute 'get'/);
    await client.call("GET", "last");
    while (!(await next()).includes("last"));
    seen.push(lines);
  }
  assertEquals(seen[1], seen[0]);
  assertEquals(seen[0]!.length, 2);
});

Deno.test("a client that watches asks for no keys, and one that does not read is closed", async () => {
  await using redis = await RedisServer.start();
  const options = { sessionBufferBytesMax: 8 * 1024 * 1024 };
  await using proxy = await RouterServer.start({ servers: [redis], options });
  using monitor = await proxy.client();
  using client = await proxy.client();
  await monitor.call("MONITOR");
  await monitor.send("GET", "k");
  assertMatch(utf8.decode((await monitor.read()).raw), /Replica can't interact with the keyspace/);
  const session = proxy.sessionOf(monitor);
  for (let i = 0; i < 100 && session.state !== "closed"; i++) {
    await client.call("SET", "k", "x".repeat(300_000));
  }
  assertEquals(session.state, "closed");
  assertEquals(proxy.events.filter((event) => event === "monitor dropped").length, 1);
  assertEquals(await client.call("PING"), "PONG");
});

Deno.test("what monitors may leave unread follows the options", async () => {
  await using redis = await RedisServer.start();
  const MB = 1024 * 1024;
  const options = { sessionBufferBytesMax: 256 * MB, proxyBufferBytesMax: 1024 * MB };
  await using proxy = await RouterServer.start({ servers: [redis], options });
  using monitor = await proxy.client();
  using client = await proxy.client();
  await monitor.call("MONITOR");
  const isDropped = () => proxy.events.includes("monitor dropped");
  const write = () => client.call("SET", "k", "x".repeat(300_000));
  for (let i = 0; i < 50; i++) await write();
  assertEquals(isDropped(), false);
  proxy.router.setOptions({ ...proxy.router.shared.options, sessionBufferBytesMax: 8 * MB });
  for (let i = 0; i < 50 && !isDropped(); i++) await write();
  assertEquals(isDropped(), true);
});
