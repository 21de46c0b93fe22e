/**
 * Commands that block while their server is lost, or becomes a replica: the client notices nothing but the time that
 * passes, unless the outage lasts too long.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { whenBlocked } from "../../support/blocked_clients.ts";
import { until, within } from "../../support/deadline.ts";
import { answerNothing, FakeRedis, type FakeReply } from "../../support/fake_redis.ts";
import { MovingSlot, TAG } from "../../support/moving_slot.ts";
import { OLD_SERVER } from "../../support/old_server.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient, type Word } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { RouterServer, slotOf } from "../../support/router_server.ts";

const SLOT = slotOf(TAG);
const Q = `${TAG}q`;

async function say(server: RedisServer, ...words: Word[]): Promise<RespValue> {
  using client = await server.client();
  return await client.call(...words);
}

/** The text of an error reply; of another reply, what it is. */
function messageOf(reply: RespValue): string {
  return reply instanceof ReplyError ? reply.message : JSON.stringify(reply);
}

Deno.test("what is blocked at a server that is lost blocks on when that is back", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  const cases = [
    [`BLPOP ${Q} 0`, `RPUSH ${Q} x y`, [Q, "x"]],
    [`BLMOVE ${Q} ${TAG}to LEFT LEFT 60`, `RPUSH ${Q} x y`, "x"],
    [`BZPOPMIN ${Q} 0`, `ZADD ${Q} 1 x`, [Q, "x", "1"]],
    [`XREAD BLOCK 0 STREAMS ${Q} $`, `XADD ${Q} 7-1 f v`, [[Q, [["7-1", ["f", "v"]]]]]],
    [`BRPOP ${TAG}none ${Q} 0`, `RPUSH ${Q} x y`, [Q, "y"]],
  ] as const;
  for (const [blocks, ends, reply] of cases) {
    using client = await proxy.client();
    const replies = client.pipeline([blocks.split(" "), ["INCR", "n"], ["BLPOP", "then", 0]]);
    await whenBlocked(redis, 1);
    await redis.kill();
    await delay(300);
    await redis.restart();
    await whenBlocked(redis, 1);
    using other = await proxy.client();
    assertEquals(await other.call("GET", "n"), null, "what comes behind it waits");
    await other.call(...ends.split(" ") as [string]);
    await whenBlocked(redis, 1);
    await other.call("RPUSH", "then", 1);
    const values = (await within(replies)).map(({ value }) => value);
    assertEquals(values as RespValue, [reply as unknown as RespValue, 1, ["then", "1"]], blocks);
    await other.call("FLUSHALL");
  }
  await until(() => proxy.router.sessions.size === 0);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("what is blocked at a server that is lost blocks on at the one that takes its place", async () => {
  await using moving = await MovingSlot.start();
  const [from, to] = moving.servers as [RedisServer, RedisServer];
  const clients = await Promise.all(Array.from({ length: 5 }, () => moving.proxy.client()));
  const answers = clients.map((client) => client.call("BLPOP", Q, 0));
  await whenBlocked(from, 5);
  await from.kill();
  await delay(300);
  const late = await moving.proxy.client();
  const lateAnswer = late.call("BLPOP", Q, 0); // asked while the server is known to be lost
  await delay(300);
  await moving.proxy.fill(SLOT, to.addr, { groupId: 1, failedAddrs: [from.addr] });
  await whenBlocked(to, 6);
  await say(to, "RPUSH", Q, "1", "2", "3", "4", "5", "6");
  const replies = await within(Promise.all([...answers, lateAnswer])) as [string, string][];
  assertEquals(replies.map(([, value]) => value).sort(), ["1", "2", "3", "4", "5", "6"]);
  for (const client of [...clients, late]) client.close();
});

Deno.test("a planned change of master pops nothing, and the client blocks on at the new master", async () => {
  await using moving = await MovingSlot.start();
  const [from, to] = moving.servers as [RedisServer, RedisServer];
  using client = await moving.proxy.client();
  using reader = await moving.proxy.client();
  using late = await moving.proxy.client();
  const answers = [
    client.call("BLPOP", Q, 0),
    reader.call("XREAD", "BLOCK", 60_000, "STREAMS", `${TAG}s`, "$"),
  ];
  await whenBlocked(from, 2);
  await say(from, "REPLICAOF", "127.0.0.1", to.port);
  await whenBlocked(from, 0);
  answers.push(late.call("BRPOP", `${TAG}late`, 0)); // refused by the old master, which is a replica
  await delay(300);
  await moving.proxy.fill(SLOT, to.addr, { groupId: 1 });
  await whenBlocked(to, 3);
  using pusher = await moving.proxy.client();
  await pusher.call("RPUSH", Q, "x");
  await pusher.call("XADD", `${TAG}s`, "7-1", "f", "v");
  await pusher.call("RPUSH", `${TAG}late`, "y");
  assertEquals(await within(Promise.all(answers)), [
    [Q, "x"],
    [[`${TAG}s`, [["7-1", ["f", "v"]]]]],
    [`${TAG}late`, "y"],
  ]);
});

Deno.test("a planned change of master that is undone leaves the client blocked at the old one", async () => {
  await using moving = await MovingSlot.start();
  const [from] = moving.servers as [RedisServer];
  using client = await moving.proxy.client();
  const answer = client.call("BLPOP", Q, 0);
  await whenBlocked(from, 1);
  await say(from, "REPLICAOF", "127.0.0.1", 1);
  await whenBlocked(from, 0);
  await delay(200);
  await say(from, "REPLICAOF", "NO", "ONE");
  await whenBlocked(from, 1);
  await say(from, "RPUSH", Q, "x");
  assertEquals(await within(answer), [Q, "x"]);
});

Deno.test("what would block while a promotion holds off writes blocks at the new master", async () => {
  for (const command of ["BRPOP", "BRPOPLPUSH"]) {
    await using moving = await MovingSlot.start(OLD_SERVER);
    const [from, to] = moving.servers as [RedisServer, RedisServer];
    using client = await moving.proxy.client();
    using undone = await moving.proxy.client();
    const keys = command === "BRPOP" ? [Q] : [Q, `${TAG}to`];
    await say(from, "CONFIG", "SET", "min-slaves-to-write", "1000");
    const undoneAnswer = undone.call("BLPOP", `${TAG}undone`, 0);
    await delay(300);
    await say(from, "CONFIG", "SET", "min-slaves-to-write", "0");
    await whenBlocked(from, 1);
    await say(from, "CONFIG", "SET", "min-slaves-to-write", "1000");
    const answer = client.call(command, ...keys, 0);
    await delay(1500);
    await say(from, "SLAVEOF", "127.0.0.1", 1);
    await delay(300);
    await moving.proxy.fill(SLOT, to.addr, { groupId: 1 });
    await whenBlocked(to, 2);
    await say(to, "RPUSH", Q, "x");
    await say(to, "RPUSH", `${TAG}undone`, "y");
    assertEquals(await within(answer), command === "BRPOP" ? [Q, "x"] : "x");
    assertEquals(await within(undoneAnswer), [`${TAG}undone`, "y"]);
  }
});

Deno.test("time goes on in an outage: a timeout is as long as it was asked for", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  using short = await proxy.client();
  using late = await proxy.client();
  const before = performance.now();
  const taken = async (call: Promise<RespValue>) => {
    assertEquals(await call, null);
    return performance.now() - before;
  };
  const times = [
    taken(client.call("BLPOP", "q", 2)),
    taken(short.call("XREAD", "BLOCK", 700, "STREAMS", "s", "$")),
  ];
  await whenBlocked(redis, 2);
  await redis.kill();
  times.push(taken(late.call("BRPOP", "q", "0.7")));
  await delay(1000 - (performance.now() - before));
  await redis.restart();
  const [longMs, ...shortMs] = await within(Promise.all(times));
  assert(longMs! > 1950 && longMs! < 2200, `it took ${longMs} ms`);
  for (const ms of shortMs) assert(ms > 650 && ms < 1100, `it took ${ms} ms`);
});

Deno.test("in an outage a client can be unblocked, closed and drained, and nothing is popped for it afterwards", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using other = await proxy.client();
  const clients = await Promise.all(Array.from({ length: 6 }, () => proxy.client()));
  const ids = await Promise.all(clients.map((client) => client.call("CLIENT", "ID")));
  const answers = clients.map((client) => client.call("BLPOP", "q", 0).catch(() => "closed"));
  await whenBlocked(redis, clients.length);
  await redis.kill();
  await delay(100);
  assertEquals(await other.call("CLIENT", "UNBLOCK", `${ids[0]}`), 1);
  assertEquals(await within(answers[0]!), null);
  assertEquals(await other.call("CLIENT", "UNBLOCK", `${ids[1]}`, "ERROR"), 1);
  assertMatch(
    messageOf(await within(answers[1]!)),
    /UNBLOCKED client unblocked via CLIENT UNBLOCK/,
  );
  await other.call("CLIENT", "KILL", "ID", `${ids[2]}`);
  assertEquals(await within(answers[2]!), "closed");
  await clients[3]!.conn.closeWrite();
  assertEquals(await within(answers[3]!), "closed");
  clients[4]!.close();
  proxy.sessionOf(clients[5]!).drain();
  assertMatch(messageOf(await within(answers[5]!)), /the proxy is shutting down/);
  await redis.restart();
  await delay(600);
  await whenBlocked(redis, 0);
  await other.call("RPUSH", "q", "x");
  assertEquals(await other.call("LPOP", "q"), "x");
  for (const client of [other, ...clients]) client.close();
  await until(() => proxy.router.sessions.size === 0);
  assertEquals(proxy.leftovers(), []);
});

/** A server that answers BLPOP as a test says. */
function popping(answer: () => FakeReply): FakeRedis {
  return new FakeRedis((words) => words[0] === "BLPOP" ? answer() : answerNothing(words));
}

Deno.test("a command of whose reply a part has come is not asked again", async () => {
  await using fake = new FakeRedis(async (words, connection) => {
    if (words[0] !== "BLPOP") return answerNothing(words);
    await connection.send("*2\r\n$1\r\n");
    await delay(20);
    return "disconnect";
  });
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  const reply = await within(client.call("BLPOP", "q", 0), 3000);
  assertMatch(messageOf(reply), /ERR handle response, backend conn failure/);
  assertEquals(fake.received.filter(([name]) => name === "BLPOP").length, 1);
});

Deno.test("a command that ends its server again and again is given up after a few attempts", async () => {
  await using fake = popping(() => "disconnect");
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  const reply = await within(client.call("BLPOP", "q", 0), 5000);
  assertMatch(messageOf(reply), /ERR handle response, backend conn failure.*closed by the server/);
  assertEquals(fake.received.filter(([name]) => name === "BLPOP").length, 4);
});

Deno.test("a server that does not speak Redis's protocol is not asked again", async () => {
  await using fake = popping(() => "?what\r\n");
  await using proxy = await RouterServer.start({ servers: [fake] });
  using client = await proxy.client();
  const reply = await within(client.call("BLPOP", "q", 0), 3000);
  assertMatch(messageOf(reply), /ERR handle response, .*protocol error from the server/);
  assertEquals(fake.received.filter(([name]) => name === "BLPOP").length, 1);
});

Deno.test("when a lost or silent server does not come back in 15 s, what blocks there is answered with an error", async () => {
  await Promise.all((["kill", "pause"] as const).map(async (end) => {
    await using redis = await RedisServer.start();
    const options = { backendTimeoutMs: 500, backendDialMs: 400 };
    await using proxy = await RouterServer.start({ servers: [redis], options });
    using client = await RespClient.connect(proxy.port, "127.0.0.1", 20_000);
    using late = await RespClient.connect(proxy.port, "127.0.0.1", 20_000);
    using other = await proxy.client();
    const answer = client.call("BLPOP", "q", 0);
    await whenBlocked(redis, 1);
    if (end === "kill") await redis.kill();
    else redis.pause();
    const before = performance.now();
    await other.send("GET", "a"); // a server is silent when it does not answer
    await delay(10_000);
    const replies = await within(Promise.all([answer, late.call("BLPOP", "q", 0)]), 7000);
    const ms = performance.now() - before;
    assert(ms > 14_900 && ms < 16_500, `it took ${ms} ms`);
    const texts = replies.map((reply) => (reply as ReplyError).message);
    assertMatch(texts[0]!, /^ERR handle response, backend conn failure/);
    assertMatch(texts[1]!, /^LOADING handle request, backend conn failure/);
    // From now on it is known to be lost.
    const refused = await within(late.call("BLPOP", "q", 0), 200);
    assertMatch((refused as ReplyError).message, /^LOADING handle request, backend conn failure/);
    redis.resume();
  }));
});

Deno.test("a client whose server is silent can be unblocked, and who does it is told so", async () => {
  await using redis = await RedisServer.start();
  const options = { backendTimeoutMs: 500, backendDialMs: 400 };
  await using proxy = await RouterServer.start({ servers: [redis], options });
  using client = await proxy.client();
  using other = await proxy.client();
  const id = await client.call("CLIENT", "ID");
  const answer = client.call("BLPOP", "q", 0);
  await whenBlocked(redis, 1);
  redis.pause();
  assertEquals(await within(other.call("CLIENT", "UNBLOCK", `${id}`), 3000), 1);
  assertEquals(await within(answer, 1000), null);
  redis.resume();
});
