/**
 * COMMAND INFO and COMMAND DOCS from our table equal those of a real redis-server.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Command } from "../../../src/command/command.ts";
import { readCommandReply } from "../../../src/command/command_reply.ts";
import { buildCommand } from "../../../src/command/command_row.ts";
import { COMMANDS, findByName } from "../../../src/command/command_table.ts";
import { encodeCommandDocs, encodeCommandInfo } from "../../../src/command/describe.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { decodeReply, type RespValue } from "../../support/resp_value.ts";

const ROWS = COMMANDS.filter((row) => row.origin === "redis");
/** Fields of a row that say what Redis says; the others say what the proxy does. */
const SAID_BY_REDIS = [
  ...["name", "reportedArity", "flags", "categories", "tips", "keySpecs", "keyRules", "keyPlaces"],
  ...["singleKey", "firstKey", "lastKey", "keyStep", "reportedKeys", "isWrite", "isReadOnly"],
] as readonly (keyof Command)[];

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

Deno.test("what redis-server says of its commands gives the rows of the table", async () => {
  await using redis = await RedisServer.start();
  using client = await redis.client();
  for (const protocol of [2, 3]) {
    await client.call("HELLO", protocol);
    await client.send("COMMAND");
    const { raw } = await client.read();
    const learned = readCommandReply(raw);
    assertEquals([...learned.keys()].sort(), ROWS.map(({ name }) => name).sort());
    for (const row of ROWS) {
      const source = {
        id: row.id,
        origin: row.origin,
        row: learned.get(row.name)!,
        subcommands: [],
      };
      const built = buildCommand(source, undefined);
      for (const field of SAID_BY_REDIS) assertEquals(built[field], row[field], row.name);
    }
  }
});
