/**
 * Scripts, functions and SORT whose keys the request does not show: none reads or writes the wrong server
 * in silence.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

/** The text of an error; of everything else, as it is printed. */
function textOf(reply: RespValue): string {
  return reply instanceof ReplyError ? reply.message : `${reply}`;
}

async function errorOf(client: RespClient, ...words: string[]): Promise<string> {
  return textOf(await client.call(...words));
}

Deno.test("a script without keys runs when it touches none, and is refused when it may", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  assertEquals(await client.call("EVAL", "return ARGV[1]", 0, "x"), "x");
  assertEquals(await client.call("EVAL_RO", "return redis.call('echo', 'x')", 0), "x");
  assertMatch(
    await errorOf(client, "EVAL", "return redis.call('set','ev:'..ARGV[1],1)", "0", "a"),
    /'EVAL' is not allowed: it declares no keys.* the script calls SET; .*undeclared_keys = allow/,
  );
  assertMatch(await errorOf(client, "EVAL", "return #redis.call('keys','*')", "0"), /calls KEYS/);
  assertEquals(await client.call("EVAL", "return redis.call('set',KEYS[1],1)", 1, "k"), "OK");
  // The same over and over, and with a number of keys that is none.
  assertMatch(await errorOf(client, "EVAL", "return #redis.call('keys','*')", "0"), /calls KEYS/);
  assertMatch(await errorOf(client, "EVAL", "return 1", "x"), /not an integer/);
});

Deno.test("EVALSHA without keys needs a text that was seen: by EVAL, or by SCRIPT LOAD", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const [harmless, harmful] = ["return 'e' .. 'vsha'", "return redis.call('get','evsha')"];
  const sha = String(await client.call("SCRIPT", "LOAD", harmless));
  assertEquals(await client.call("EVALSHA", sha.toUpperCase(), 0), "evsha");
  const bad = String(await client.call("SCRIPT", "LOAD", harmful));
  assertMatch(await errorOf(client, "EVALSHA_RO", bad, "0"), /the script calls GET/);
  assertEquals(await client.call("EVALSHA", bad, 1, "k"), null);
  // Another proxy has not seen them. Clients send the text then.
  await using other = await RouterServer.start({ servers });
  using stranger = await other.client();
  const noScript = "NOSCRIPT No matching script. Please use EVAL.";
  assertMatch(await errorOf(stranger, "EVALSHA", sha, "0"), new RegExp(noScript));
  assertEquals(await stranger.call("EVAL", harmless, 0), "evsha");
  assertEquals(await stranger.call("EVALSHA", sha, 0), "evsha");
});

Deno.test("functions without keys run when nothing in their library touches keys", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const library = (name: string, body: string) =>
    `#!lua name=${name}\nredis.register_function('${name}_f', function(keys, args) ${body} end)`;
  await client.call("FUNCTION", "LOAD", "REPLACE", library("good", "return redis.call('time')"));
  await client.call("FUNCTION", "LOAD", "REPLACE", library("bad", "return redis.call('dbsize')"));
  const [time, count, more, ping] = await client.pipeline([
    ["FCALL", "good_f", 0],
    ["FCALL", "bad_f", 0],
    ["FCALL", "bad_f", 1, "k"],
    ["PING"],
  ]);
  assertEquals(Array.isArray(time!.value), true);
  assertMatch(textOf(count!.value), /'FCALL' is not allowed.*the function's library calls DBSIZE/);
  assertMatch(textOf(more!.value), /^\d+$/);
  assertEquals(ping!.value, "PONG");
  assertMatch(await errorOf(client, "FCALL", "none", "0"), /Function not found/);
  // A library that is replaced through this proxy counts at once.
  await client.call("FUNCTION", "LOAD", "REPLACE", library("bad", "return 1"));
  assertMatch(
    await errorOf(client, "FCALL_RO", "bad_f", "0"),
    /Can not execute a script with write flag using \*_ro command/,
  );
  assertEquals(await client.call("FCALL", "BAD_F", 0), 1);
  await client.call("FUNCTION", "FLUSH");
});

Deno.test("undeclared_keys = allow lets any script run on one server", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers, options: { undeclaredKeys: true } });
  using client = await proxy.client();
  assertEquals(await client.call("EVAL", "return redis.call('exists','nothing')", 0), 0);
});

Deno.test("SORT by other keys works where they share the list's slot, and is refused elsewhere", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await proxy.client();
  const list = keyOn(1, 2, "list");
  await client.call("RPUSH", `{${list}}`, 1, 2, 3);
  for (const [i, weight] of [30, 20, 10].entries()) {
    await client.call("SET", `{${list}}w${i + 1}`, weight);
  }
  const key = `{${list}}`;
  assertEquals(await client.call("SORT", key, "BY", `{${list}}w*`), ["3", "2", "1"]);
  assertEquals(await client.call("SORT", key, "BY", "nosort", "GET", "#"), ["1", "2", "3"]);
  assertMatch(
    await errorOf(client, "SORT", key, "BY", "w*"),
    /BY option of SORT denied in Cluster mode/,
  );
  assertMatch(await errorOf(client, "SORT_RO", key, "GET", "w*"), /GET option of SORT denied/);
  assertMatch(await errorOf(client, "SORT", key, "STORE", keyOn(0, 2)), /CROSSSLOT/);
});
