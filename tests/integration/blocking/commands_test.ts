/**
 * Commands that block: every byte of the proxy's reply is redis-server's, and nobody else waits.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { whenBlocked } from "../../support/blocked_clients.ts";
import { until, within } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, RespClient } from "../../support/resp_client.ts";
import { textOf } from "../../support/pieces.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { RouterServer } from "../../support/router_server.ts";

/** Lines that one client sends; after `>` another one sends, while the first is blocked. */
const DIALOGS: readonly string[] = [
  "BLPOP {k}a 0.02",
  "BRPOP {k}a {k}b 0.02",
  "BRPOPLPUSH {k}a {k}b 0.02",
  "BLMOVE {k}a {k}b LEFT LEFT 0.02",
  "BLMPOP 0.02 1 {k}a LEFT",
  "BZPOPMIN {k}a 0.02",
  "BZPOPMAX {k}a 0.02",
  "BZMPOP 0.02 1 {k}a MAX",
  "XREAD BLOCK 20 STREAMS {k}a $",
  "XGROUP CREATE {k}a g $ MKSTREAM; XREADGROUP GROUP g c BLOCK 20 STREAMS {k}a >",
  "RPUSH {k}a 1 2 3; BLPOP {k}b {k}a 0; BRPOP {k}a 0; BLMPOP 0 2 {k}b {k}a LEFT COUNT 5",
  "ZADD {k}a 1 x 2 y 3 z; BZPOPMIN {k}a 0; BZPOPMAX {k}a 0; BZMPOP 0 1 {k}a MIN COUNT 3",
  "RPUSH {k}a x; BRPOPLPUSH {k}a {k}b 0; BLMOVE {k}b {k}b LEFT RIGHT 0; LRANGE {k}b 0 -1",
  "XADD {k}a 1-1 f v; XREAD COUNT 2 BLOCK 0 STREAMS {k}a {k}b 0 0; XLEN {k}a",
  "BLPOP {k}a 0 > RPUSH {k}a x y",
  "BRPOP {k}b {k}a 0 > RPUSH {k}a x y",
  "BLMPOP 0 2 {k}b {k}a RIGHT COUNT 2 > RPUSH {k}a x y z",
  "BRPOPLPUSH {k}a {k}b 0 > RPUSH {k}a x",
  "BLMOVE {k}a {k}b RIGHT LEFT 0 > RPUSH {k}a x y",
  "BZPOPMIN {k}a 0 > ZADD {k}a 1.5 x",
  "BZMPOP 0 1 {k}a MAX COUNT 2 > ZADD {k}a 1 x 2 y 3 z",
  "XADD {k}a 1-1 f v; XREAD BLOCK 0 STREAMS {k}a $ > XADD {k}a 2-1 f w",
  "XGROUP CREATE {k}a g $ MKSTREAM; XREADGROUP GROUP g c BLOCK 0 STREAMS {k}a > > XADD {k}a 2-1 f w",
  // What is wrong is said in Redis's words, at once.
  "BLPOP {k}a x; BLPOP {k}a -1; BLPOP {k}a; BLPOP {k}a 1e400; BLPOP {k}a nan; BLPOP {k}a ''",
  "SET {k}a 1; BLPOP {k}a 0; BZPOPMIN {k}a 0; XREAD BLOCK 0 STREAMS {k}a $; BLMOVE {k}a {k}b LEFT LEFT 0",
  "BLMPOP 0 x {k}a LEFT; BLMPOP 0 0 {k}a LEFT; BLMPOP 0 1 {k}a UP; BLMPOP 0 3 {k}a LEFT; BLMPOP 0 01 {k}a LEFT",
  "BLMOVE {k}a {k}b UP LEFT 0; BZMPOP -1 1 {k}a MIN; BZMPOP 0 1 {k}a MIN COUNT 0",
  "XREAD BLOCK x STREAMS {k}a 0; XREAD BLOCK -1 STREAMS {k}a 0; XREAD BLOCK 0 STREAMS {k}a; XREAD BLOCK 0; XREAD BLOCK 0 STREAMS {k}a x",
  "XREADGROUP GROUP none c BLOCK 0 STREAMS {k}a >; XREADGROUP GROUP g c BLOCK 0 STREAMS {k}a $",
  // Nothing blocks in a transaction.
  "MULTI; BLPOP {k}a 0; BLMOVE {k}a {k}b LEFT LEFT 0; XREAD BLOCK 0 STREAMS {k}s $; BZPOPMIN {k}a 0; WAIT 1 0; EXEC",
  // A time that is a number for strtold(), too.
  "BLPOP {k}a 2e-2; BLPOP {k}a 0x0.1p0; BLPOP {k}a .02",
  "XGROUP CREATE {k}a g $ MKSTREAM; XREADGROUP GROUP g c BLOCK 0 STREAMS {k}a > > DEL {k}a",
  "WAIT 0 0; WAIT 0 10; WAIT x 0; WAIT 1 x; WAIT 1 -1; WAIT 1 20",
  "CLIENT UNBLOCK 999999; CLIENT UNBLOCK x; CLIENT UNBLOCK 1 LATER; CLIENT UNBLOCK",
];

/** The text of an error reply; of another reply, what it is. */
function messageOf(reply: RespValue): string {
  return reply instanceof ReplyError ? reply.message : JSON.stringify(reply);
}

const requestsOf = (text: string) =>
  text.split(";").map((line) => line.trim().split(/\s+/).map((word) => word === "''" ? "" : word));

Deno.test("every reply of a command that blocks is redis-server's, byte for byte", async () => {
  await using direct = await RedisServer.start();
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  for (const protocol of ["2", "3"]) {
    for (const dialog of DIALOGS) {
      const [first, second] = dialog.split(/ > (?=[A-Z])/);
      const results: string[] = [];
      for (const [port, at] of [[direct.port, [direct]], [proxy.port, servers]] as const) {
        using client = await RespClient.connect(port);
        using other = await RespClient.connect(port);
        await client.call("HELLO", protocol);
        await other.call("FLUSHALL");
        const replies = client.pipeline(requestsOf(first!));
        if (second !== undefined) {
          // `$` is the last entry when the command comes to the server, not when it was sent.
          await whenBlocked(at, 1);
          await other.pipeline(requestsOf(second));
        }
        const all = await within(replies, 5000, dialog);
        results.push(all.map(({ raw }) => textOf(raw)).join(""));
      }
      assertEquals(results[1], results[0], `RESP${protocol}: ${dialog}`);
    }
  }
});

Deno.test("what a client sends behind a command that blocks waits; other clients do not", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  using other = await proxy.client();
  const replies = client.pipeline([
    ["SET", "n", 1],
    ["BLPOP", "q", 0],
    ["INCR", "n"],
    ["BLPOP", "q", 0],
    ["GET", "n"],
  ]);
  await whenBlocked(redis, 1);
  assertEquals(await other.call("GET", "n"), "1");
  await other.call("RPUSH", "q", "x");
  await whenBlocked(redis, 1);
  assertEquals(await other.call("GET", "n"), "2");
  // More of it comes while it waits, in pieces.
  await client.sendRaw("*2\r\n$3\r\nGE");
  await delay(10);
  await client.sendRaw("T\r\n$1\r\nq\r\n*1\r\n$4\r\nPI");
  await delay(10);
  await client.sendRaw("NG\r\n");
  await other.call("RPUSH", "q", "y");
  assertEquals((await replies).map(({ value }) => value), ["OK", ["q", "x"], 2, ["q", "y"], "2"]);
  assertEquals((await client.read()).value, null);
  assertEquals((await client.read()).value, "PONG");
});

Deno.test("a client that goes away while it is blocked gets no element", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using other = await proxy.client();
  for (const end of ["close", "half-close", "kill"] as const) {
    const client = await proxy.client();
    const id = await client.call("CLIENT", "ID");
    await client.sendRaw(encodeRequests([["BLPOP", "q", 0], ["GET", "n"]]));
    await whenBlocked(redis, 1);
    if (end === "close") client.close();
    if (end === "half-close") await client.conn.closeWrite();
    if (end === "kill") await other.call("CLIENT", "KILL", "ID", Number(id));
    await whenBlocked(redis, 0);
    await other.call("RPUSH", "q", end);
    assertEquals(await other.call("LPOP", "q"), end);
    client.close();
  }
  other.close();
  await until(() => proxy.router.sessions.size === 0);
  assertEquals(proxy.leftovers(), []);
});

Deno.test("CLIENT LIST flags a blocked client, and CLIENT UNBLOCK ends what it waits for", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  using other = await proxy.client();
  const id = Number(await client.call("CLIENT", "ID"));
  assertEquals(await other.call("CLIENT", "UNBLOCK", id), 0);
  for (const [mode, expected] of [["", null], ["TIMEOUT", null], ["error", "UNBLOCKED"]] as const) {
    for (const words of [["BLPOP", "q", 0], ["XREAD", "BLOCK", 0, "STREAMS", "s", "$"]]) {
      const answer = client.call(...words);
      await whenBlocked(redis, 1);
      assertMatch(String(await other.call("CLIENT", "LIST", "ID", id)), / flags=b /);
      const unblock = ["CLIENT", "UNBLOCK", id, ...(mode === "" ? [] : [mode])];
      assertEquals(await other.call(...unblock), 1);
      const reply = await within(answer, 2000);
      if (expected === null) assertEquals(reply, null);
      else assertMatch(messageOf(reply), /UNBLOCKED client unblocked via CLIENT UNBLOCK$/);
      assertMatch(String(await other.call("CLIENT", "LIST", "ID", id)), / flags=N /);
    }
  }
  assertEquals(await client.call("PING"), "PONG");
});

Deno.test("a blocked client is not idle, and has no deadline but its own", async () => {
  await using redis = await RedisServer.start();
  const options = { sessionIdleMs: 200, backendTimeoutMs: 300, sessionPartialMs: 200 };
  await using proxy = await RouterServer.start({ servers: [redis], options });
  using client = await proxy.client();
  const answer = client.call("BLPOP", "q", 0);
  await client.sendRaw("*1\r\n$4\r\nPI");
  await delay(1800);
  using other = await proxy.client();
  await other.call("RPUSH", "q", "x");
  assertEquals(await answer, ["q", "x"]);
  await client.sendRaw("NG\r\n");
  assertEquals((await client.read()).value, "PONG");
});

Deno.test("a proxy that closes its clients ends what they wait for, and takes no element", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  const answer = client.call("BLPOP", "q", 0);
  await whenBlocked(redis, 1);
  const before = performance.now();
  await proxy.router.drainSessions(5000);
  assert(performance.now() - before < 1000);
  assertMatch(messageOf(await answer), /ERR handle request, the proxy is shutting down$/);
  await whenBlocked(redis, 0);
});

Deno.test("a slot without an owner ends what waits for it", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  using client = await proxy.client();
  const answer = client.call("BLPOP", "q", 0);
  await whenBlocked(redis, 1);
  for (const { id } of proxy.router.shared.slots.all) await proxy.router.shared.slots.resetSlot(id);
  assertMatch(messageOf(await within(answer)), /slot is not ready, may be offline$/);
});
