/**
 * Transactions, as clients see them: the same bytes as from one redis-server, in RESP2 and RESP3.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";
import { textOf } from "../../support/pieces.ts";

/** Scripts of commands, one line each; all keys have one tag. */
const SAME_AS_REDIS: Readonly<Record<string, string>> = {
  "an array with the reply to each command": `
    MULTI|SET {t}a 1|INCR {t}a|GET {t}a|EXEC|GET {t}a`,
  "nothing queued": "MULTI|EXEC|GET {t}a",
  "no keys": "MULTI|PING|ECHO hello|PING hello|EXEC",
  "DISCARD applies nothing": "SET {t}n 1|MULTI|INCR {t}n|DISCARD|GET {t}n",
  "EXEC and DISCARD without MULTI": "EXEC|DISCARD|EXEC x|DISCARD x|GET {t}a",
  "nested MULTI harms nothing": "MULTI|MULTI|SET {t}a 1|EXEC",
  "WATCH inside MULTI harms nothing": "MULTI|WATCH {t}a|SET {t}a 1|EXEC",
  "MULTI with an argument opens nothing": "MULTI x|INCR {t}n|GET {t}n",
  "EXEC with an argument ends it": "MULTI|SET {t}a 1|EXEC x|GET {t}a|EXEC",
  "DISCARD with an argument does not end it": "MULTI|SET {t}a 1|DISCARD x|EXEC|GET {t}a",
  "an unknown command aborts": "MULTI|SET {t}a 1|NOSUCH x y|SET {t}b 1|EXEC|GET {t}a|GET {t}b",
  "an unknown subcommand aborts": "MULTI|OBJECT NOSUCH {t}a|EXEC",
  "wrong arity aborts": "MULTI|SET {t}a|GET {t}a|EXEC|GET {t}a",
  "an aborted one can be discarded": "MULTI|NOSUCH|DISCARD|MULTI|PING|EXEC",
  "an error in the middle does not stop the rest": `
    SET {t}s x|MULTI|INCR {t}s|SET {t}b 2|LPUSH {t}s 1|GET {t}b|EXEC|GET {t}b`,
  "an odd MSET, which only its execution finds": "MULTI|MSET {t}a 1 {t}b|SET {t}c 1|EXEC|GET {t}c",
  "several keys": `
    MULTI|MSET {t}a 1 {t}b 2|MGET {t}a {t}b {t}c|DEL {t}a {t}b|EXISTS {t}a|EXEC`,
  "a script": `MULTI|EVAL "return redis.call('INCR', KEYS[1])" 1 {t}e|GET {t}e|EXEC`,
  "a script with a bad number of keys": `MULTI|EVAL "return 1" 7 {t}e|EVAL "return 1" x|EXEC`,
  "SELECT stays": "SET {t}d 0|MULTI|SELECT 3|SET {t}d 3|EXEC|GET {t}d|SELECT 0|GET {t}d",
  "SELECT twice":
    "MULTI|SET {t}q 0|SELECT 3|SET {t}q 3|SELECT 4|SET {t}q 4|EXEC|GET {t}q|SELECT 3|GET {t}q",
  "SELECT of no database": "MULTI|SELECT 99|SELECT x|SELECT -1|SET {t}d 1|EXEC|GET {t}d",
  "SELECT discarded": "SET {t}d 0|MULTI|SELECT 3|DISCARD|GET {t}d",
  "SELECT in an aborted one": "SET {t}d 0|MULTI|SELECT 3|NOSUCH|EXEC|GET {t}d",
  "CLIENT SETNAME and GETNAME":
    "MULTI|CLIENT SETNAME me|SET {t}a 1|CLIENT GETNAME|EXEC|CLIENT GETNAME",
  "only what is answered here": "MULTI|CLIENT SETNAME me2|CLIENT GETNAME|EXEC",
  "one after the other":
    "MULTI|INCR {t}z|EXEC|MULTI|INCR {t}z|EXEC|MULTI|INCR {t}z|DISCARD|INCR {t}z",
  "what is never allowed inside": "MULTI|SHUTDOWN|EXEC|MULTI|SAVE|SYNC|PSYNC a b|DISCARD",
  "UNWATCH inside": "MULTI|UNWATCH|SET {t}a 1|EXEC",
  "RESET ends it": "MULTI|SET {t}r 1|RESET|GET {t}r|EXEC",
  "QUIT ends it": "MULTI|SET {t}r 1|QUIT",
  "types of replies": `
    HSET {t}h f v|ZADD {t}zz 1.5 m|SADD {t}ss x|MULTI|HGETALL {t}h|ZRANGE {t}zz 0 -1 WITHSCORES|
    SMEMBERS {t}ss|GET {t}none|ZSCORE {t}zz m|HINCRBYFLOAT {t}h g 1.5|XRANGE {t}none - +|EXEC`,
  "a watched key that nobody touched": "SET {t}w 1|WATCH {t}w {t}v|MULTI|INCR {t}w|EXEC|GET {t}w",
  "a watched key that was touched": "WATCH {t}w|SET {t}w 2|MULTI|INCR {t}w|EXEC|GET {t}w",
  "a write before WATCH does not touch": "SET {t}w 1|INCR {t}w|WATCH {t}w|MULTI|INCR {t}w|EXEC",
  "an empty transaction of a touched key": "WATCH {t}w|SET {t}w 2|MULTI|EXEC",
  "an empty transaction of a key that was not": "WATCH {t}w|MULTI|EXEC|MULTI|PING|EXEC",
  "keys are watched one after the other": "WATCH {t}w|WATCH {t}v|SET {t}w 2|MULTI|PING|EXEC",
  "EXEC ends watching": "WATCH {t}w|MULTI|PING|EXEC|SET {t}w 1|MULTI|PING|EXEC",
  "a failed EXEC ends watching": "WATCH {t}w|SET {t}w 1|MULTI|PING|EXEC|MULTI|PING|EXEC",
  "UNWATCH ends watching": "WATCH {t}w|SET {t}w 1|UNWATCH|MULTI|PING|EXEC|UNWATCH",
  "DISCARD ends watching": "WATCH {t}w|SET {t}w 1|MULTI|PING|DISCARD|MULTI|PING|EXEC",
  "RESET ends watching": "WATCH {t}w|SET {t}w 1|RESET|MULTI|PING|EXEC",
  "an aborted transaction ends watching": "WATCH {t}w|SET {t}w 1|MULTI|NO|EXEC|MULTI|PING|EXEC",
  "an abort counts more than a touch": "WATCH {t}w|SET {t}w 1|MULTI|NOSUCH|EXEC",
  "a refused EXEC ends watching, also without MULTI":
    "WATCH {t}w|SET {t}w 1|EXEC x|MULTI|PING|EXEC|WATCH {t}w|SET {t}w 2|EXEC|MULTI|PING|EXEC",
  "the database of a watched key": "WATCH {t}w|SELECT 3|SET {t}w 1|MULTI|SET {t}x 3|EXEC|GET {t}x",
  "watching in two databases": `
    WATCH {t}w|SELECT 3|WATCH {t}w|SELECT 0|SELECT 3|SET {t}w 1|MULTI|PING|EXEC|SELECT 0|GET {t}w`,
  "SELECT in a watched transaction": `
    WATCH {t}w|MULTI|SELECT 3|SET {t}w 3|EXEC|GET {t}w|SELECT 0|WATCH {t}w|MULTI|GET {t}w|EXEC`,
  "commands of ours in a watched transaction":
    "WATCH {t}w|MULTI|CLIENT SETNAME a|CLIENT GETNAME|EXEC",
  "WATCH without a key": "WATCH|MULTI|PING|EXEC",
  "blocking commands do not block": `
    MULTI|XREAD BLOCK 0 STREAMS {t}x 0|BLPOP {t}l 0|BZPOPMIN {t}z 0|BLMOVE {t}l {t}m LEFT LEFT 0|
    LPUSH {t}l a|BRPOP {t}l 0|EXEC`,
  "FLUSHALL in its place":
    "SET {t}a 1|SET u 1|MULTI|SET {t}b 1|FLUSHALL|GET {t}b|SET {t}a 2|EXEC|GET {t}a|GET u|DBSIZE",
  "FLUSHDB of a selected database": `
    SET u 0|SELECT 3|SET u 3|SELECT 0|MULTI|SELECT 3|FLUSHDB|EXEC|GET u|SELECT 0|GET u`,
  "FLUSHALL that is none":
    "SET u 1|MULTI|FLUSHALL NEVER|SET {t}a 1|EXEC|GET u|MULTI|FLUSHALL|DISCARD|GET u",
  "FLUSHALL of a touched key":
    "SET u 1|WATCH {t}w|SET {t}w 1|MULTI|FLUSHALL|EXEC|GET u|WATCH {t}w|MULTI|FLUSHALL|EXEC|GET u",
  "a script that is loaded": `
    MULTI|SCRIPT LOAD "return redis.call('GET', KEYS[1])"|SET {t}a 5|EXEC|
    EVALSHA d3c21d0c2b9ca22f82737626a27bcaf5d288f99f 1 {t}a|
    EVALSHA d3c21d0c2b9ca22f82737626a27bcaf5d288f99f 1 {u}a`,
  "SUBSCRIBE and UNSUBSCRIBE": `
    MULTI|PUBLISH c x|SUBSCRIBE c|SET {t}a 1|PSUBSCRIBE p*|UNSUBSCRIBE c|EXEC|PING|PUNSUBSCRIBE|GET {t}a`,
  "only SUBSCRIBE": "MULTI|SUBSCRIBE c|EXEC|PING|UNSUBSCRIBE|PING",
  "SUBSCRIBE discarded, or for a touched key":
    "MULTI|SUBSCRIBE c|DISCARD|WATCH {t}w|SET {t}w 1|MULTI|SUBSCRIBE c|EXEC|PUBLISH c x|PING",
  "SUBSCRIBE in an aborted one": "MULTI|SUBSCRIBE c|NOSUCH|EXEC|PUBLISH c x|PING",
  "MONITOR": "MULTI|MONITOR|SET {t}a 1|EXEC|GET {t}a",
  "HELLO with errors": "MULTI|HELLO 9|HELLO x|PING|EXEC",
};

function wordsOf(line: string): string[] {
  return (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"|"$/g, ""));
}

async function transcript(port: number, script: string, protocol: number): Promise<string[]> {
  using client = await RespClient.connect(port);
  if (protocol === 3) await client.call("HELLO", 3);
  await client.call("FLUSHALL");
  const replies = await client.pipeline(script.split("|").map((line) => wordsOf(line)));
  return replies.map(({ raw }) => textOf(raw));
}

Deno.test("transactions are answered as one redis-server answers them", async (t) => {
  await using a = await RedisServer.start();
  await using b = await RedisServer.start();
  await using single = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [a, b] });
  for (const [name, script] of Object.entries(SAME_AS_REDIS)) {
    for (const protocol of [2, 3]) {
      await t.step(`${name}, RESP${protocol}`, async () => {
        const expected = await transcript(single.port, script, protocol);
        assertEquals(await transcript(proxy.port, script, protocol), expected);
      });
    }
  }
});
