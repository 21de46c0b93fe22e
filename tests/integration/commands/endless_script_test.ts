/**
 * A script without an end: what others are told, and how it is ended through the proxy.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import type { RouterOptions } from "../../../src/router/options.ts";
import { until } from "../../support/deadline.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

const BUSY_MS = 50;
const TIMEOUT_MS = 300;

function assertError(reply: RespValue, text: RegExp): void {
  assert(reply instanceof ReplyError, `an error was expected, not ${reply}`);
  assertMatch(reply.message, text);
}

/** Two servers, the second with a password, that say soon that they are busy. */
async function twoServers(
  options: Partial<RouterOptions> = { backendTimeoutMs: TIMEOUT_MS },
) {
  const args = ["--busy-reply-threshold", `${BUSY_MS}`, "--requirepass", "pw"];
  const servers = await RedisServer.startMany(2, { args });
  const proxy = await RouterServer.start({
    servers,
    options: { backendPassword: "pw", ...options },
  });
  return {
    servers,
    proxy,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await servers[Symbol.asyncDispose]();
    },
  };
}

const CODE = "#!lua name=lib\nredis.register_function('forever', function() while true do end end)";

Deno.test("SCRIPT KILL and FUNCTION KILL end what runs, and with nothing running say so", async () => {
  await using run = await twoServers();
  using client = await run.proxy.client();
  using caller = await run.proxy.client();
  const key = keyOn(1, 2);
  assertError(await client.call("SCRIPT", "KILL"), /^NOTBUSY No scripts in execution right now\.$/);
  assertError(await client.call("FUNCTION", "KILL"), /^NOTBUSY /);
  assertEquals(await client.call("FUNCTION", "LOAD", CODE), "lib");
  for (
    const [kill, start] of [
      ["SCRIPT", ["EVAL", "while true do end", 1, key]],
      ["FUNCTION", ["FCALL", "forever", 1, key]],
    ] as const
  ) {
    // In time: the script's own caller hears of it, as at the server itself.
    const called = caller.call(...start);
    await until(async () => await client.call(kill, "KILL") === "OK");
    assertError(await called, /^ERR Error running script|^ERR .*[Kk]illed by user/);
    assertEquals(await client.call("GET", key), null);
  }
  assertEquals(run.proxy.leftovers(), []);
  // No connection of a KILL is left.
  const backends = [...run.proxy.router.shared.slots.pool.servers()].flatMap((
    server,
  ) => [...server.backends()]);
  assertEquals(backends.filter(({ isPrivate }) => isPrivate), []);
});

Deno.test("past backend_timeout a busy server's keys answer BUSY first, until the script is killed", async () => {
  await using run = await twoServers();
  using client = await run.proxy.client();
  using caller = await run.proxy.client();
  const key = keyOn(1, 2);
  const started = await caller.call("EVAL", "while true do end", 1, key);
  assertError(started, /^ERR handle response, backend conn failure, .*no answer for/);
  await until(async () => {
    const reply = await client.call("GET", key);
    return reply instanceof ReplyError && reply.message.startsWith("BUSY Redis is busy running");
  });
  assertEquals(await client.call("GET", keyOn(0, 2)), null, "the other server is not concerned");
  assertError(await client.call("FUNCTION", "KILL"), /^BUSY Redis is busy running a script/);
  assertEquals(await client.call("SCRIPT", "KILL"), "OK");
  await until(async () => await client.call("GET", key) === null);
  // One that has written cannot be killed: the server's own words say so.
  await caller.call("EVAL", "redis.call('SET', KEYS[1], 1) while true do end", 1, key);
  assertError(await client.call("SCRIPT", "KILL"), /^UNKILLABLE /);
  await run.servers[1]!.kill();
  assertError(await client.call("SCRIPT", "KILL"), /^ERR handle re\w+, backend conn failure/);
});

Deno.test("while a script runs for long, others are answered BUSY by the server, and their order is kept", async () => {
  await using run = await twoServers({ backendTimeoutMs: 15_000, backendDialMs: 200 });
  using caller = await run.proxy.client();
  using queued = await run.proxy.client();
  using selected = await run.proxy.client();
  using piped = await run.proxy.client();
  using client = await run.proxy.client();
  const key = keyOn(1, 2);
  await client.call("SET", key, 1);
  await queued.call("MULTI");
  assertEquals(await queued.call("INCR", key), "QUEUED");
  assertEquals(await selected.call("SELECT", 4), "OK");
  assertEquals(await selected.call("SET", key, "four"), "OK");
  const called = caller.call("EVAL", "while true do end", 1, key);
  await until(() => run.proxy.router.shared.longScripts.isActive);
  assertError(await client.call("GET", key), /^BUSY Redis is busy running a script/);
  assertError(
    await queued.call("EXEC"),
    /^EXECABORT Transaction discarded because of: BUSY Redis is busy running a script/,
  );
  assertError(await selected.call("GET", key), /^BUSY /);
  assertError(await piped.call("FCALL", "f", 1, key), /^BUSY /);
  assertEquals(await client.call("GET", keyOn(0, 2)), null, "the other server is not concerned");
  assertEquals(await client.call("SCRIPT", "KILL"), "OK");
  assertError(await called, /^ERR .*[Kk]illed by user/);
  assertEquals(await client.call("GET", key), "1", "nothing of the transaction was executed");
  await until(async () => await selected.call("GET", key) === "four");
  // What a client sends behind its own script comes after it.
  const script = "local t = redis.call('TIME') local e = t[1] * 1000 + t[2] / 1000 + 400 " +
    "repeat t = redis.call('TIME') until t[1] * 1000 + t[2] / 1000 > e " +
    "return redis.call('APPEND', KEYS[1], 'a')";
  await piped.call("SET", key, "");
  await piped.send("EVAL", script, 1, key);
  for (let i = 0; i < 40; i++) {
    await piped.send("APPEND", key, "b");
    await delay(10);
  }
  for (let i = 1; i <= 41; i++) assertEquals((await piped.read()).value, i);
  assertEquals(await client.call("GET", key), `a${"b".repeat(40)}`);
  // Below busy-reply-threshold the server says nothing to new connections: they wait, too, and longer than
  // backend_dial_timeout.
  using server = await run.servers[1]!.client();
  await server.call("AUTH", "pw");
  await server.call("CONFIG", "SET", "busy-reply-threshold", 5_000);
  await until(() => !run.proxy.router.shared.longScripts.isActive);
  await piped.send("EVAL", script, 1, key);
  await until(() => run.proxy.router.shared.longScripts.isActive);
  assertEquals(await client.call("STRLEN", key), 42);
  assertEquals((await piped.read()).value, 42);
  await until(() => !run.proxy.router.shared.longScripts.isActive);
  assertEquals(run.proxy.leftovers(), []);
});

Deno.test("a connection that is made anew after a long script outlasts the next one", async () => {
  await using run = await twoServers({ backendTimeoutMs: 15_000, backendDialMs: 400 });
  using client = await run.proxy.client();
  using direct = await run.servers[1]!.client();
  await direct.call("AUTH", "pw");
  await direct.call("CONFIG", "SET", "busy-reply-threshold", 10_000);
  const key = keyOn(1, 2);
  const runFor = (ms: number) =>
    `local t = redis.call('TIME'); local ends = t[1] * 1000 + t[2] / 1000 + ${ms}
     repeat t = redis.call('TIME') until t[1] * 1000 + t[2] / 1000 > ends return 'ended'`;
  assertEquals(await client.call("EVAL", runFor(300), 1, key), "ended");
  const next = direct.call("EVAL", runFor(1000), 1, key);
  const replies = await Promise.all([next, client.call("GET", key)]);
  assertEquals(replies, ["ended", null], "it has waited, as at one Redis");
});
