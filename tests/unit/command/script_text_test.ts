/**
 * Which scripts without declared keys are harmless, from their text alone.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { callsOf, namesItsKeys, undeclaredAccess } from "../../../src/command/script_text.ts";

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
    [`return f_${"0a".repeat(20)}()`, `uses f_${"0a".repeat(20)}`],
    ["return dofile('a.lua')", "uses dofile"],
    ["return server.call('get', 'a')", "calls GET"],
    ["return 'a' --[[ ]] .. redis.call('get', 'a')", "calls GET"],
    ["-- Lua ends a comment here:\rreturn redis.call('get', 'a')", "calls GET"],
    ["--[=x\rreturn redis.call('get', 'a')", "calls GET"],
    ["return server['call']('get', 'a')", "uses server otherwise than as server.NAME"],
  ];
  for (const [script, access] of cases) assertEquals(undeclaredAccess(script), access, script);
});

Deno.test("a script that names all its keys as KEYS uses no others; any other may", () => {
  for (
    const script of [
      "return 1",
      "return redis.call('get', KEYS[1])",
      "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end",
      "for i = 1, #KEYS do redis.call('ZADD', KEYS[i], ARGV[i], 'm') end",
      "return redis.call('del', unpack(KEYS))",
      "redis.call('mset', KEYS[1], 'a,b', KEYS[2], {1, 2}[1]) return KEYS[1] == KEYS[2]",
      "redis.call('publish', 'c', redis.call('hget', KEYS[1], ARGV[1]))",
      "local a, b = KEYS[1], KEYS[2] local c = 1 return redis.call('get', KEYS[1])",
      "local a, b = KEYS[1], KEYS[2]\nc = 1 return redis.call('get', KEYS[1])",
      "local t = {[KEYS[1]] = 1, x = KEYS[2]} return redis.call('get', KEYS[1])",
      "local n = f(KEYS[1], unpack(ARGV)) return redis.call('get', KEYS[n + 1])",
    ]
  ) assertEquals(namesItsKeys(script), true, script);
  for (
    const script of [
      "return redis.call('get', KEYS[1] .. ':n')",
      "return redis.call('get', 'KEYS[1]')",
      "return redis.call('del', KEYS[1], ARGV[1])",
      "return redis.call('del', KEYS[1], unpack(ARGV))",
      "local key = KEYS[1] return redis.call('get', key)",
      "KEYS[1] = 'other' return redis.call('get', KEYS[1])",
      "local KEYS = {'other'} return redis.call('get', KEYS[1])",
      "return redis.call('mget', KEYS[1], redis.call('get', KEYS[1]))",
      "return redis.call(ARGV[1], KEYS[1])",
      "return redis.call('zunionstore', KEYS[1], 1, 'other')",
      "return redis.call('keys', '*')",
      "return redis.call('eval', KEYS[1], 0)",
      "local r = redis return r.call('get', KEYS[1])",
      "local x KEYS[1], x = 'other', 1 return redis.call('get', KEYS[1])",
      "local x x, KEYS[1], x = 1, 'other', 1 return redis.call('get', KEYS[1])",
      "local t = {} KEYS[1], t.x[1], f(1).y = 'other' return redis.call('get', KEYS[1])",
      "local a = {1} KEYS[a[1]] = 'other' return redis.call('get', KEYS[1])",
      "KEYS[1]--[[ ]]\n= 'other' return redis.call('get', KEYS[1])",
      "local function unpack(KEYS) return redis.call('get', KEYS[1]) end unpack({'other'})",
      "local unpack = f unpack(KEYS) return redis.call('get', KEYS[1])",
      "local t = {} function t.unpack(KEYS) return redis.call('get', KEYS[1]) end t.unpack({'o'})",
      "local t = {'other'} function t:unpack(KEYS) return redis.call('get', KEYS[1]) end",
      "return redis.call('get', 'KEYS[\\49]')",
      "local s = server return s.call('get', 'other')",
    ]
  ) assertEquals(namesItsKeys(script), false, script);
});

Deno.test("the commands of a script are those that its text names, or it is said what hides them", () => {
  const cases: readonly (readonly [script: string, calls: string[], hides: string])[] = [
    ["return redis.call('GET', KEYS[1])", ["get"], ""],
    ["redis.pcall('config', 'get', 'x') redis.call('get', 'a')", ["config|get", "get"], ""],
    ["return 1", [], ""],
    ["redis.call(ARGV[1])", [], "calls a command that its text does not name after redis.call"],
    [
      "local c = redis.call; c('get', 'a')",
      [],
      "calls a command that its text does not name after redis.call",
    ],
    [
      "redis.call('config', ARGV[1])",
      [],
      "calls a command that its text does not name after redis.call",
    ],
    ["local r = redis; r.call('get')", [], "uses redis otherwise than as redis.NAME"],
    ["loadstring(ARGV[1])()", [], "uses loadstring"],
    ["local s = server s.call('get')", [], "uses server otherwise than as server.NAME"],
    ["-- a\rredis.call('get', 'a')", ["get"], ""],
    ["unpack = f", [], "uses unpack otherwise than as unpack(…)"],
    ["function unpack() end", [], "uses unpack otherwise than as unpack(…)"],
    ["return redis.call('del', unpack(KEYS))", ["del"], ""],
    [
      "redis.call('ge\\116', 'a')",
      [],
      "calls a command that its text does not name after redis.call",
    ],
  ];
  for (const [script, calls, hides] of cases) {
    assertEquals(callsOf(script), { calls, hides }, script);
  }
});
