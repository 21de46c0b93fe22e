/**
 * A script without an end: what others are told, and how it is ended through the proxy.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
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
async function twoServers() {
  const args = ["--busy-reply-threshold", `${BUSY_MS}`, "--requirepass", "pw"];
  const servers = await RedisServer.startMany(2, { args });
  const proxy = await RouterServer.start({
    servers,
    options: { backendPassword: "pw", backendTimeoutMs: TIMEOUT_MS },
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
  assertError(
    await client.call("GET", key),
    new RegExp(`\\(handle request, backend conn failure, ${run.servers[1]!.addr}\\)$`),
  );
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
