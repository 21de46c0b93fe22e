/**
 * COMMAND INFO and COMMAND DOCS from our table equal those of a real redis-server.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { COMMANDS, findByName } from "../../../src/command/command_table.ts";
import { encodeCommandDocs, encodeCommandInfo } from "../../../src/command/describe.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { decodeReply, type RespValue } from "../../support/resp_value.ts";

const ROWS = COMMANDS.filter((row) => row.origin === "redis");
const decode = (bytes: Uint8Array) => decodeReply(bytes, 0)!.value;

/** Subcommands come in an order that changes with each start of Redis: sorts them, drops ours. */
function sorted(info: RespValue): RespValue {
  const fields = [...(info as RespValue[])];
  const subcommands = [...(fields[9] as Iterable<RespValue[]>)].filter(([name]) =>
    findByName(name as string)!.origin === "redis"
  );
  fields[9] = subcommands.sort((a, b) => (a[0]! < b[0]! ? -1 : 1));
  return fields;
}

for (const protocol of [2, 3] as const) {
  Deno.test(`COMMAND INFO equals that of redis-server in RESP${protocol}`, async () => {
    await using redis = await RedisServer.start();
    using client = await redis.client();
    await client.call("HELLO", protocol);
    for (const row of ROWS) {
      await client.send("COMMAND", "INFO", row.name);
      const theirs = await client.read();
      const ours = encodeCommandInfo([row], protocol);
      if (row.isContainer) {
        const [mine] = decode(ours) as RespValue[];
        const [their] = theirs.value as RespValue[];
        assertEquals(sorted(mine!), sorted(their!), row.name);
      } else {
        assertEquals(ours, theirs.raw, row.name);
      }
    }
  });

  Deno.test(`COMMAND DOCS equals that of redis-server in RESP${protocol}`, async () => {
    await using redis = await RedisServer.start();
    using client = await redis.client();
    await client.call("HELLO", protocol);
    for (const row of ROWS) {
      if (row.isContainer) continue; // its subcommands are compared one by one
      await client.send("COMMAND", "DOCS", row.name);
      const theirs = await client.read();
      assertEquals(encodeCommandDocs([row], protocol), theirs.raw, row.name);
    }
  });
}
