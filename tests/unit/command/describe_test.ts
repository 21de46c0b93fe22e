/**
 * What COMMAND INFO and COMMAND DOCS guarantee;
 * `tests/integration/commands/command_describe_test.ts` compares them with a real Redis.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { findByName } from "../../../src/command/command_table.ts";
import {
  encodeCommandDocs,
  encodeCommandInfo,
  listedCommands,
} from "../../../src/command/describe.ts";
import { decodeReply } from "../../support/resp_value.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("COMMAND INFO of an unknown command is null in either protocol", () => {
  assertEquals(text(encodeCommandInfo([undefined], 2)), "*1\r\n$-1\r\n");
  assertEquals(text(encodeCommandInfo([undefined], 3)), "*1\r\n_\r\n");
});

Deno.test("COMMAND INFO tells in RESP3 what is a set and what is a map", () => {
  const reply = text(encodeCommandInfo([findByName("get")], 3));
  assert(reply.startsWith("*1\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n"));
  assert(reply.includes("~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n"));
});

Deno.test("every command can be described and documented, the added ones too", () => {
  const commands = listedCommands();
  for (const protocol of [2, 3] as const) {
    for (const encode of [encodeCommandInfo, encodeCommandDocs]) {
      const bytes = encode(commands, protocol);
      assertEquals(decodeReply(bytes, 0)?.end, bytes.length);
    }
  }
  const docs = decodeReply(encodeCommandDocs(commands, 3), 0)!.value as Map<string, unknown>;
  assertEquals(docs.size, commands.length);
  assert(docs.has("slotshashkey") && !docs.has("post") && !docs.has("client|kill"));
});
