/**
 * What of a twemproxy config can be imported, and why the rest cannot.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { PoolError, readPool } from "../../../../../src/cli/config/server/twemproxy_pool.ts";

const FILE = "nutcracker.yml";

function pool(...servers: string[]): string {
  const list = servers.map((server) => `    - ${server}\n`).join("");
  return `alpha:\n  listen: 127.0.0.1:22121\n  redis: true\n  servers:\n${list}`;
}

Deno.test("readPool() takes the servers in the order of the file", () => {
  const text = pool("10.0.0.2:6379:1 two", "redis-1:6380:1", '"[::1]:6379:1"', "::1:6380:1");
  assertEquals(readPool(text, FILE).servers, [
    ...["10.0.0.2:6379", "redis-1:6380", "[::1]:6379", "[::1]:6380"],
  ]);
});

Deno.test("readPool() chooses by name when there are several pools", () => {
  const text = `${pool("a:1:1")}beta:\n  redis: true\n  servers: [ "b:1:1" ]\n`;
  assertEquals(readPool(text, FILE, "beta").servers, ["b:1"]);
  const several = assertThrows(() => readPool(text, FILE), PoolError);
  assertEquals(several.message, `${FILE}: choose one of its pools with --pool: alpha, beta`);
  const unknown = assertThrows(() => readPool(text, FILE, "gamma"), PoolError);
  assertEquals(unknown.message, `${FILE}: there is no pool "gamma"; its pools are alpha, beta`);
  assertThrows(() => readPool(text, FILE, "constructor"), PoolError, "there is no pool");
});

Deno.test("readPool() names a line that is indented by a tab", () => {
  const text = "alpha:\n  redis: true\n\t# no matter\n\tservers:\n\t  - a:1:1\n";
  const { message } = assertThrows(() => readPool(text, FILE), PoolError);
  assertEquals(message, `${FILE}:4: not YAML: the line is indented by a tab: use spaces`);
});

Deno.test("readPool() warns of what does not come along, and tells no password", () => {
  const text = `${pool("a:1:1", "b:1:3")}  redis_auth: hunter2\n  redis_db: 3\n`;
  const { warnings } = readPool(text, FILE);
  assertEquals(warnings.length, 4);
  assertEquals(warnings[0]!.includes("by ketama of fnv1a_64, slots are CRC-32"), true);
  assertEquals(warnings[1], "weights are ignored: assign slots to groups as you like");
  assertEquals(warnings.join().includes("hunter2"), false);
  assertEquals(warnings[3], "redis_db 3 is not imported: clients must SELECT it");
});

const MISTAKES: readonly [name: string, text: string, message: string][] = [
  ["nothing", "", "there is no pool in it"],
  ["no YAML", "alpha: [", "not YAML: "],
  ["a list", "- a\n- b\n", "not a list of pools"],
  ["a pool that is a word", "alpha: yes", 'pool "alpha" is not a list of settings'],
  [
    "a memcached pool",
    "alpha:\n  servers:\n    - a:1:1\n",
    'pool "alpha" is a memcached pool: only pools with "redis: true" can be imported',
  ],
  ["no servers", "alpha:\n  redis: true\n", 'pool "alpha" has no servers'],
  ["a unix socket", pool("/tmp/redis.sock:1"), 'server "/tmp/redis.sock:1" is a unix socket'],
  ["no weight", pool("redis:6379"), 'server "redis:6379" is not host:port:weight'],
  ["a number", pool("6379"), "server 6379 is not host:port:weight"],
  ["a bad port", pool("redis:99999:1"), 'address "redis:99999" has a bad port'],
  ["a bad host", pool('"red is:1:1"'), 'address "red is:1" has a bad host'],
  ["a server twice", pool("a:1:1", "a:1:2"), "server a:1 is listed twice"],
];

for (const [name, text, message] of MISTAKES) {
  Deno.test(`readPool() refuses ${name}, in one line`, () => {
    const error = assertThrows(() => readPool(text, FILE), PoolError, message);
    assertEquals(error.message.startsWith(`${FILE}: `), true, error.message);
    assertEquals(error.message.includes("\n"), false);
  });
}
