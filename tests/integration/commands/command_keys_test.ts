/**
 * The keys we find are those that COMMAND GETKEYS of a real redis-server finds.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { findCommand } from "../../../src/command/command_table.ts";
import { COMMANDS } from "../../../src/command/command_table.ts";
import { arityMatches } from "../../../src/command/command.ts";
import { KeyIndexes, keyIndexes } from "../../../src/command/key.ts";
import { argumentsOfLine } from "../../support/arguments.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ReplyError } from "../../support/resp_value.ts";

/** Requests whose keys take some finding; the plain ones are made from the table below. */
const LINES = `
SORT k
SORT k BY w_* LIMIT 0 5 GET # GET store DESC ALPHA STORE dst
SORT k store d STORE e
SORT k by store get limit store d
SORT k LIMIT store store store e
SORT_RO k BY w GET store
MIGRATE h 6379 k 0 100
MIGRATE h 6379 k 0 100 COPY REPLACE AUTH keys
MIGRATE h 6379 "" 0 100 COPY REPLACE KEYS a b c
MIGRATE h 6379 "" 0 100 AUTH KEYS KEYS a
MIGRATE h 6379 "" 0 100 AUTH2 KEYS KEYS KEYS a b
EVAL s 1 a
EVAL s 3 a b c d e
EVALSHA abc 2 a b
EVAL_RO s 2 a b x
EVALSHA_RO s 1 a x
FCALL f 2 a b c
FCALL_RO f 1 a
XREAD STREAMS a 0
XREAD COUNT 5 BLOCK 0 STREAMS a b c 0 0 0
xread streams streams 0
XREADGROUP GROUP g c STREAMS a b 0 0
XREADGROUP GROUP streams streams COUNT 1 NOACK STREAMS a >
ZUNION 2 a b WEIGHTS 1 2
ZINTER 1 a WITHSCORES
ZDIFF 3 a b c
ZUNIONSTORE d 2 a b AGGREGATE MAX
ZINTERSTORE d 1 a
ZDIFFSTORE d 2 a b
ZINTERCARD 2 a b LIMIT 1
SINTERCARD 3 a b c
LMPOP 2 a b LEFT COUNT 2
ZMPOP 1 a MIN
BLMPOP 0 2 a b LEFT
BZMPOP 0 1 a MAX
GEORADIUS k 1 2 3 m
GEORADIUS k 1 2 3 m STORE d
GEORADIUS k 1 2 3 m COUNT 3 ASC STOREDIST d
GEORADIUS k 1 2 3 m STORE d STOREDIST e
GEORADIUSBYMEMBER k m 3 km STORE d
GEORADIUSBYMEMBER k store 3 km STOREDIST d
GEORADIUS_RO k 1 2 3 m
GEOSEARCHSTORE d k FROMMEMBER m BYRADIUS 1 m
BITOP AND d a b c
BLPOP a b c 0
BZPOPMIN a b 1
BLMOVE a b LEFT RIGHT 0
MSET a 1 b 2 c 3
MSETNX a 1
COPY a b DB 1 REPLACE
RENAME a b
LCS a b LEN
SMOVE a b m
PFMERGE d a b
PFCOUNT a b
ZRANGESTORE d s 0 -1
OBJECT ENCODING k
OBJECT FREQ k
MEMORY USAGE k SAMPLES 5
XGROUP CREATE k g $ MKSTREAM
XGROUP DELCONSUMER k g c
XINFO STREAM k FULL
XINFO CONSUMERS k g
XADD k MAXLEN 5 * f v
XCLAIM k g c 0 1-1
SET k v KEEPTTL GET
BITFIELD k GET u8 0
RESTORE k 0 x REPLACE
SINTERSTORE d a b
SUNIONSTORE d a
PFDEBUG GETREG k
SPUBLISH ch m
CLIENT KILL addr
PING x
PUBLISH a b
`.trim().split("\n");

/** Makes a plain request of each command that has static keys. */
function plainLines(): string[] {
  return COMMANDS.filter((row) => row.origin === "redis" && row.keyPlaces === "static").map(
    (row) => {
      const name = row.name.split("|").map((word) => word.toUpperCase());
      const count = Math.abs(row.arity) + (row.arity < 0 ? 2 * row.keyStep : 0);
      const words = Array.from({ length: count - name.length }, (_, i) => `w${i}`);
      return [...name, ...words].join(" ");
    },
  );
}

Deno.test("keys are found where COMMAND GETKEYS of redis-server finds them", async () => {
  await using redis = await RedisServer.start();
  using client = await redis.client();
  let withKeys = 0;
  for (const line of [...LINES, ...plainLines()]) {
    const words = line.split(" ").map((word) => (word === '""' ? "" : word));
    const args = argumentsOfLine(line);
    const command = findCommand(args);
    assert(command !== undefined && arityMatches(command, args.count), line);

    const out = new KeyIndexes();
    const count = keyIndexes(command, args, out);
    const found = [...out.values.subarray(0, Math.max(count, 0))].map((i) => words[i]!);

    const told = await client.call("COMMAND", "GETKEYS", ...words);
    if (told instanceof ReplyError) {
      assertEquals(found, [], `${line}: ${told.message}`);
    } else {
      assertEquals(found, told, line);
      withKeys++;
    }
  }
  assert(withKeys > 150, `only ${withKeys} requests had keys`);
});
