/**
 * Which scripts without declared keys are harmless, from their text alone.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { undeclaredAccess } from "../../../src/command/script_text.ts";

Deno.test("a script that calls nothing, or only commands without keys by name, is harmless", () => {
  for (
    const script of [
      "return 1",
      "return {KEYS[1], ARGV[1], 'redis.call'}",
      "return redis.call('TIME')[1]",
      'redis.pcall("publish", ARGV[1], "x")',
      "return redis.call 'ping'",
      "return redis . call ( [[ping]] )",
      "-- redis.call('set', 'a', 1)\nreturn redis.call('echo', ARGV[1])",
      "--[==[ redis.call('get', k) ]] ]==] return redis.sha1hex('')",
      "#!lua flags=no-writes\nredis.log(redis.LOG_NOTICE, 'redis.call') return redis.status_reply('x')",
      "local server = ARGV[1] return server",
      "return ('it\\'s redis.call(\"get\", 1)')",
    ]
  ) assertEquals(undeclaredAccess(script), "", script);
});

Deno.test("a script that names a command with keys, or hides which one it calls, is not", () => {
  const cases: readonly (readonly [script: string, access: string])[] = [
    ["return redis.call('set','ev:'..ARGV[1],1)", "calls SET"],
    ["return #redis.call('keys','pre:*')", "calls KEYS"],
    ["redis.pcall('FLUSHALL')", "calls FLUSHALL"],
    ["redis.call('ti' .. 'me')", "calls a command that its text does not name after redis.call"],
    ["redis.call(ARGV[1])", "calls a command that its text does not name after redis.call"],
    ["redis.call('\\116ime')", "calls a command that its text does not name after redis.call"],
    [
      "local c = redis.call return c('get', 'a')",
      "calls a command that its text does not name after redis.call",
    ],
    ["local r = redis return r.call('get', 'a')", "uses redis otherwise than as redis.NAME"],
    ["return redis['call']('get', 'a')", "uses redis otherwise than as redis.NAME"],
    ["return _G['re'..'dis'].call('get', 'a')", "uses _G"],
    ["return loadstring(ARGV[1])()", "uses loadstring"],
    ["return server.call('get', 'a')", "calls GET"],
    ["return 'a' --[[ ]] .. redis.call('get', 'a')", "calls GET"],
  ];
  for (const [script, access] of cases) assertEquals(undeclaredAccess(script), access, script);
});
