/**
 * What a client gets for its mistakes is what a real redis-server says to them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { FakeRedis } from "../../support/fake_redis.ts";
import { latin1, textOf } from "../../support/pieces.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

/** Requests as inline commands; most are wrong in some way. */
const REQUESTS = `
GET
GET a b
FOO
FOO a b
foo "" "b c"
""
SET k
SET k v BAD
CLIENT
CLIENT FOO
client foo bar
CLIENT SETNAME "a b"
CLIENT SETNAME
CLIENT SETNAME ""
CLIENT GETNAME x
CLIENT ID x
CLIENT KILL
CLIENT KILL nobody:1
CLIENT KILL ID
CLIENT KILL ID abc
CLIENT KILL ID 0
CLIENT KILL FOO bar
CLIENT KILL TYPE foo
CLIENT KILL USER nobody
CLIENT KILL SKIPME maybe
CLIENT LIST TYPE foo
CLIENT LIST FOO
CLIENT LIST ID
CLIENT LIST ID abc
CLIENT LIST ID 01
CLIENT LIST ID 9223372036854775808
CLIENT NO-EVICT
CLIENT NO-EVICT maybe
SELECT
SELECT 1 2
HELLO 9
HELLO abc
HELLO 3 BAD
HELLO 3 AUTH
HELLO 3 AUTH a b
HELLO 3 SETNAME "a b"
HELLO 3 SETNAME
AUTH
AUTH a b c
AUTH default x
AUTH nobody x
RESET
RESET x
PING hello
PING a b
ECHO
ECHO a b
TIME x
DBSIZE x
OBJECT
OBJECT FOO
OBJECT FOO bar
OBJECT ENCODING
XGROUP FOO a
DEL
MGET
MSET a
MSET a b c
EXISTS
TOUCH
UNLINK
EVAL x
EVAL "return 1" 0
COMMAND FOO
COMMAND COUNT x
COMMAND GETKEYS
COMMAND GETKEYS GET
COMMAND GETKEYS FOO
COMMAND GETKEYS PING
COMMAND LIST FILTERBY
COMMAND LIST FILTERBY FOO bar
SCAN
SCAN abc
SCAN 99999999999999999999
SCAN 0 COUNT 0
SCAN 0 COUNT abc
SCAN 0 FOO bar
SCAN 0 MATCH
KEYS
RANDOMKEY x
FLUSHALL FOO
FLUSHALL ASYNC SYNC
SCRIPT
SCRIPT FOO
SCRIPT LOAD
SCRIPT LOAD "bad bad"
SCRIPT EXISTS
SCRIPT EXISTS abc def
SCRIPT FLUSH FOO
FUNCTION
FUNCTION FOO
FUNCTION LOAD x
FUNCTION DELETE nolib
FUNCTION FLUSH FOO
CONFIG
CONFIG GET
CONFIG FOO
XREAD
XREAD STREAMS
XREAD STREAMS a
XREAD COUNT a STREAMS a 0
ZUNIONSTORE a
ZUNIONSTORE a 0
LMPOP 0 a LEFT
SINTERCARD 0 a
SORT
LCS a
BITOP
GEORADIUS k
LOLWUT VERSION x
`.trim().split("\n");

/** Commands whose arguments tell how many keys there are, and what may stand there. */
const COUNTED = `
ZUNION
ZINTERCARD
SINTERCARD
LMPOP
ZMPOP
ZUNIONSTORE {d}
ZDIFFSTORE {d}
EVAL "return 1"
EVALSHA 0123456789012345678901234567890123456789
FCALL f
FCALL_RO f`.trim().split("\n");
const COUNTS = `
0
-1
abc
1
0 a
-1 a
abc a
2 a
3 a LEFT
1.5 a
"" a
" 1" a
01 a
+1 a
-0
+0 a
2147483648 a
99999999999999999999 a
0 a LEFT
9 a WEIGHTS 1`.trim().split("\n");

/** Other requests whose keys cannot be found, numbers that are none, and bytes that are not ASCII. */
const MORE_REQUESTS = `
SELECT abc
SELECT -1
SELECT 16
SELECT 01
SELECT +1
SELECT ""
SELECT " 1"
SELECT 1.5
SELECT 2147483647
SELECT 2147483648
SELECT -2147483649
SELECT 9223372036854775808
SELECT 15
HELLO 03
HELLO -3
HELLO 99999999999999999999
SCAN -1
SCAN +1
SCAN ""
SCAN " 1"
SCAN 18446744073709551616
XREAD STREAMS a b c
XREAD a b c
XREADGROUP GROUP a b STREAMS a
XREADGROUP GROUP a b STREAMS a b c
MSETNX a 1 b
MSETNX a 1 b 2 c
GEORADIUS k 1 2 3 m STORE
GEORADIUSBYMEMBER k m 3 m STORE
SORT a STORE
COMMAND GETKEYS EVAL s 0
COMMAND GETKEYS EVAL s 3 a
COMMAND GETKEYS ZUNION 0 a
COMMAND GETKEYS ZUNION 2 a
COMMAND GETKEYS LMPOP abc a LEFT
COMMAND GETKEYS XREAD STREAMS a b c
COMMAND INFO nosuch
FOO \\x80\\xff
"\\x80\\xffa" "\\xe9"
"a\\x01b" "\\x7f\\t"
"a\\x00b" "c\\x00d" e
"a\\r\\nb" "c\\r\\nd"
CLIENT "\\x80\\xff"
CLIENT "a\\r\\nb"
CLIENT "a\\x00b"
OBJECT "\\xe9" a
HELLO 3 "\\xe9"
CLIENT KILL TYPE "\\xe9"
CLIENT LIST TYPE "\\xe9"
CLIENT KILL USER "\\xe9"
`.trim().split("\n");

async function answerTo(port: number, line: string): Promise<string> {
  using client = await RespClient.connect(port);
  await client.sendRaw(latin1(`${line}\r\n`));
  await client.closeWrite();
  return textOf(await client.readToEnd());
}

Deno.test("a client's mistakes are answered with redis-server's own words", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  const counted = COUNTED.flatMap((command) => COUNTS.map((count) => `${command} ${count}`));
  for (const line of [...REQUESTS, ...counted, ...MORE_REQUESTS]) {
    assertEquals(await answerTo(proxy.port, line), await answerTo(redis.port, line), line);
  }
});

Deno.test("many arguments of an unknown command are quoted as far as redis-server quotes them", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  const bytes = `"${"\\xe9".repeat(200)}"`;
  for (
    const line of [
      `FOO ${bytes} c`,
      `FOO ${"a ".repeat(200)}`,
      `FOO ${"b".repeat(500)} c`,
      "f".repeat(500),
    ]
  ) {
    assertEquals(await answerTo(proxy.port, line), await answerTo(redis.port, line), line);
  }
});

Deno.test("a client's bytes cannot end an error's line or pose as a reply", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers: [redis] });
  const evil = `"x\\r\\n+OK\\r\\n\\x00\\xff"`;
  const places = [
    "@",
    "FOO @",
    "CLIENT @",
    "CLIENT KILL TYPE @",
    "CLIENT KILL USER @",
    "HELLO 3 @",
  ];
  places.push(
    "OBJECT @ x",
    "CLIENT LIST TYPE @",
    "CLIENT SETINFO @ x",
    "SLOTSMAPPING @",
    "CONFIG @",
  );
  for (const place of places) {
    const answer = await answerTo(proxy.port, place.replace("@", evil));
    assertEquals(answer.match(/^-[^\r\n]+\r\n$/)?.length, 1, `${place}: ${JSON.stringify(answer)}`);
  }
});

Deno.test("a server that is not strict about numbers does not take a bad request for a good one", async () => {
  await using old = new FakeRedis(([name]) =>
    name === "SELECT" ? "+OK\r\n" : "-ERR as it says\r\n"
  );
  await using proxy = await RouterServer.start({ servers: [old] });
  for (const count of ["01", "+1", "1", "-1", "5", "abc", "-0"]) {
    assertEquals(await answerTo(proxy.port, `EVAL s ${count} k`), "-ERR as it says\r\n");
  }
  const counts = old.received.filter(([name]) => name === "EVAL").map(([, , count]) => count);
  assertEquals(counts, ["xx", "xx", "1", "-1", "5", "abc", "xx"]);
});
